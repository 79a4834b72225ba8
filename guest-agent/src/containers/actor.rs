//! The task of one container: it owns the state, and nobody else changes it.

use std::sync::{
    Arc,
    atomic::{AtomicU32, Ordering},
};

use tokio::{
    sync::{mpsc, oneshot, watch},
    task::JoinSet,
    time::{Duration, timeout},
};

use cove_proto::v1::WaitCondition;

use super::{
    Engine, Entry,
    error::ContainersError,
    index::View,
    program::Program,
    record::{CONTAINERS, Phase, Record},
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
    /// Remove it.
    Remove { force: bool, reply: Reply<()> },
    /// Give it another name.
    Rename(String, Reply<()>),
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
    view: watch::Sender<Arc<View>>,
    inbox: mpsc::Receiver<Command>,
}

/// A run.
pub(super) struct Running {
    pub(super) program: Arc<dyn Program>,
    /// Whether somebody asked it to end.
    stop_asked: bool,
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
        Self { program, stop_asked: false, pumps }
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
        let view = View { record: record.clone(), program: program.clone(), gone: false };
        let (view, seen) = watch::channel(Arc::new(view));
        let restarting = Arc::new(AtomicU32::new(0));
        let entry = Entry::new(record.id.clone(), log.clone(), commands, seen, Arc::clone(&restarting));
        let running = program.map(|program| Running::new(program, &log));
        let engine = Arc::clone(engine);
        (Self { engine, record, log, running, waiters: Vec::new(), restarting, view, inbox }, Arc::new(entry))
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
            Command::Signal { signal, by, reply } => drop(reply.send(self.signal(signal, by))),
            Command::Rename(name, reply) => drop(reply.send(self.rename(name).await)),
            Command::Wait(condition, reply) => self.register(condition, reply),
            Command::Remove { force, reply } => {
                let (result, life) = self.remove_on_request(force).await;
                let _ = reply.send(result);
                return life;
            }
        }
        Life::Goes
    }

    /// Its program has ended.
    pub(super) async fn ended(&mut self, status: ExitStatus) -> Life {
        self.settle(status).await;
        if self.record.spec.auto_remove && self.restarting.load(Ordering::SeqCst) == 0 {
            return match self.remove().await {
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

    /// From running to exited: everything it wrote is in the log, and everything it used is given back.
    pub(super) async fn settle(&mut self, status: ExitStatus) {
        let Some(mut running) = self.running.take() else { return };
        self.log.ending();
        running.drain().await;
        self.end_log(status.finished_at_nanos).await;
        let state = &mut self.record.state;
        state.phase = Phase::Idle;
        state.exit_code = status.code;
        state.oom_killed = running.program.oom_killed();
        state.finished_at = status.finished_at_nanos;
        // What is removed at once need not be written down first: after a power cut it is found as one that ran.
        let leaves = self.record.spec.auto_remove && self.restarting.load(Ordering::SeqCst) == 0;
        if !leaves && let Err(error) = self.save().await {
            tracing::error!(container = %self.record.id, error = &error as &dyn std::error::Error,
                "the end of a container cannot be written down");
        }
        self.engine.images.set_running(&self.record.id, false);
        self.publish();
        self.tell_end(running.stop_asked);
        self.notify_end();
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
    fn tell_end(&self, stop_asked: bool) {
        let state = &self.record.state;
        if state.oom_killed {
            self.tell("oom");
        }
        let seconds = state.finished_at.saturating_sub(state.started_at).max(0) / 1_000_000_000;
        self.tell_with("die", |event| event.with("execDuration", seconds).with("exitCode", state.exit_code));
        if stop_asked {
            self.tell("stop");
        }
    }

    fn signal(&mut self, signal: i32, by: By) -> Result<(), ContainersError> {
        use crate::processes::SignalError;
        let id = self.record.id.clone();
        let not_running = || ContainersError::NotRunning(id);
        let Some(running) = &mut self.running else { return Err(not_running()) };
        running.program.signal(signal).map_err(|error| match error {
            SignalError::Ended => not_running(),
            other => ContainersError::Signal(other),
        })?;
        running.stop_asked |= by == By::Stop;
        self.tell_with("kill", |event| event.with("signal", signal));
        Ok(())
    }

    /// Writes the record.
    pub(super) async fn save(&self) -> Result<(), ContainersError> {
        let record = self.record.clone();
        self.engine.database.write(move |changes| Ok(CONTAINERS.put(changes, &record.id, &record)?)).await
    }

    /// Shows the present state to everybody.
    pub(super) fn publish(&self) {
        let program = self.running.as_ref().map(|running| Arc::clone(&running.program));
        self.view.send_replace(Arc::new(View { record: self.record.clone(), program, gone: false }));
        self.engine.changed();
    }

    /// Shows that there is no container any more.
    pub(super) fn publish_end(&self) {
        self.view.send_replace(Arc::new(View { record: self.record.clone(), program: None, gone: true }));
        self.engine.changed();
    }

    /// The time, for what happens now.
    pub(super) fn now() -> i64 {
        clock::now_nanos()
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
