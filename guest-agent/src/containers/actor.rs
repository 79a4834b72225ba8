//! The task of one container: it owns the state, and nobody else changes it.

use std::sync::{
    Arc,
    atomic::{AtomicU32, Ordering},
};

use tokio::{
    sync::{mpsc, oneshot, watch},
    task::JoinSet,
    time::{Duration, Instant, timeout},
};

use cove_proto::v1::{self, WaitCondition};

use super::{
    Engine, Entry,
    error::ContainersError,
    health::{Checked, Health, Monitor},
    index::View,
    oom,
    program::Program,
    record::{CONTAINERS, Phase, Record},
    restart_policy::{self, End, Restarts},
    signals,
    wait::Waited,
};
use crate::{
    clock,
    logs::{Log, pump::pump},
    processes::launch::ExitStatus,
};

/// How long output may go on to come when the program has ended: dockerd's patience with a descriptor that someone else
/// holds open.
pub(crate) const DRAIN: Duration = Duration::from_secs(2);

pub(super) type Reply<T> = oneshot::Sender<Result<T, ContainersError>>;

/// What is asked of a container's task.
#[derive(Debug)]
pub(super) enum Command {
    /// Start it; says whether it ran already.
    Start(Reply<bool>),
    /// Send its first process a signal.
    Signal { signal: i32, by: By, reply: Reply<()> },
    /// Start it no more, if it is about to be; says whether it was.
    GiveUpRestart { by: By, reply: Reply<bool> },
    /// Freeze it, or let it go on.
    Pause { pause: bool, reply: Reply<()> },
    /// Change limits and restart policy.
    Update { resources: Box<v1::Resources>, policy: Option<v1::RestartPolicy>, reply: Reply<()> },
    /// A check of its health is over; says what the verdict is now.
    Checked(Checked, oneshot::Sender<v1::HealthStatus>),
    /// The kernel killed a process of it for want of memory.
    Oom,
    /// Remove it.
    Remove { force: bool, volumes: bool, reply: Reply<()> },
    /// Give it another name.
    Rename(String, Reply<()>),
    /// Forget the container that it knows by this alias.
    Unlink(String, Reply<()>),
    /// Put it on one more network.
    Connect(Box<v1::NetworkAttachment>, Reply<()>),
    /// Take it off a network.
    Disconnect(String, Reply<()>),
    /// Tell when a condition comes true.
    Wait(WaitCondition, oneshot::Sender<oneshot::Receiver<Waited>>),
}

/// What a signal is sent for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum By {
    /// The container is to end.
    Stop,
    /// Nothing more is known.
    Kill,
}

/// Whether there is still a container.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Life {
    Goes,
    Ended,
}

/// The task of one container.
pub(super) struct Actor {
    pub(super) engine: Arc<Engine>,
    pub(super) record: Record,
    pub(super) log: Log,
    pub(super) running: Option<Running>,
    pub(super) waiters: Vec<(WaitCondition, oneshot::Sender<Waited>)>,
    pub(super) restarting: Arc<AtomicU32>,
    /// See [`Entry`].
    pub(super) idle: Arc<tokio::sync::RwLock<()>>,
    pub(super) restarts: Restarts,
    /// When it is started again, if its policy says so.
    pub(super) restart_at: Option<Instant>,
    pub(super) health: Option<Health>,
    pub(super) monitor: Option<Monitor>,
    /// The way to this task, for those that it starts.
    pub(super) own: mpsc::WeakSender<Command>,
    view: watch::Sender<Arc<View>>,
    inbox: mpsc::Receiver<Command>,
}

/// A run.
pub(super) struct Running {
    pub(super) program: Arc<dyn Program>,
    /// Since when, by a clock that nobody sets.
    pub(super) since: Instant,
    /// Whether its processes are frozen.
    pub(super) paused: bool,
    /// Whether somebody asked it to end.
    stop_asked: bool,
    /// Whether somebody sent it a signal.
    by_hand: bool,
    /// What waits for kills for want of memory.
    pub(super) oom: Option<oom::Watch>,
    /// Whether such a kill was told.
    pub(super) oom_told: bool,
    pumps: JoinSet<()>,
}

impl Running {
    /// Has what a program writes go into the log.
    pub(super) fn new(program: Arc<dyn Program>, log: &Log) -> Self {
        log.begin_run();
        let mut pumps = JoinSet::new();
        for (stream, output) in program.outputs() {
            let log = log.clone();
            pumps.spawn(async move {
                if let Err(error) = pump(&*output, stream, log).await {
                    tracing::warn!(%error, "output cannot be read");
                }
            });
        }
        Self {
            program,
            since: Instant::now(),
            paused: false,
            stop_asked: false,
            by_hand: false,
            oom: None,
            oom_told: false,
            pumps,
        }
    }

    /// Waits until all that was written is in the log.
    async fn drain(&mut self) {
        let drained = timeout(DRAIN, async { while self.pumps.join_next().await.is_some() {} }).await;
        if drained.is_err() {
            self.pumps.abort_all();
        }
    }
}

