//! Windows.

use std::{
    io,
    process::{Command, Stdio},
    time::Duration,
};

use crate::terminal::size;

/// How often the size is looked at: the console tells of changes only among the keys, which belong to the container.
const LOOK: Duration = Duration::from_millis(250);

/// Since Windows 10; asking switches it on.
pub(crate) fn understands_escapes() -> bool {
    crossterm::ansi_support::supports_ansi()
}

/// Changes of the terminal's size.
#[derive(Debug)]
pub(crate) struct Resizes(Option<cove_proto::v1::TerminalSize>);

impl Resizes {
    /// Looks out from now on.
    #[expect(clippy::unnecessary_wraps, reason = "fails on the other systems")]
    pub(crate) fn watch() -> io::Result<Self> {
        Ok(Self(size()))
    }

    /// Waits for the next.
    pub(crate) async fn next(&mut self) {
        loop {
            tokio::time::sleep(LOOK).await;
            let now = size();
            if now != self.0 {
                self.0 = now;
                return;
            }
        }
    }
}

/// Signals that a program in the foreground passes on to its container.
#[derive(Debug)]
pub(crate) struct Signals(tokio::signal::windows::CtrlC);

impl Signals {
    /// Takes them from now on; they no longer end this program.
    pub(crate) fn take() -> io::Result<Self> {
        tokio::signal::windows::ctrl_c().map(Self)
    }

    /// Waits for the next and names it.
    pub(crate) async fn next(&mut self) -> &'static str {
        self.0.recv().await;
        "SIGINT"
    }
}

/// Ends a process of this user. A detached process has no console through which it could be asked; its machine is
/// stopped by then.
pub(crate) fn end_process(pid: u32) -> io::Result<()> {
    // It says on standard output that it was successful.
    let status = Command::new("taskkill").args(["/F", "/PID", &pid.to_string()]).stdout(Stdio::null()).status()?;
    if status.success() { Ok(()) } else { Err(io::Error::other(format!("taskkill: {status}"))) }
}
