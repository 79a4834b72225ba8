//! A running machine and the task that owns it.

use std::{io, net::TcpStream, sync::Arc, time::Duration};

use cove_machine::{
    hypervisor::{BoxFuture, Connection, HypervisorError, Platform, Vm, VmState},
    lifecycle,
};
use tokio::{
    sync::{Notify, mpsc, watch},
    task::spawn_blocking,
    time::timeout,
};

use crate::{
    Dial,
    console::Console,
    exit::{Seen, classify},
    identity::MachineId,
    pump::Pumped,
    sys::compute::{Event, System},
};

/// How long HCS may take to tell that a machine ended which it was told to end, and the console after it.
const AFTERMATH: Duration = Duration::from_secs(5);

/// Winsock errors that no second try changes: no right to, and no such sockets on this Windows.
const FINAL: [i32; 3] = [10013, 10044, 10047];

/// The handle. The machine lives as long as the task, not as long as the handle.
pub(crate) struct HcsVm {
    state: watch::Receiver<VmState>,
    platform: Platform,
    id: MachineId,
    dial: Dial,
    killed: Arc<Notify>,
}

/// All that belongs to a machine.
pub(crate) struct Parts {
    pub(crate) system: System,
    pub(crate) events: mpsc::UnboundedReceiver<Event>,
    pub(crate) console: Console,
}

impl HcsVm {
    /// Takes the parts over.
    pub(crate) fn new(parts: Parts, platform: Platform, id: MachineId, dial: Dial) -> Arc<Self> {
        let (sender, state) = watch::channel(VmState::Running);
        let killed = Arc::new(Notify::new());
        tokio::spawn(own(parts, sender, killed.clone()));
        Arc::new(Self { state, platform, id, dial, killed })
    }

    fn still_runs(&self) -> Result<(), HypervisorError> {
        match &*self.state.borrow() {
            VmState::Ended(exit) => Err(HypervisorError::Ended(exit.clone())),
            VmState::Running => Ok(()),
        }
    }

    async fn reach(&self, port: u32) -> Result<Connection, HypervisorError> {
        self.still_runs()?;
        let (id, dial) = (self.id, self.dial);
        let dialled = spawn_blocking(move || dial(id, port)).await.unwrap_or_else(|e| Err(io::Error::other(e)));
        if dialled.is_err() {
            // A better reason than that nobody answers.
            self.still_runs()?;
        }
        let socket: TcpStream = dialled.map_err(|error| refused(port, &error))?;
        let stream = Pumped::over(socket).map_err(|error| failed("carry a connection to the guest", &error))?;
        Ok(Box::new(stream))
    }
}

fn refused(port: u32, error: &io::Error) -> HypervisorError {
    if error.raw_os_error().is_some_and(|code| FINAL.contains(&code)) {
        return failed(&format!("dial port {port} of the guest"), error);
    }
    tracing::debug!(port, %error, "the guest does not answer");
    HypervisorError::NotListening(port)
}

impl Vm for HcsVm {
    fn state(&self) -> watch::Receiver<VmState> {
        self.state.clone()
    }

    fn platform(&self) -> Platform {
        self.platform.clone()
    }

    fn connect(&self, port: u32) -> BoxFuture<'_, Result<Connection, HypervisorError>> {
        Box::pin(self.reach(port))
    }

    fn kill(&self) -> BoxFuture<'_, ()> {
        Box::pin(async move {
            // A permit is kept for the task if it is busy, and a second one is none.
            self.killed.notify_one();
            lifecycle::ended(self.state.clone()).await;
        })
    }
}

async fn own(parts: Parts, state: watch::Sender<VmState>, killed: Arc<Notify>) {
    let Parts { system, mut events, console } = parts;
    let mut seen = Seen::default();
    tokio::select! {
        biased;
        () = until_the_end(&mut events, &mut seen) => {}
        () = killed.notified() => {
            seen.killed = true;
        }
    }
    let system = if seen.killed { force(system, &mut events, &mut seen).await } else { Some(system) };
    // Closing blocks until the last callback has returned.
    if spawn_blocking(move || drop(system)).await.is_err() {
        tracing::error!("closing the machine failed");
    }
    seen.panic_on_console = timeout(AFTERMATH, console.finish()).await.unwrap_or(false);
    let exit = classify(&seen);
    tracing::info!(%exit, "the machine has ended");
    state.send_replace(VmState::Ended(exit));
}

/// Tells HCS to end it and hears from HCS that it has; gives the machine back to be closed, which ends what still runs.
async fn force(system: System, events: &mut mpsc::UnboundedReceiver<Event>, seen: &mut Seen) -> Option<System> {
    let ended = spawn_blocking(move || {
        let ended = system.terminate();
        (system, ended)
    });
    let system = match ended.await {
        Ok((system, Ok(()))) => Some(system),
        Ok((system, Err(fault))) => {
            tracing::warn!(%fault, "HCS does not end the machine; closing it");
            Some(system)
        }
        Err(error) => {
            tracing::error!(%error, "ending the machine failed");
            None
        }
    };
    if timeout(AFTERMATH, until_the_end(events, seen)).await.is_err() {
        tracing::warn!("HCS did not tell that the machine has ended");
    }
    system
}

async fn until_the_end(events: &mut mpsc::UnboundedReceiver<Event>, seen: &mut Seen) {
    while let Some(event) = events.recv().await {
        match event {
            Event::Exited(status) => {
                seen.status = Some(status);
                return;
            }
            Event::Crashed => seen.crashed = true,
            Event::Disconnected => {
                seen.disconnected = true;
                return;
            }
        }
    }
}

/// An operation that failed for a reason that is not about the host.
pub(crate) fn failed(operation: &str, cause: &dyn std::fmt::Display) -> HypervisorError {
    HypervisorError::Operation { operation: operation.to_owned(), cause: cause.to_string() }
}
