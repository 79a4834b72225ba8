//! A running machine and the task that owns it.

use std::{
    sync::{Arc, Weak},
    time::Duration,
};

use cove_machine::{
    console::Sign,
    hypervisor::{BoxFuture, Connection, HypervisorError, Platform, Vm, VmState},
    lifecycle,
};
use tokio::{
    sync::{Notify, mpsc::UnboundedReceiver, watch},
    task::JoinHandle,
    time::timeout,
};

use crate::{
    exit::{Seen, Stopped, classify},
    vz::VirtualMachine,
};

/// How long VZ may take to say that a guest has stopped whose kernel says that it is going, and its console to run dry.
const AFTERMATH: Duration = Duration::from_secs(2);
/// How long VZ may take to end a machine. Whatever it does, the helper process ends then, and the machine with it.
const FORCE: Duration = Duration::from_secs(5);
/// How long a dialled guest may stay silent: one without a vsock driver yet does.
const ANSWER: Duration = Duration::from_secs(5);

/// The handle. The machine lives as long as the task, not as long as the handle.
pub(crate) struct AppleVm {
    state: watch::Receiver<VmState>,
    platform: Platform,
    machine: Weak<VirtualMachine>,
    killed: Arc<Notify>,
}

/// All that belongs to a machine.
pub(crate) struct Parts {
    pub(crate) machine: VirtualMachine,
    pub(crate) stops: UnboundedReceiver<Stopped>,
    pub(crate) signs: UnboundedReceiver<Sign>,
    pub(crate) console: JoinHandle<()>,
}

impl AppleVm {
    /// Takes the parts over.
    pub(crate) fn new(parts: Parts, platform: Platform) -> Arc<Self> {
        let Parts { machine, stops, signs, console } = parts;
        let (sender, state) = watch::channel(VmState::Running);
        let (machine, killed) = (Arc::new(machine), Arc::new(Notify::new()));
        let handle = Self { state, platform, machine: Arc::downgrade(&machine), killed: killed.clone() };
        let owner = Owner { machine, stops, signs, seen: Seen::default(), boots: 0 };
        tokio::spawn(owner.own(console, sender, killed));
        Arc::new(handle)
    }

    fn ended(&self) -> Result<(), HypervisorError> {
        match &*self.state.borrow() {
            VmState::Ended(exit) => Err(HypervisorError::Ended(exit.clone())),
            VmState::Running => Ok(()),
        }
    }

    async fn dial(&self, port: u32) -> Result<Connection, HypervisorError> {
        self.ended()?;
        let Some(machine) = self.machine.upgrade() else {
            // The task has let go of it and is about to say how it ended.
            return Err(HypervisorError::Ended(lifecycle::ended(self.state.clone()).await));
        };
        let why = match timeout(ANSWER, machine.connect(port)).await {
            Ok(Ok(connection)) => return Ok(connection),
            Ok(Err(why)) => why,
            Err(_) => "no answer".to_owned(),
        };
        self.ended()?;
        // Any failure may be one of a guest that is not ready, and the caller has a deadline.
        tracing::debug!(port, why, "dialling the guest");
        Err(HypervisorError::NotListening(port))
    }
}

impl Vm for AppleVm {
    fn state(&self) -> watch::Receiver<VmState> {
        self.state.clone()
    }

    fn platform(&self) -> Platform {
        self.platform.clone()
    }

    fn connect(&self, port: u32) -> BoxFuture<'_, Result<Connection, HypervisorError>> {
        Box::pin(self.dial(port))
    }

    fn kill(&self) -> BoxFuture<'_, ()> {
        Box::pin(async move {
            // A permit is kept for the task if it is busy, and a second one is none.
            self.killed.notify_one();
            lifecycle::ended(self.state.clone()).await;
        })
    }
}

struct Owner {
    machine: Arc<VirtualMachine>,
    stops: UnboundedReceiver<Stopped>,
    signs: UnboundedReceiver<Sign>,
    seen: Seen,
    /// How often PID 1 has begun.
    boots: u32,
}

impl Owner {
    async fn own(mut self, mut console: JoinHandle<()>, state: watch::Sender<VmState>, killed: Arc<Notify>) {
        self.watch_over(&killed).await;
        if self.seen.stopped.is_none() {
            self.end().await;
        }
        let Self { machine, mut signs, mut seen, mut boots, .. } = self;
        // With the machine the console's other end goes.
        drop(machine);
        if timeout(AFTERMATH, &mut console).await.is_err() {
            console.abort();
        }
        while let Ok(sign) = signs.try_recv() {
            note(&mut seen, &mut boots, sign);
        }
        let exit = classify(seen);
        tracing::info!(%exit, "the machine has ended");
        state.send_replace(VmState::Ended(exit));
    }

    /// Answers when the machine has ended or has to.
    async fn watch_over(&mut self, killed: &Notify) {
        let mut console_open = true;
        loop {
            tokio::select! {
                biased;
                () = killed.notified() => {
                    // It may have ended just before.
                    self.seen.stopped = self.stops.try_recv().ok();
                    self.seen.killed = true;
                    return;
                }
                stopped = self.stops.recv() => {
                    self.seen.stopped = stopped;
                    return;
                }
                sign = self.signs.recv(), if console_open => match sign {
                    Some(sign) => note(&mut self.seen, &mut self.boots, sign),
                    None => console_open = false,
                },
            }
            if self.boots > 1 {
                // It runs on, but it is not the machine that was started: another boot has no boot secret of its own.
                return;
            }
            if self.seen.panicked || self.seen.restarted {
                // VZ says that it has stopped, or boots it again.
                self.seen.stopped = timeout(AFTERMATH, self.stops.recv()).await.ok().flatten();
                return;
            }
        }
    }

    async fn end(&mut self) {
        let failed = match timeout(FORCE, self.machine.stop()).await {
            Ok(Ok(())) => return,
            Ok(Err(error)) => error.to_string(),
            Err(_) => "it does not answer".to_owned(),
        };
        // It may have stopped by itself meanwhile, which VZ calls a wrong state for a stop.
        self.seen.stopped = self.stops.try_recv().ok();
        if self.seen.stopped.is_none() {
            tracing::warn!(failed, "Virtualization.framework does not end the machine; it ends with this process");
        }
    }
}

fn note(seen: &mut Seen, boots: &mut u32, sign: Sign) {
    match sign {
        Sign::Panic => seen.panicked = true,
        Sign::Restart => seen.restarted = true,
        Sign::Boot => {
            *boots += 1;
            seen.restarted |= *boots > 1;
        }
    }
}
