//! Programs and images that a test makes up, behind the seams of [`super::program`].

use std::{
    collections::{BTreeMap, HashMap},
    error::Error,
    io::{self, PipeReader, PipeWriter, Read, Write},
    os::fd::{BorrowedFd, OwnedFd},
    path::PathBuf,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicU32, Ordering},
    },
};

use futures::future::{BoxFuture, FutureExt};
use tokio::sync::watch;

use super::{
    Containers, Ground, database_path,
    program::{ImageSource, Launcher, Program},
};
use crate::{
    cgroups::update::Change,
    clock,
    events::Events,
    images::{CommitRequest, HeldImage, ImageConfig, ImagesError},
    logs::Stream,
    networks::Networks,
    processes::{
        LaunchError, SignalError,
        launch::{ContainerLaunch, ExecLaunch, ExitStatus, ProcessSpec, StdioSpec},
    },
    state::Database,
    user_namespaces::Made,
    volumes::Volumes,
};

/// The one image that there is.
pub(crate) const IMAGE: &str = "busybox";

/// Starts programs that do what the test says.
#[derive(Default)]
pub(crate) struct FakeLauncher {
    programs: Mutex<BTreeMap<String, Arc<FakeProgram>>>,
    launches: Mutex<Vec<ProcessSpec>>,
    containers: Mutex<Vec<ContainerLaunch>>,
    /// What images have; nothing when there is no such folder.
    pub(crate) files: Mutex<Option<Arc<tempfile::TempDir>>>,
    /// What the next start fails with.
    pub(crate) refusal: Mutex<Option<LaunchError>>,
    /// Whether programs ignore SIGTERM.
    pub(crate) stubborn: AtomicBool,
}

impl FakeLauncher {
    /// The program that was started last for this id.
    pub(crate) fn program(&self, id: &str) -> Arc<FakeProgram> {
        Arc::clone(&self.programs.lock().unwrap()[id])
    }

    pub(crate) fn last_launch(&self) -> ProcessSpec {
        self.launches.lock().unwrap().last().unwrap().clone()
    }

    /// The container that was started last.
    pub(crate) fn last_container(&self) -> ContainerLaunch {
        self.containers.lock().unwrap().last().unwrap().clone()
    }

    fn launch(&self, id: &str, process: ProcessSpec) -> Result<Arc<dyn Program>, LaunchError> {
        if let Some(error) = self.refusal.lock().unwrap().take() {
            return Err(error);
        }
        let program = Arc::new(FakeProgram::new(process.stdio, self.stubborn.load(Ordering::SeqCst)));
        self.launches.lock().unwrap().push(process);
        self.programs.lock().unwrap().insert(id.to_owned(), Arc::clone(&program));
        Ok(program)
    }
}

impl Launcher for FakeLauncher {
    fn start_container(&self, launch: ContainerLaunch) -> BoxFuture<'_, Result<Arc<dyn Program>, LaunchError>> {
        let launched = self.launch(&launch.id, launch.process.clone());
        self.containers.lock().unwrap().push(launch);
        async move { launched }.boxed()
    }

    fn open_layers(&self, _: &[PathBuf]) -> Result<OwnedFd, LaunchError> {
        let none = Arc::new(tempfile::tempdir().unwrap());
        let files = self.files.lock().unwrap().clone().unwrap_or(none);
        Ok(std::fs::File::open(files.path()).unwrap().into())
    }

    fn make_user_namespace(&self) -> io::Result<Made> {
        let open = |name| std::fs::File::open(format!("/proc/self/ns/{name}")).map(OwnedFd::from);
        Ok(Made { user: open("user")?, network: open("net")? })
    }

    fn make_network_namespace(&self, _: BorrowedFd<'_>) -> io::Result<OwnedFd> {
        Ok(std::fs::File::open("/proc/self/ns/net")?.into())
    }

    fn start_exec(&self, launch: ExecLaunch) -> BoxFuture<'_, Result<Arc<dyn Program>, LaunchError>> {
        let launched = self.launch(&launch.id, launch.process);
        async move { launched }.boxed()
    }
}

/// A program whose ends the test holds.
#[derive(Debug)]
pub(crate) struct FakeProgram {
    pid: u32,
    started_at: i64,
    stubborn: bool,
    end: watch::Sender<Option<ExitStatus>>,
    outputs: Vec<(Stream, Arc<OwnedFd>)>,
    input: Mutex<Option<Arc<OwnedFd>>>,
    theirs: Mutex<Theirs>,
    pub(crate) signals: Mutex<Vec<i32>>,
    pub(crate) released: AtomicBool,
    pub(crate) oom: AtomicBool,
    pub(crate) oom_kills: watch::Sender<u64>,
    pub(crate) frozen: AtomicBool,
    pub(crate) changes: Mutex<Vec<Change>>,
    pub(crate) refuses_limits: AtomicBool,
    /// What stands for its user namespace, if it has one.
    pub(crate) remapped: Mutex<Option<PathBuf>>,
}

