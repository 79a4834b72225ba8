//! macOS and Linux.

use std::io;

use tokio::signal::unix::{Signal, SignalKind, signal};

/// Every terminal worth the name does.
pub(crate) fn understands_escapes() -> bool {
    true
}

/// Changes of the terminal's size.
#[derive(Debug)]
pub(crate) struct Resizes(Signal);

impl Resizes {
    /// Looks out from now on.
    pub(crate) fn watch() -> io::Result<Self> {
        signal(SignalKind::window_change()).map(Self)
    }

    /// Waits for the next.
    pub(crate) async fn next(&mut self) {
        self.0.recv().await;
    }
}

/// Signals that a program in the foreground passes on to its container.
#[derive(Debug)]
pub(crate) struct Signals {
    listened: Vec<(&'static str, Signal)>,
}

impl Signals {
    /// Takes them from now on; they no longer end this program.
    pub(crate) fn take() -> io::Result<Self> {
        let kinds = [
            ("SIGINT", SignalKind::interrupt()),
            ("SIGTERM", SignalKind::terminate()),
            ("SIGHUP", SignalKind::hangup()),
            ("SIGQUIT", SignalKind::quit()),
            ("SIGUSR1", SignalKind::user_defined1()),
            ("SIGUSR2", SignalKind::user_defined2()),
        ];
        let listened = kinds.into_iter().map(|(name, kind)| Ok((name, signal(kind)?))).collect::<io::Result<_>>()?;
        Ok(Self { listened })
    }

    /// Waits for the next and names it.
    pub(crate) async fn next(&mut self) -> &'static str {
        std::future::poll_fn(|context| {
            for (name, signal) in &mut self.listened {
                if signal.poll_recv(context).is_ready() {
                    return std::task::Poll::Ready(*name);
                }
            }
            std::task::Poll::Pending
        })
        .await
    }
}

/// Asks a process of this user to end.
pub(crate) fn end_process(pid: u32) -> io::Result<()> {
    let pid = i32::try_from(pid).ok().and_then(rustix::process::Pid::from_raw);
    let pid = pid.ok_or_else(|| io::Error::other("the daemon did not say its process id"))?;
    rustix::process::kill_process(pid, rustix::process::Signal::TERM).map_err(io::Error::from)
}