impl Actor {
    /// Makes the task of a container, which [`Actor::run`] then runs, and the way to it.
    pub(super) fn new(
        engine: &Arc<Engine>,
        record: Record,
        log: Log,
        program: Option<Arc<dyn Program>>,
    ) -> (Self, Arc<Entry>) {
        let (commands, inbox) = mpsc::channel(16);
        let own = commands.downgrade();
        let running = program.map(|program| Running { paused: program.is_frozen(), ..Running::new(program, &log) });
        let (view, seen) = watch::channel(Arc::new(seen(&record, running.as_ref(), None)));
        let restarting = Arc::new(AtomicU32::new(0));
        let idle = Arc::default();
        let entry =
            Entry::new(record.id.clone(), log.clone(), commands, seen, Arc::clone(&restarting), Arc::clone(&idle));
        let actor = Self {
            engine: Arc::clone(engine),
            record,
            log,
            running,
            waiters: Vec::new(),
            restarting,
            idle,
            restarts: Restarts::default(),
            restart_at: None,
            health: None,
            monitor: None,
            own,
            view,
            inbox,
        };
        (actor, Arc::new(entry))
    }

    pub(super) async fn run(mut self) {
        loop {
            let program = self.running.as_ref().map(|running| Arc::clone(&running.program));
            let end = async {
                match &program {
                    Some(program) => program.wait().await,
                    None => std::future::pending().await,
                }
            };
            let life = tokio::select! {
                status = end => self.ended(status).await,
                () = restart_policy::due(self.restart_at) => self.restart_now().await,
                command = self.inbox.recv() => match command {
                    Some(command) => self.obey(command).await,
                    None => return,
                },
            };
            if life == Life::Ended {
                return;
            }
        }
    }

    async fn obey(&mut self, command: Command) -> Life {
        match command {
            Command::Start(reply) => {
                let (result, life) = self.start().await;
                let _ = reply.send(result);
                return life;
            }
            Command::Signal { signal, by, reply } => drop(reply.send(self.signal(signal, by).await)),
            Command::GiveUpRestart { by, reply } => drop(reply.send(Ok(self.give_up_restart(by).await))),
            Command::Pause { pause, reply } => drop(reply.send(self.pause(pause).await)),
            Command::Update { resources, policy, reply } => drop(reply.send(self.update(&resources, policy).await)),
            Command::Checked(checked, reply) => drop(reply.send(self.checked(checked))),
            Command::Oom => self.oom(),
            Command::Rename(name, reply) => drop(reply.send(self.rename(name).await)),
            Command::Unlink(alias, reply) => drop(reply.send(self.unlink(&alias).await)),
            Command::Connect(asked, reply) => drop(reply.send(self.connect(*asked).await)),
            Command::Disconnect(network, reply) => drop(reply.send(self.disconnect(&network).await)),
            Command::Wait(condition, reply) => self.register(condition, reply),
            Command::Remove { force, volumes, reply } => {
                let (result, life) = self.remove_on_request(force, volumes).await;
                let _ = reply.send(result);
                return life;
            }
        }
        Life::Goes
    }

    /// Its program has ended.
    pub(super) async fn ended(&mut self, status: ExitStatus) -> Life {
        let again = self.again(status.code);
        self.settle(status, again).await;
        if again.is_some() {
            return Life::Goes;
        }
        if self.record.spec.auto_remove && self.restarting.load(Ordering::SeqCst) == 0 {
            return match self.remove(true).await {
                Ok(()) => Life::Ended,
                Err(error) => {
                    tracing::warn!(container = %self.record.id, error = &error as &dyn std::error::Error,
                        "an ended container cannot be removed");
                    Life::Goes
                }
            };
        }
        Life::Goes
    }

    /// How long to wait until it is started again, by its policy.
    fn again(&mut self, exit_code: i32) -> Option<Duration> {
        let running = self.running.as_ref()?;
        let end = End { exit_code, by_hand: running.by_hand, ran: running.since.elapsed() };
        // The next boot sees to those that end now.
        let shutting_down = self.engine.shutting_down.load(Ordering::SeqCst);
        let policy = self.record.spec.restart_policy.as_ref();
        self.restarts.delay(policy, self.record.restart_count, end).filter(|_| !shutting_down)
    }

