//! A client's command: run to its end, or watched while it runs. Every wait has a deadline, so that a test that waits
//! for something that never comes says what it waited for.

use std::{
    ffi::OsStr,
    io::{BufRead as _, BufReader, Write as _},
    os::fd::OwnedFd,
    process::{Child, Command, ExitStatus, Stdio},
    sync::mpsc,
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, bail, ensure};
use rustix::{
    event::{PollFd, PollFlags},
    process::{Pid, PidfdFlags},
};

/// The longest that anything here may take: the machine runs under software emulation on a busy computer.
pub const DEADLINE: Duration = Duration::from_secs(120);

/// What a command left behind.
#[derive(Debug)]
pub struct Done {
    what: String,
    status: ExitStatus,
    /// Standard output as it is.
    pub bytes: Vec<u8>,
    /// Standard output as text, without the line feed at its end.
    pub stdout: String,
    /// Standard error as text, without the line feed at its end.
    pub stderr: String,
}

impl Done {
    /// The exit code; -1 when a signal ended it.
    #[must_use]
    pub fn code(&self) -> i32 {
        self.status.code().unwrap_or(-1)
    }

    /// Demands an exit code.
    ///
    /// # Errors
    /// With all that the command said.
    pub fn exits(self, code: i32) -> Result<Self> {
        ensure!(self.code() == code, "expected exit code {code}:\n{self}");
        Ok(self)
    }

    /// Demands success.
    ///
    /// # Errors
    /// With all that the command said.
    pub fn ok(self) -> Result<Self> {
        self.exits(0)
    }

    /// Demands that standard error has this text.
    ///
    /// # Errors
    /// With all that the command said.
    pub fn complains(self, text: &str) -> Result<Self> {
        ensure!(self.stderr.contains(text), "expected on standard error: {text}\n{self}");
        Ok(self)
    }

    /// Standard output as JSON.
    ///
    /// # Errors
    /// If it is none.
    pub fn json(&self) -> Result<serde_json::Value> {
        serde_json::from_str(&self.stdout).with_context(|| format!("not JSON:\n{self}"))
    }
}

impl std::fmt::Display for Done {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let text: String = self.stdout.chars().take(4000).collect();
        write!(f, "$ {}\n{}\nstdout: {text}\nstderr: {}", self.what, self.status, self.stderr)
    }
}

/// Shows a command as one would type it.
#[must_use]
pub fn shown(command: &Command) -> String {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    words.map(OsStr::to_string_lossy).collect::<Vec<_>>().join(" ")
}

/// Runs a command to its end, with `input` as its standard input.
///
/// # Errors
/// If it cannot be started or takes longer than [`DEADLINE`].
pub fn run(command: Command, input: &[u8]) -> Result<Done> {
    run_within(DEADLINE, command, input)
}

/// The same for what takes longer than a command should.
///
/// # Errors
/// If it cannot be started or takes longer than that.
pub fn run_within(deadline: Duration, mut command: Command, input: &[u8]) -> Result<Done> {
    let what = shown(&command);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().with_context(|| format!("start {what}"))?;
    let mut stdin = child.stdin.take().context("no pipe")?;
    let pid = child.id();
    let input = input.to_vec();
    // A program that reads no input closes the pipe; that is its right.
    let writing = thread::spawn(move || stdin.write_all(&input));
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || sender.send(child.wait_with_output()));
    let Ok(output) = receiver.recv_timeout(deadline) else {
        kill(pid);
        bail!("not done after {} s: {what}", deadline.as_secs());
    };
    let output = output.with_context(|| format!("wait for {what}"))?;
    drop(writing.join());
    Ok(Done {
        what,
        status: output.status,
        stdout: text(&output.stdout),
        stderr: text(&output.stderr),
        bytes: output.stdout,
    })
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).trim_end_matches('\n').to_owned()
}

/// Sends SIGKILL.
pub fn kill(pid: u32) {
    if let Ok(pid) = i32::try_from(pid) {
        // It may have ended meanwhile.
        let _ = nix::sys::signal::kill(nix::unistd::Pid::from_raw(pid), nix::sys::signal::Signal::SIGKILL);
    }
}