/// The program's ends of its pipes.
#[derive(Debug)]
struct Theirs {
    stdin: Option<PipeReader>,
    stdout: Option<PipeWriter>,
    stderr: Option<PipeWriter>,
}

impl FakeProgram {
    pub(crate) fn new(stdio: StdioSpec, stubborn: bool) -> Self {
        static PIDS: AtomicU32 = AtomicU32::new(100);
        let (wants_input, has_stderr) = match stdio {
            StdioSpec::Terminal { .. } => (true, false),
            StdioSpec::Pipes { stdin, stderr, .. } => (stdin, stderr),
        };
        let (stdin, input) = io::pipe().unwrap();
        let (out, stdout) = io::pipe().unwrap();
        let (err, stderr) = io::pipe().unwrap();
        let mut outputs = vec![(Stream::Stdout, Arc::new(OwnedFd::from(out)))];
        if has_stderr {
            outputs.push((Stream::Stderr, Arc::new(OwnedFd::from(err))));
        }
        Self {
            pid: PIDS.fetch_add(1, Ordering::SeqCst),
            started_at: clock::now_nanos(),
            stubborn,
            end: watch::Sender::new(None),
            outputs,
            input: Mutex::new(wants_input.then(|| Arc::new(OwnedFd::from(input)))),
            theirs: Mutex::new(Theirs { stdin: Some(stdin), stdout: Some(stdout), stderr: Some(stderr) }),
            signals: Mutex::default(),
            released: AtomicBool::new(false),
            oom: AtomicBool::new(false),
            oom_kills: watch::Sender::new(0),
            frozen: AtomicBool::new(false),
            changes: Mutex::default(),
            refuses_limits: AtomicBool::new(false),
            remapped: Mutex::default(),
        }
    }

    pub(crate) fn says(&self, text: impl AsRef<[u8]>) {
        self.theirs.lock().unwrap().stdout.as_mut().unwrap().write_all(text.as_ref()).unwrap();
    }

    pub(crate) fn complains(&self, text: impl AsRef<[u8]>) {
        self.theirs.lock().unwrap().stderr.as_mut().unwrap().write_all(text.as_ref()).unwrap();
    }

    /// Its end of its standard input.
    pub(crate) fn stdin(&self) -> PipeReader {
        self.theirs.lock().unwrap().stdin.take().unwrap()
    }

    /// Its end of its standard output, to write from another thread.
    pub(crate) fn stdout(&self) -> PipeWriter {
        self.theirs.lock().unwrap().stdout.take().unwrap()
    }

    pub(crate) fn exits(&self, code: i32) {
        *self.theirs.lock().unwrap() = Theirs { stdin: None, stdout: None, stderr: None };
        self.end.send_if_modified(|end| {
            let first = end.is_none();
            end.get_or_insert(ExitStatus { code, finished_at_nanos: clock::now_nanos() });
            first
        });
    }
}

impl Program for FakeProgram {
    fn pid(&self) -> u32 {
        self.pid
    }

    fn user_namespace(&self) -> io::Result<Option<OwnedFd>> {
        let path = self.remapped.lock().unwrap().clone();
        path.map(|path| std::fs::File::open(path).map(OwnedFd::from)).transpose()
    }

    fn started_at_nanos(&self) -> i64 {
        self.started_at
    }

    fn outputs(&self) -> Vec<(Stream, Arc<OwnedFd>)> {
        self.outputs.clone()
    }

    fn input(&self) -> Option<Arc<OwnedFd>> {
        self.input.lock().unwrap().clone()
    }

    fn close_input(&self) -> BoxFuture<'_, ()> {
        drop(self.input.lock().unwrap().take());
        async {}.boxed()
    }

    fn resize(&self, _: u16, _: u16) -> io::Result<()> {
        Err(io::Error::from_raw_os_error(libc::ENOTTY))
    }

    fn wait(&self) -> BoxFuture<'_, ExitStatus> {
        let mut end = self.end.subscribe();
        async move { end.wait_for(Option::is_some).await.unwrap().unwrap() }.boxed()
    }

    fn exited(&self) -> Option<ExitStatus> {
        *self.end.borrow()
    }

    fn signal(&self, signal: i32) -> Result<(), SignalError> {
        if self.exited().is_some() {
            return Err(SignalError::Ended);
        }
        self.signals.lock().unwrap().push(signal);
        if signal == libc::SIGKILL || (signal == libc::SIGTERM && !self.stubborn) {
            self.exits(128 + signal);
        }
        Ok(())
    }

    fn kill_all(&self) {
        self.exits(128 + libc::SIGKILL);
    }

    fn kill_session(&self) {
        self.exits(128 + libc::SIGKILL);
    }

    fn freeze(&self, freeze: bool) -> BoxFuture<'_, Result<(), Box<dyn Error + Send + Sync>>> {
        self.frozen.store(freeze, Ordering::SeqCst);
        async { Ok(()) }.boxed()
    }

    fn is_frozen(&self) -> bool {
        self.frozen.load(Ordering::SeqCst)
    }

    fn limit(&self, change: Change) -> BoxFuture<'_, Result<(), Box<dyn Error + Send + Sync>>> {
        self.changes.lock().unwrap().push(change);
        let refused = self.refuses_limits.load(Ordering::SeqCst);
        async move { if refused { Err("device or resource busy".into()) } else { Ok(()) } }.boxed()
    }

    fn release(&self) -> BoxFuture<'_, Result<(), Box<dyn Error + Send + Sync>>> {
        self.released.store(true, Ordering::SeqCst);
        async { Ok(()) }.boxed()
    }

    fn oom_killed(&self) -> bool {
        self.oom.load(Ordering::SeqCst)
    }

    fn oom_kills_beyond(&self, known: u64) -> BoxFuture<'_, Option<u64>> {
        let mut kills = self.oom_kills.subscribe();
        async move { kills.wait_for(|kills| *kills > known).await.ok().map(|kills| *kills) }.boxed()
    }
}