    /// From running to exited, or to restarting after a while: everything it wrote is in the log, and everything it used is
    /// given back.
    pub(super) async fn settle(&mut self, status: ExitStatus, again: Option<Duration>) {
        let Some(mut running) = self.running.take() else { return };
        self.stop_health_checks();
        self.log.ending();
        running.drain().await;
        self.end_log(status.finished_at_nanos).await;
        let state = &mut self.record.state;
        state.phase = match again {
            Some(_) => Phase::Restarting,
            None if running.by_hand => Phase::Stopped,
            None => Phase::Idle,
        };
        state.exit_code = status.code;
        state.oom_killed = running.program.oom_killed();
        state.finished_at = status.finished_at_nanos;
        self.record.restart_count += u32::from(again.is_some());
        self.restart_at = again.map(|delay| Instant::now() + delay);
        // What is removed at once need not be written down first: after a power cut it is found as one that ran.
        let leaves = self.record.spec.auto_remove && self.restarting.load(Ordering::SeqCst) == 0;
        if !leaves && let Err(error) = self.save().await {
            tracing::error!(container = %self.record.id, error = &error as &dyn std::error::Error,
                "the end of a container cannot be written down");
        }
        self.engine.images.set_running(&self.record.id, false);
        self.publish();
        let had = self.engine.networks.sandbox(&self.record.id).unwrap_or_default();
        self.tell_networks("disconnect", &had);
        // Who is started again keeps its ports, and nobody takes them meanwhile.
        if again.is_none() && self.restarting.load(Ordering::SeqCst) == 0 {
            self.engine.networks.unpublish(&self.record.id).await;
        }
        self.engine.networks.detach(&self.record.id);
        self.tell_end(running.stop_asked, running.oom_told);
        self.notify_end();
        self.leave_mounts().await;
        if let Some(watch) = running.oom.take() {
            watch.end().await;
        }
        if let Err(error) = running.program.release().await {
            tracing::warn!(container = %self.record.id, %error, "an ended container leaves something behind");
        }
    }

    /// Marks the end of a run, so that those who follow the log stop.
    pub(super) async fn end_log(&self, at: i64) {
        let log = self.log.clone();
        let marked = tokio::task::spawn_blocking(move || log.end_run(at)).await;
        if let Ok(Err(error)) = marked {
            tracing::warn!(container = %self.record.id, error = &error as &dyn std::error::Error,
                "the end of a run cannot be marked");
            // Those who follow must not wait for ever; they get what is there.
            self.log.close();
        }
    }

    /// Tells that a run has ended, in dockerd's order.
    fn tell_end(&self, stop_asked: bool, oom_told: bool) {
        let state = &self.record.state;
        if state.oom_killed && !oom_told {
            self.tell("oom");
        }
        let seconds = state.finished_at.saturating_sub(state.started_at).max(0) / 1_000_000_000;
        self.tell_with("die", |event| event.with("execDuration", seconds).with("exitCode", state.exit_code));
        if stop_asked {
            self.tell("stop");
        }
    }

    /// Whether who sends a signal wants the container to end, by dockerd's rule: with a stop signal of its own only that
    /// and SIGKILL, without one any.
    fn means_the_end(&self, signal: i32) -> bool {
        let own = self.record.spec.stop_signal.as_str();
        own.is_empty() || signal == libc::SIGKILL || signals::parse(own) == Some(signal)
    }

    async fn signal(&mut self, signal: i32, by: By) -> Result<(), ContainersError> {
        use crate::processes::SignalError;
        let id = self.record.id.clone();
        let not_running = || ContainersError::NotRunning(id);
        let Some(running) = &mut self.running else { return Err(not_running()) };
        running.program.signal(signal).map_err(|error| match error {
            SignalError::Ended => not_running(),
            other => ContainersError::Signal(other),
        })?;
        running.stop_asked |= by == By::Stop;
        let shutting_down = self.engine.shutting_down.load(Ordering::SeqCst);
        running.by_hand |= !shutting_down;
        self.tell_with("kill", |event| event.with("signal", signal));
        if by == By::Stop || self.means_the_end(signal) {
            self.restarts.cancel();
            self.thaw().await;
        }
        Ok(())
    }

    /// Writes the record.
    pub(super) async fn save(&self) -> Result<(), ContainersError> {
        let record = self.record.clone();
        self.engine.database.write(move |changes| Ok(CONTAINERS.put(changes, &record.id, &record)?)).await
    }

    /// Shows the present state to everybody.
    pub(super) fn publish(&self) {
        self.view.send_replace(Arc::new(seen(&self.record, self.running.as_ref(), self.health.as_ref())));
        self.engine.changed();
    }

    /// Shows that there is no container any more.
    pub(super) fn publish_end(&self) {
        self.view.send_replace(Arc::new(View { gone: true, ..seen(&self.record, None, self.health.as_ref()) }));
        self.engine.changed();
    }

    /// The time, for what happens now.
    pub(super) fn now() -> i64 {
        clock::now_nanos()
    }
}

/// What others see of it.
fn seen(record: &Record, running: Option<&Running>, health: Option<&Health>) -> View {
    View {
        record: record.clone(),
        program: running.map(|running| Arc::clone(&running.program)),
        paused: running.is_some_and(|running| running.paused),
        health: health.map(Health::told),
        gone: false,
    }
}

impl Entry {
    /// Asks the container's task for something.
    pub(super) async fn ask<T>(&self, command: impl FnOnce(Reply<T>) -> Command) -> Result<T, ContainersError> {
        let (reply, answer) = oneshot::channel();
        let gone = || ContainersError::NoSuchContainer(self.id.clone());
        self.commands.send(command(reply)).await.map_err(|_| gone())?;
        answer.await.unwrap_or_else(|_| Err(gone()))
    }
}