/// A process that is not ours, held so that its number cannot be given to another.
#[derive(Debug)]
pub struct Stranger(OwnedFd);

impl Stranger {
    /// Takes hold of a process.
    ///
    /// # Errors
    /// If there is none with this id.
    pub fn hold(pid: u32) -> Result<Self> {
        let known = i32::try_from(pid).ok().and_then(Pid::from_raw).context("no process id")?;
        let held = rustix::process::pidfd_open(known, PidfdFlags::empty());
        Ok(Self(held.with_context(|| format!("process {pid}"))?))
    }

    /// Waits for its end.
    ///
    /// # Errors
    /// If it goes on beyond [`DEADLINE`].
    pub fn ends(&self) -> Result<()> {
        let mut wait = [PollFd::new(&self.0, PollFlags::IN)];
        let deadline = rustix::event::Timespec { tv_sec: i64::try_from(DEADLINE.as_secs())?, tv_nsec: 0 };
        ensure!(rustix::event::poll(&mut wait, Some(&deadline))? == 1, "the process goes on");
        Ok(())
    }
}

/// A command that runs, line by line. It is killed when this is dropped.
#[derive(Debug)]
pub struct Watched {
    what: String,
    child: Child,
    lines: mpsc::Receiver<String>,
    seen: Vec<String>,
}

impl Watched {
    /// Starts it; its standard output and error are read as lines, in the order in which they come.
    ///
    /// # Errors
    /// If it cannot be started.
    pub fn start(mut command: Command) -> Result<Self> {
        let what = shown(&command);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().with_context(|| format!("start {what}"))?;
        let (sender, lines) = mpsc::channel();
        let (out, err) = (child.stdout.take().context("no pipe")?, child.stderr.take().context("no pipe")?);
        let errors = sender.clone();
        thread::spawn(move || BufReader::new(out).lines().map_while(Result::ok).try_for_each(|line| sender.send(line)));
        thread::spawn(move || BufReader::new(err).lines().map_while(Result::ok).try_for_each(|line| errors.send(line)));
        Ok(Self { what, child, lines, seen: Vec::new() })
    }

    /// Waits for a line that contains `text`, and gives it back.
    ///
    /// # Errors
    /// If it does not come before the end of the command or [`DEADLINE`].
    pub fn line(&mut self, text: &str) -> Result<String> {
        let until = Instant::now() + DEADLINE;
        loop {
            match self.lines.recv_timeout(until.saturating_duration_since(Instant::now())) {
                Ok(line) if line.contains(text) => return Ok(line),
                Ok(line) => self.seen.push(line),
                Err(error) => bail!("{error}: no line with {text:?} from: {}\nbut {:#?}", self.what, self.seen),
            }
        }
    }

    /// Lines that have come so far, but for those that were waited for.
    pub fn lines(&mut self) -> &[String] {
        self.seen.extend(self.lines.try_iter());
        &self.seen
    }

    /// Whether a line with `text` has come so far.
    pub fn has(&mut self, text: &str) -> bool {
        self.lines().iter().any(|line| line.contains(text))
    }

    /// Waits for its end and gives back the lines that nobody waited for, those passed over among them.
    ///
    /// # Errors
    /// If it takes longer than [`DEADLINE`].
    pub fn end(mut self) -> Result<(i32, Vec<String>)> {
        let until = Instant::now() + DEADLINE;
        loop {
            match self.lines.recv_timeout(until.saturating_duration_since(Instant::now())) {
                Ok(line) => self.seen.push(line),
                Err(mpsc::RecvTimeoutError::Disconnected) => break,
                Err(mpsc::RecvTimeoutError::Timeout) => bail!("not done: {}\n{:#?}", self.what, self.seen),
            }
        }
        let status = self.child.wait()?;
        Ok((status.code().unwrap_or(-1), std::mem::take(&mut self.seen)))
    }

    /// Process id.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.child.id()
    }
}

impl Drop for Watched {
    fn drop(&mut self) {
        // It may have ended meanwhile.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
