//! A running machine and the task that owns its processes.

use std::{path::PathBuf, sync::Arc, time::Duration};

use cove_machine::{
    console::{self, Sign, Sink},
    hypervisor::{BoxFuture, Connection, HypervisorError, Platform, Vm, VmState},
    lifecycle,
};
use tokio::{
    process::ChildStdout,
    sync::{Notify, watch},
    task::JoinHandle,
    time::timeout,
};

use crate::{
    children::Process,
    exit::{Seen, classify},
    monitor::{Event, Monitor},
    vsock::Dialler,
};

/// How long QEMU may take to end by itself after vhost-device-vsock has, and its pipes after it.
const AFTERMATH: Duration = Duration::from_secs(2);

/// The handle. The machine lives as long as the task, not as long as the handle.
pub(crate) struct QemuVm {
    state: watch::Receiver<VmState>,
    platform: Platform,
    dialler: Dialler,
    killed: Arc<Notify>,
}

/// All that belongs to a machine.
pub(crate) struct Parts {
    pub(crate) qemu: Process,
    pub(crate) vsock: Option<Process>,
    pub(crate) monitor: Monitor,
    pub(crate) console: JoinHandle<bool>,
    pub(crate) sockets: Sockets,
}

/// Files that go when the machine does, or when its start fails.
#[derive(Debug)]
pub(crate) struct Sockets(pub(crate) Vec<PathBuf>);

impl Sockets {
    /// Removes those that are there.
    pub(crate) fn remove(&self) {
        for path in &self.0 {
            if let Err(error) = std::fs::remove_file(path)
                && error.kind() != std::io::ErrorKind::NotFound
            {
                tracing::warn!(path = %path.display(), %error, "could not remove a socket");
            }
        }
    }
}

impl Drop for Sockets {
    fn drop(&mut self) {
        self.remove();
    }
}

impl QemuVm {
    /// Takes the parts over.
    pub(crate) fn new(parts: Parts, platform: Platform, dialler: Dialler) -> Arc<Self> {
        let (sender, state) = watch::channel(VmState::Running);
        let killed = Arc::new(Notify::new());
        tokio::spawn(own(parts, sender, killed.clone()));
        Arc::new(Self { state, platform, dialler, killed })
    }
}

impl Vm for QemuVm {
    fn state(&self) -> watch::Receiver<VmState> {
        self.state.clone()
    }

    fn platform(&self) -> Platform {
        self.platform.clone()
    }

    fn connect(&self, port: u32) -> BoxFuture<'_, Result<Connection, HypervisorError>> {
        Box::pin(async move {
            let ended = || match &*self.state.borrow() {
                VmState::Ended(exit) => Err(HypervisorError::Ended(exit.clone())),
                VmState::Running => Ok(()),
            };
            ended()?;
            let dialled = self.dialler.dial(port).await;
            if dialled.is_err() {
                // A better reason than that the socket is gone.
                ended()?;
            }
            dialled
        })
    }

    fn kill(&self) -> BoxFuture<'_, ()> {
        Box::pin(async move {
            // A permit is kept for the task if it is busy, and a second one is none.
            self.killed.notify_one();
            lifecycle::ended(self.state.clone()).await;
        })
    }
}

async fn own(mut parts: Parts, state: watch::Sender<VmState>, killed: Arc<Notify>) {
    let mut seen = Seen::default();
    watch_over(&mut parts, &mut seen, &killed).await;
    // Whatever ended first, the rest follows.
    parts.qemu.end().await;
    seen.qemu_ended = parts.qemu.wait().await;
    if let Some(vsock) = &mut parts.vsock {
        vsock.end().await;
    }
    // What QEMU said before it ended may still be in the pipes.
    let rest = async {
        while let Some(event) = parts.monitor.next().await {
            note(&mut seen, event);
        }
    };
    timeout(AFTERMATH, rest).await.ok();
    seen.panic_on_console = timeout(AFTERMATH, parts.console).await.is_ok_and(|panicked| panicked.unwrap_or(false));
    drop(parts.sockets);
    let exit = classify(seen);
    tracing::info!(%exit, "the machine has ended");
    state.send_replace(VmState::Ended(exit));
}

/// Answers when the machine ends or has to.
async fn watch_over(parts: &mut Parts, seen: &mut Seen, killed: &Notify) {
    let mut monitor_open = true;
    loop {
        tokio::select! {
            biased;
            () = killed.notified() => {
                seen.killed = true;
                return;
            }
            event = parts.monitor.next(), if monitor_open => match event {
                Some(event) => note(seen, event),
                None => monitor_open = false,
            },
            _ = parts.qemu.wait() => return,
            how = vsock_end(&mut parts.vsock) => {
                // It also ends because QEMU does.
                if timeout(AFTERMATH, parts.qemu.wait()).await.is_err() {
                    seen.vsock_ended = Some(how);
                }
                return;
            }
        }
    }
}

async fn vsock_end(vsock: &mut Option<Process>) -> String {
    match vsock {
        Some(process) => process.wait().await,
        None => std::future::pending().await,
    }
}

fn note(seen: &mut Seen, event: Event) {
    match event {
        Event::Shutdown(reason) => seen.shutdown = Some(reason),
        Event::Panicked => seen.panicked = true,
        Event::DiskError(reason) => {
            // Once: who fills the disk must not fill the log as well.
            if !seen.disk_failed {
                tracing::error!(reason, "the host's disk failed the guest; is it full?");
            }
            seen.disk_failed = true;
        }
    }
}

/// Writes the console to its log until the guest is gone; says whether its kernel panicked.
pub(crate) async fn keep_console(console: ChildStdout, sink: Sink) -> bool {
    let mut panicked = false;
    console::keep(console, sink, |sign| panicked |= sign == Sign::Panic).await;
    panicked
}
