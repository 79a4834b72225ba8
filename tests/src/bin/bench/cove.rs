//! coved with a home of its own, from its first start to its end.

use std::{
    fs::{self, File},
    os::unix::net::UnixStream,
    path::PathBuf,
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, bail};
use tempfile::TempDir;

use crate::{Arguments, docker::Docker};

const PATIENCE: Duration = Duration::from_secs(60);

/// A running daemon. Ends with its machine and its home when dropped.
pub(crate) struct Cove {
    daemon: Child,
    program: PathBuf,
    /// Holds the home, which the daemon makes itself and keeps closed, and its log.
    dir: TempDir,
}

impl Cove {
    /// Starts the daemon; its machine does not run yet.
    pub(crate) fn start(arguments: &Arguments) -> Result<Self> {
        // Socket paths are limited, so the home is not below the build's folders.
        let dir = tempfile::Builder::new().prefix("cove-bench").tempdir().context("make a folder")?;
        let log = File::create(dir.path().join("coved.log")).context("make a log")?;
        let program = arguments.dist.join("bin/coved");
        let daemon = Command::new(&program)
            .env("COVE_HOME", dir.path().join("home"))
            .stdin(Stdio::null())
            .stdout(log.try_clone().context("share the log")?)
            .stderr(log)
            .spawn()
            .with_context(|| format!("start {}", program.display()))?;
        let mut cove = Self { daemon, program: arguments.dist.join("bin/cove"), dir };
        let deadline = Instant::now() + PATIENCE;
        while cove.docker().and_then(|mut docker| docker.ping()).is_err() {
            if let Some(status) = cove.daemon.try_wait()? {
                bail!("coved has ended with {status}: {}", cove.log());
            }
            if Instant::now() > deadline {
                bail!("coved does not answer: {}", cove.log());
            }
            thread::sleep(Duration::from_millis(10));
        }
        Ok(cove)
    }

    /// A connection to the Docker API.
    pub(crate) fn docker(&self) -> Result<Docker> {
        let path = self.home().join("run/docker.sock");
        Docker::new(UnixStream::connect(&path).with_context(|| format!("connect to {}", path.display()))?)
    }

    /// Stops the machine; the daemon stays, and the next call boots it again.
    pub(crate) fn stop_machine(&self) -> Result<()> {
        let status = Command::new(&self.program).args(["stop", "--quiet"]).env("COVE_HOME", self.home()).status();
        if !status.with_context(|| format!("run {}", self.program.display()))?.success() {
            bail!("cove stop failed: {}", self.log());
        }
        Ok(())
    }

    /// Resident memory of the daemon in bytes.
    pub(crate) fn daemon_resident_bytes(&self) -> Result<u64> {
        let path = format!("/proc/{}/status", self.daemon.id());
        let text = fs::read_to_string(&path).with_context(|| format!("read {path}"))?;
        let line = text.lines().find_map(|line| line.strip_prefix("VmRSS:")).context("no VmRSS")?;
        let kibibytes: u64 = line.trim().trim_end_matches("kB").trim().parse().context("bad VmRSS")?;
        Ok(kibibytes * 1024)
    }

    fn home(&self) -> PathBuf {
        self.dir.path().join("home")
    }

    fn log(&self) -> String {
        fs::read_to_string(self.dir.path().join("coved.log")).unwrap_or_else(|error| format!("(no log: {error})"))
    }
}

impl Drop for Cove {
    fn drop(&mut self) {
        // Each step goes as far as it can; what matters is that no machine is left.
        let stop = ["stop", "--daemon", "--quiet"];
        let _ = Command::new(&self.program).args(stop).env("COVE_HOME", self.home()).status();
        let deadline = Instant::now() + PATIENCE;
        while Instant::now() < deadline && matches!(self.daemon.try_wait(), Ok(None)) {
            thread::sleep(Duration::from_millis(20));
        }
        let _ = self.daemon.kill();
        let _ = self.daemon.wait();
    }
}
