//! Starting an exec.

use std::sync::Arc;

use tokio::sync::mpsc;

use cove_proto::v1::TerminalSize;

use super::{Exec, Execs, ExecsError, Phase, input::Input, pump};
use crate::{
    clock,
    containers::{Containers, ContainersError, Entry, ExecGuard, chain, program::Program},
    processes::{LaunchError, error::LaunchFailure, launch::ExecLaunch},
};

/// Pieces of output on their way to a client; a slow one holds the program up, as with dockerd.
const ON_THE_WAY: usize = 4;

/// What dockerd and runc put before the reason.
const BEFORE_REASON: &str = "OCI runtime exec failed: exec failed: unable to start container process: ";

/// An exec that was started.
#[derive(Debug)]
pub struct Started {
    /// What it writes; ends with its program. `None` when it is detached.
    pub output: Option<mpsc::Receiver<pump::Output>>,
    /// The way to its standard input.
    pub input: Option<Input>,
}

impl Execs {
    /// Starts an exec; its program has been executed when this returns. What was begun is finished though the caller leaves.
    ///
    /// # Errors
    /// If it was started before, its container does not run, or the program cannot be started; it then has an exit code.
    pub async fn start(&self, id: &str, detach: bool, size: Option<TerminalSize>) -> Result<Started, ExecsError> {
        let exec = self.find(id)?;
        let entry = self.containers.find(&exec.container_id)?;
        entry.running()?;
        if entry.now().paused {
            return Err(ExecsError::Paused(entry.id.clone()));
        }
        exec.claim()?;
        let this = self.clone();
        let started = tokio::spawn(async move { this.launch(&exec, &entry, detach, size).await });
        started.await.unwrap_or(Err(ExecsError::Container(ContainersError::ShuttingDown)))
    }

    async fn launch(
        &self,
        exec: &Arc<Exec>,
        entry: &Arc<Entry>,
        detach: bool,
        size: Option<TerminalSize>,
    ) -> Result<Started, ExecsError> {
        let told = super::told("exec_start", &exec.spec);
        self.containers.tell(&entry.now().record, &told, |event| event.with("execID", &exec.id));
        match self.executed(exec, entry, size).await {
            Ok(program) => self.connect(exec, entry, program, detach),
            Err(failed) => {
                exec.end(0, failed.exit_code);
                Err(failed.error)
            }
        }
    }

    async fn executed(
        &self,
        exec: &Exec,
        entry: &Entry,
        size: Option<TerminalSize>,
    ) -> Result<Arc<dyn Program>, Failed> {
        let view = entry.now();
        let process = self.containers.further_process(&view.record, &exec.spec, size.as_ref());
        let process = process.map_err(|error| Failed { error: error.into(), exit_code: 128 })?;
        let privileged = exec.spec.privileged || view.record.spec.security.as_ref().is_some_and(|s| s.privileged);
        let launch = ExecLaunch { id: exec.id.clone(), container_id: entry.id.clone(), process, privileged };
        self.containers.launcher().start_exec(launch).await.map_err(Failed::from)
    }

    fn connect(
        &self,
        exec: &Arc<Exec>,
        entry: &Arc<Entry>,
        program: Arc<dyn Program>,
        detach: bool,
    ) -> Result<Started, ExecsError> {
        *exec.phase() = Phase::Running(Arc::clone(&program));
        let (to, from) = mpsc::channel(ON_THE_WAY);
        let input = if detach { Ok(None) } else { Input::of(&program) };
        let guard = entry.with_exec(&exec.id);
        let to = (!detach).then_some(to);
        tokio::spawn(see_to_the_end(self.containers.clone(), Arc::clone(exec), program, to, guard));
        Ok(Started { output: (!detach).then_some(from), input: input? })
    }
}

/// Carries the output, and tells the end: first the exit code, then that there is no more output.
async fn see_to_the_end(
    containers: Containers,
    exec: Arc<Exec>,
    program: Arc<dyn Program>,
    to: Option<mpsc::Sender<pump::Output>>,
    guard: ExecGuard,
) {
    let pumps = pump::outputs(&program, to.as_ref());
    let status = program.wait().await;
    exec.end(program.pid(), status.code);
    let view = guard.entry().now();
    containers.tell(&view.record, "exec_die", |event| event.with("execID", &exec.id).with("exitCode", status.code));
    drop(guard);
    pump::drain(pumps).await;
    drop(to);
    if let Err(error) = program.release().await {
        tracing::warn!(exec = %exec.id, %error, "an exec leaves something behind");
    }
}

impl Exec {
    /// Only one start gets through.
    fn claim(&self) -> Result<(), ExecsError> {
        let mut phase = self.phase();
        match &*phase {
            Phase::Created => {
                *phase = Phase::Starting;
                Ok(())
            }
            Phase::Starting | Phase::Running(_) => Err(ExecsError::AlreadyRunning(self.id.clone())),
            Phase::Ended { .. } => Err(ExecsError::AlreadyRun(self.id.clone())),
        }
    }

    fn end(&self, pid: u32, exit_code: i32) {
        *self.phase() = Phase::Ended { pid, exit_code, at: clock::now_nanos() };
    }
}

/// Why a start failed.
struct Failed {
    error: ExecsError,
    exit_code: i32,
}

impl From<LaunchError> for Failed {
    fn from(error: LaunchError) -> Self {
        let exit_code = error.exit_code();
        let reason = chain(&error);
        let error = match error {
            LaunchError::NotRunning { container_id } => ContainersError::NotRunning(container_id).into(),
            // dockerd looks users up itself, and says nothing before.
            LaunchError::Process(
                LaunchFailure::UnknownUser { .. } | LaunchFailure::UnknownGroup { .. } | LaunchFailure::IdOutOfRange,
            ) => ExecsError::Program(reason),
            LaunchError::Process(_) | LaunchError::NoProgram | LaunchError::Nul { .. } => {
                ExecsError::Program(format!("{BEFORE_REASON}{reason}: unknown"))
            }
            _ => ExecsError::Start(format!("{BEFORE_REASON}{reason}: unknown")),
        };
        Self { error, exit_code }
    }
}