/// One image, and who keeps it.
#[derive(Default)]
pub(crate) struct FakeImages {
    pub(crate) holds: Mutex<Vec<String>>,
}

impl FakeImages {
    fn image() -> HeldImage {
        let words = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect();
        let config = ImageConfig {
            cmd: Some(words(&["sh"])),
            env: words(&["PATH=/bin"]),
            labels: [("from".to_owned(), "image".to_owned())].into(),
            ..ImageConfig::default()
        };
        HeldImage { id: "sha256:b5".to_owned(), config, layers: vec!["/layers/1".into()] }
    }
}

impl ImageSource for FakeImages {
    fn hold(&self, image: &str, container_id: &str) -> Result<HeldImage, ImagesError> {
        if image != IMAGE {
            return Err(ImagesError::NotFound(format!("{image}:latest")));
        }
        self.holds.lock().unwrap().push(container_id.to_owned());
        Ok(Self::image())
    }

    fn held(&self, container_id: &str) -> Result<HeldImage, ImagesError> {
        let held = self.holds.lock().unwrap().iter().any(|id| id == container_id);
        if held { Ok(Self::image()) } else { Err(ImagesError::NotFound(container_id.to_owned())) }
    }

    fn release(&self, container_id: &str) -> Result<(), ImagesError> {
        self.holds.lock().unwrap().retain(|id| id != container_id);
        Ok(())
    }

    fn retain(&self, exists: &dyn Fn(&str) -> bool) -> Result<(), ImagesError> {
        self.holds.lock().unwrap().retain(|id| exists(id));
        Ok(())
    }

    fn commit(&self, _: &CommitRequest, _: Option<Box<dyn Read + Send>>) -> Result<String, ImagesError> {
        Ok("sha256:c0".to_owned())
    }

    fn set_running(&self, _: &str, _: bool) {}

    fn find(&self, image: &str) -> Result<(String, u64), ImagesError> {
        let known = [IMAGE, "sha256:b5"].contains(&image);
        if known { Ok((Self::image().id, 1000)) } else { Err(ImagesError::NotFound(image.to_owned())) }
    }
}

/// An engine in a folder that goes with the test.
pub(crate) struct World {
    pub(crate) containers: Containers,
    pub(crate) launcher: Arc<FakeLauncher>,
    pub(crate) images: Arc<FakeImages>,
    pub(crate) volumes: Volumes,
    pub(crate) events: Events,
    pub(crate) folder: Arc<tempfile::TempDir>,
}

impl World {
    pub(crate) async fn new() -> Self {
        let folder = Arc::new(tempfile::tempdir().unwrap());
        Self::open(folder, Arc::default(), Arc::default(), "boot 1", HashMap::new()).await
    }

    pub(crate) async fn open(
        folder: Arc<tempfile::TempDir>,
        launcher: Arc<FakeLauncher>,
        images: Arc<FakeImages>,
        boot: &str,
        held: HashMap<String, Arc<dyn Program>>,
    ) -> Self {
        let database = Database::open(&database_path(folder.path())).unwrap();
        let events = Events::default();
        let volumes = Volumes::open(folder.path(), &database, events.clone()).unwrap();
        let running = held.keys().map(|id| (id.clone(), 0)).collect();
        let notes = folder.path().join("networks");
        let networks = Networks::of_paper(&database, &notes, &running, events.clone()).unwrap();
        let ground = Ground {
            root: folder.path().to_owned(),
            database: database.clone(),
            images: images.clone(),
            volumes: volumes.clone(),
            networks,
            shares: crate::shares::Shares::of_paper(&folder.path().join("shares")),
            launcher: launcher.clone(),
            boot: boot.to_owned(),
            user_namespaces: false,
            cpus: 2,
            events: events.clone(),
        };
        let containers = Containers::open(ground, held).await.unwrap();
        Self { containers, launcher, images, volumes, events, folder }
    }
}
