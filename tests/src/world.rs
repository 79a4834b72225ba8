//! A daemon with a home of its own and a machine behind it, and the clients' commands pointed at it.
//!
//! With COVE_TEST_DOCKERD, the socket of a dockerd, that is behind the `docker` command instead: what the tests say of Cove
//! they then say of it. Tests that touch what only Cove has end there, by unwinding with [`OnlyCove`].
//!
//! Dropping a world ends, in reverse order of making: the machine, the daemon, the folder. With COVE_TEST_KEEP set the
//! folder stays.

use std::{
    cell::Cell,
    env, fs,
    os::unix::net::UnixStream,
    path::{Path, PathBuf},
    process::Command,
    sync::{
        PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, ensure};

use crate::{
    command::{self, Done, Watched},
    http::Connection,
    image,
};

/// A home, its daemon and its machine.
#[derive(Debug)]
pub struct World {
    dist: PathBuf,
    folder: Option<tempfile::TempDir>,
    home: PathBuf,
    variables: Vec<(String, String)>,
    use_of: RwLock<()>,
    doubtful: AtomicBool,
    /// The socket of a dockerd that is tested in Cove's place.
    dockerd: Option<PathBuf>,
}

/// What a test unwinds with that cannot be asked of dockerd.
#[derive(Debug, Clone, Copy)]
pub struct OnlyCove;

thread_local! {
    static WAITED: Cell<Duration> = const { Cell::new(Duration::ZERO) };
}

/// How long tests on this thread have waited for others, since this was asked last.
#[must_use]
pub fn waited() -> Duration {
    WAITED.take()
}

fn waiting<T>(for_it: impl FnOnce() -> T) -> T {
    let began = Instant::now();
    let got = for_it();
    WAITED.set(WAITED.get() + began.elapsed());
    got
}

/// The tree that `make dist` built.
///
/// # Errors
/// If there is none.
pub fn dist() -> Result<PathBuf> {
    let default = Path::new(env!("CARGO_MANIFEST_DIR")).join("../dist");
    let dist = env::var_os("COVE_DIST").map_or(default, PathBuf::from);
    let dist = dist.canonicalize().with_context(|| format!("{} is missing; run: make dist", dist.display()))?;
    ensure!(dist.join("bin/coved").is_file(), "{} has no bin/coved; run: make dist", dist.display());
    Ok(dist)
}

impl World {
    /// A home in which nothing runs yet.
    ///
    /// # Errors
    /// If there is no dist tree or no folder can be made.
    pub fn empty() -> Result<Self> {
        // Directly below /tmp: the paths of sockets are limited.
        let folder = tempfile::Builder::new().prefix("cove").tempdir_in("/tmp")?;
        let home = folder.path().join("h");
        Ok(Self {
            dist: dist()?,
            folder: Some(folder),
            home,
            variables: Vec::new(),
            use_of: RwLock::new(()),
            doubtful: AtomicBool::new(false),
            dockerd: env::var_os("COVE_TEST_DOCKERD").map(PathBuf::from),
        })
    }

    /// Whether Cove is behind the `docker` command, and not a dockerd.
    #[must_use]
    pub fn is_cove(&self) -> bool {
        self.dockerd.is_none()
    }

    /// Ends a test that cannot be asked of dockerd.
    pub fn only_cove(&self) {
        if self.dockerd.is_some() {
            std::panic::resume_unwind(Box::new(OnlyCove));
        }
    }

    /// Sets an environment variable for every command of this world, the daemon among them.
    #[must_use]
    pub fn with(mut self, name: &str, value: &str) -> Self {
        self.variables.push((name.to_owned(), value.to_owned()));
        self
    }

    /// A world whose machine runs and has the image [`image::BUSYBOX`].
    ///
    /// # Errors
    /// With what the daemon and the console said, if it does not come up.
    pub fn running() -> Result<Self> {
        let world = Self::empty()?;
        if world.dockerd.is_none() {
            world.cove(&["start", "--docker-context=no"]).and_then(Done::ok).with_context(|| world.words())?;
        }
        let root = image::root_tar(&[])?;
        let config = serde_json::json!({ "Cmd": ["sh"], "Env": ["PATH=/bin"] });
        let archive = image::docker_archive(image::BUSYBOX, &root, config)?;
        world.docker_with(&["load"], &archive).and_then(Done::ok).with_context(|| world.words())?;
        Ok(world)
    }

    /// Whether the files of cgroups are those of version 2; a dockerd's host may have the first.
    ///
    /// # Errors
    /// If nobody says which it has.
    pub fn has_cgroup_v2(&self) -> Result<bool> {
        Ok(self.dockerd.is_none() || self.says(&["info", "--format", "{{.CgroupVersion}}"])? == "2")
    }

    /// Ends a test about what only cgroup v2 has where a dockerd's host has the first version.
    ///
    /// # Errors
    /// As [`Self::has_cgroup_v2`].
    pub fn needs_cgroup_v2(&self) -> Result<()> {
        if !self.has_cgroup_v2()? {
            self.only_cove();
        }
        Ok(())
    }

    /// For tests that leave the machine and the daemon alone; many at a time.
    pub fn shared(&self) -> RwLockReadGuard<'_, ()> {
        let guard = waiting(|| self.use_of.read().unwrap_or_else(PoisonError::into_inner));
        self.mend();
        guard
    }

    /// For tests that stop or kill the machine or the daemon; one at a time, and nothing beside it.
    pub fn alone(&self) -> RwLockWriteGuard<'_, ()> {
        self.only_cove();
        let guard = waiting(|| self.use_of.write().unwrap_or_else(PoisonError::into_inner));
        self.mend();
        guard
    }

    /// Says that a test has failed: it may have left the machine or the daemon down.
    pub fn doubt(&self) {
        self.doubtful.store(true, Ordering::Relaxed);
    }

    /// Starts what a failed test left down, so that each test fails for reasons of its own.
    fn mend(&self) {
        if self.dockerd.is_none()
            && self.doubtful.swap(false, Ordering::Relaxed)
            && let Err(error) = self.cove(&["start", "--docker-context=no"]).and_then(Done::ok)
        {
            eprintln_of_tests(&format!("{error:#}"));
        }
    }

    /// The folder of this Cove.
    #[must_use]
    pub fn home(&self) -> &Path {
        self.only_cove();
        &self.home
    }

    /// A folder for files of a test, beside the home.
    ///
    /// # Errors
    /// If it cannot be made.
    pub fn scratch(&self) -> Result<tempfile::TempDir> {
        let parent = self.home.parent().context("a home has a parent")?;
        Ok(tempfile::tempdir_in(parent)?)
    }

    /// A socket of the daemon: "engine", "docker".
    #[must_use]
    pub fn socket(&self, name: &str) -> PathBuf {
        if let (Some(dockerd), "docker") = (&self.dockerd, name) {
            return dockerd.clone();
        }
        self.only_cove();
        self.home.join("run").join(format!("{name}.sock"))
    }

    /// A command that finds this world and none of the user's settings.
    pub fn command(&self, program: impl AsRef<std::ffi::OsStr>) -> Command {
        let mut command = Command::new(program);
        command
            .env("COVE_HOME", &self.home)
            .env("DOCKER_HOST", format!("unix://{}", self.socket("docker").display()))
            .env("DOCKER_CONFIG", self.home.with_file_name("docker"))
            .env_remove("DOCKER_CONTEXT")
            .env_remove("DOCKER_API_VERSION")
            .env("NO_COLOR", "1")
            .envs(self.variables.iter().map(|(name, value)| (name, value)));
        command
    }

    /// `cove` with arguments, not started.
    #[must_use]
    pub fn cove_command(&self, arguments: &[&str]) -> Command {
        self.only_cove();
        let mut command = self.command(self.dist.join("bin/cove"));
        command.args(arguments);
        command
    }

    /// `docker` with arguments, not started.
    #[must_use]
    pub fn docker_command(&self, arguments: &[&str]) -> Command {
        let mut command = self.command("docker");
        command.args(arguments);
        command
    }

    /// Runs `cove`.
    ///
    /// # Errors
    /// If it cannot be started or does not end.
    pub fn cove(&self, arguments: &[&str]) -> Result<Done> {
        command::run(self.cove_command(arguments), &[])
    }

    /// Runs `docker`.
    ///
    /// # Errors
    /// If it cannot be started or does not end.
    pub fn docker(&self, arguments: &[&str]) -> Result<Done> {
        self.docker_with(arguments, &[])
    }

    /// Runs `docker` with this standard input.
    ///
    /// # Errors
    /// If it cannot be started or does not end.
    pub fn docker_with(&self, arguments: &[&str], input: &[u8]) -> Result<Done> {
        command::run(self.docker_command(arguments), input)
    }

    /// Runs `docker`, demands success and gives its standard output back.
    ///
    /// # Errors
    /// If it fails.
    pub fn says(&self, arguments: &[&str]) -> Result<String> {
        Ok(self.docker(arguments)?.ok()?.stdout)
    }

    /// A connection to Docker's API, for what is asked so often that a command for each would take too long.
    ///
    /// # Errors
    /// If nobody listens.
    pub fn api(&self) -> Result<Connection<UnixStream>> {
        let stream = UnixStream::connect(self.socket("docker"))?;
        stream.set_read_timeout(Some(command::DEADLINE))?;
        Ok(Connection::new(stream))
    }

    /// Waits until a container has written a line with this text.
    ///
    /// # Errors
    /// If it ends before that.
    pub fn log_line(&self, container: &str, text: &str) -> Result<String> {
        Watched::start(self.docker_command(&["logs", "-f", container]))?.line(text)
    }

    /// What the daemon and the console said last, for when something has gone wrong.
    #[must_use]
    pub fn words(&self) -> String {
        let mut words = String::new();
        if self.dockerd.is_some() {
            return words;
        }
        for (what, path) in [("coved", "log/coved.log"), ("console", "machine/console.log")] {
            let text = fs::read(self.home.join(path)).unwrap_or_default();
            let text = String::from_utf8_lossy(&text).into_owned();
            let lines: Vec<&str> = text.lines().collect();
            let tail = &lines[lines.len().saturating_sub(40)..];
            words.push_str(&format!("── the end of {what}'s words\n{}\n", tail.join("\n")));
        }
        words
    }
}

impl Drop for World {
    fn drop(&mut self) {
        if self.dockerd.is_some() {
            return;
        }
        let stopped = self.cove(&["stop", "--daemon", "--quiet", "--time", "5"]).and_then(Done::ok);
        if let Err(error) = stopped {
            eprintln_of_tests(&format!("{error:#}\n{}", self.words()));
        }
        if env::var_os("COVE_TEST_KEEP").is_some()
            && let Some(folder) = self.folder.take()
        {
            eprintln_of_tests(&format!("kept: {}", folder.keep().display()));
        }
    }
}

#[expect(clippy::print_stderr, reason = "a test's way to tell what happened while it cleaned up")]
fn eprintln_of_tests(text: &str) {
    eprintln!("{text}");
}
