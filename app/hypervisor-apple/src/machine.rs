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

use crate::exit::{Seen, Stopped, classify};

/// How long VZ may take to say that a guest has stopped whose kernel says that it is going, and its console to run dry.
const AFTERMATH: Duration = Duration::from_secs(2);
/// How long VZ may take to end a machine. Whatever it does, the helper process ends then, and the machine with it.
const FORCE: Duration = Duration::from_secs(5);
/// How long a dialled guest may stay silent: one without a vsock driver yet does.
const ANSWER: Duration = Duration::from_secs(5);

/// What the task needs of a machine that runs. It ends when the last of it is dropped.
pub trait Controls: Send + Sync + 'static {
    /// Ends it by force and answers when it has ended.
    ///
    /// # Errors
    /// If it does not end, or had ended.
    fn stop(&self) -> BoxFuture<'_, Result<(), HypervisorError>>;

    /// Dials a port of the guest.
    ///
    /// # Errors
    /// Why nobody answers, for the log.
    fn connect(&self, port: u32) -> BoxFuture<'_, Result<Connection, String>>;
}

/// The handle. The machine lives as long as the task, not as long as the handle.
pub struct AppleVm<M> {
    state: watch::Receiver<VmState>,
    platform: Platform,
    machine: Weak<M>,
    killed: Arc<Notify>,
}

/// All that belongs to a machine.
pub struct Parts<M> {
    /// The machine itself.
    pub machine: M,
    /// VZ's word that it has stopped.
    pub stops: UnboundedReceiver<Stopped>,
    /// What its console shows.
    pub signs: UnboundedReceiver<Sign>,
    /// The task that reads the console, which ends with the machine.
    pub console: JoinHandle<()>,
}

impl<M: Controls> AppleVm<M> {
    /// Takes the parts over. To be called in a runtime.
    #[must_use]
    pub fn new(parts: Parts<M>, platform: Platform) -> Arc<Self> {
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

impl<M: Controls> Vm for AppleVm<M> {
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

struct Owner<M> {
    machine: Arc<M>,
    stops: UnboundedReceiver<Stopped>,
    signs: UnboundedReceiver<Sign>,
    seen: Seen,
    /// How often PID 1 has begun.
    boots: u32,
}

impl<M: Controls> Owner<M> {
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

#[cfg(test)]
mod tests {
    use cove_machine::hypervisor::Exit;
    use tokio::{
        sync::mpsc::{UnboundedSender, unbounded_channel},
        time::Instant,
    };

    use super::*;

    /// A machine that ends when it is told to, if it is one that does, and counts how often.
    struct Fake {
        stoppable: bool,
        stopped: watch::Sender<u32>,
    }

    impl Controls for Fake {
        fn stop(&self) -> BoxFuture<'_, Result<(), HypervisorError>> {
            Box::pin(async {
                self.stopped.send_modify(|times| *times += 1);
                if self.stoppable { Ok(()) } else { std::future::pending().await }
            })
        }

        fn connect(&self, port: u32) -> BoxFuture<'_, Result<Connection, String>> {
            Box::pin(async move {
                match port {
                    1024 => Ok(Box::new(tokio::io::duplex(16).0) as Connection),
                    1025 => std::future::pending().await,
                    _ => Err("connection reset by peer".to_owned()),
                }
            })
        }
    }

    struct Stage {
        vm: Arc<AppleVm<Fake>>,
        stops: UnboundedSender<Stopped>,
        signs: UnboundedSender<Sign>,
        forced: watch::Receiver<u32>,
        began: Instant,
    }

    impl Stage {
        fn set(stoppable: bool) -> Self {
            let (stopped, forced) = watch::channel(0);
            let (stops, stops_seen) = unbounded_channel();
            let (signs, signs_seen) = unbounded_channel();
            let console = tokio::spawn(async {});
            let machine = Fake { stoppable, stopped };
            let platform = Platform {
                hypervisor: "fake".to_owned(),
                accelerator: String::new(),
                vsock: String::new(),
                cid: 3,
                owner_pid: 1,
                warnings: Vec::new(),
            };
            let vm = AppleVm::new(Parts { machine, stops: stops_seen, signs: signs_seen, console }, platform);
            signs.send(Sign::Boot).unwrap();
            Self { vm, stops, signs, forced, began: Instant::now() }
        }

        async fn end(&self) -> Exit {
            timeout(Duration::from_secs(60), lifecycle::ended(self.vm.state())).await.unwrap()
        }

        /// How often it was ended by force.
        fn forced(&self) -> u32 {
            *self.forced.borrow()
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_guest_that_powers_off_is_not_forced() {
        let stage = Stage::set(true);
        stage.stops.send(Stopped::ByGuest).unwrap();
        assert_eq!((stage.end().await, stage.forced()), (Exit::PowerOff, 0));
    }

    #[tokio::test(start_paused = true)]
    async fn a_panic_after_which_vz_is_silent_ends_the_machine() {
        let stage = Stage::set(true);
        stage.signs.send(Sign::Panic).unwrap();
        assert_eq!((stage.end().await, stage.forced()), (Exit::Panic, 1));
        assert!(stage.began.elapsed() >= AFTERMATH);
    }

    #[tokio::test(start_paused = true)]
    async fn a_reset_that_vz_makes_a_stop_is_a_reset() {
        let stage = Stage::set(true);
        stage.signs.send(Sign::Restart).unwrap();
        stage.stops.send(Stopped::ByGuest).unwrap();
        assert_eq!((stage.end().await, stage.forced()), (Exit::Reset, 0));
    }

    #[tokio::test(start_paused = true)]
    async fn a_machine_that_boots_a_second_time_is_ended() {
        let stage = Stage::set(true);
        stage.signs.send(Sign::Boot).unwrap();
        assert_eq!((stage.end().await, stage.forced()), (Exit::Reset, 1));
    }

    #[tokio::test(start_paused = true)]
    async fn words_that_are_still_in_the_console_when_it_stops_are_heard() {
        let stage = Stage::set(true);
        stage.stops.send(Stopped::ByGuest).unwrap();
        stage.signs.send(Sign::Panic).unwrap();
        assert_eq!(stage.end().await, Exit::Panic);
    }

    #[tokio::test(start_paused = true)]
    async fn a_kill_answers_also_when_vz_does_not() {
        for stoppable in [true, false] {
            let stage = Stage::set(stoppable);
            stage.vm.kill().await;
            stage.vm.kill().await;
            assert_eq!((stage.end().await, stage.forced()), (Exit::Forced, 1));
        }
    }

    #[tokio::test(start_paused = true)]
    async fn an_error_of_vz_is_told_with_its_text() {
        let stage = Stage::set(true);
        stage.stops.send(Stopped::ByError("internal error".to_owned())).unwrap();
        assert!(matches!(stage.end().await, Exit::VmmDied(text) if text.contains("internal error")));
    }

    #[tokio::test(start_paused = true)]
    async fn a_dial_succeeds_or_may_be_tried_again_until_the_machine_has_ended() {
        let stage = Stage::set(true);
        assert!(stage.vm.connect(1024).await.is_ok());
        for port in [1025, 7] {
            assert!(matches!(stage.vm.connect(port).await, Err(HypervisorError::NotListening(p)) if p == port));
        }
        stage.vm.kill().await;
        assert!(matches!(stage.vm.connect(1024).await, Err(HypervisorError::Ended(Exit::Forced))));
    }
}
