//! The suite that every hypervisor passes: a backend's test gives it machines whose guests do what [`Behaviour`] says.
//!
//! A case answers with what was wrong instead of panicking, so that one run tells all.

use std::{future::Future, path::Path, sync::Arc, time::Duration};

use tokio::time::{sleep, timeout};

use crate::{
    console::{self, Lines},
    guest,
    hypervisor::{BoxFuture, Connection, Exit, Hypervisor, HypervisorError, MachineSpec, Vm, VmState},
    lifecycle::ended,
};

/// What a guest does. It says PID 1's first line first, whichever it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Behaviour {
    /// Listens on [`Subject::listening_port`], says that its agent is ready, and lives.
    Listen,
    /// Lives without listening anywhere.
    Idle,
    /// Powers off.
    PowerOff,
    /// Its kernel panics.
    Panic,
    /// Resets.
    Reset,
    /// Looks for its mark at the beginning of its disk: says [`DISK_KEPT`], or writes it there, flushes it and says
    /// [`DISK_WRITTEN`]. Then it powers off.
    Disk,
}

/// A guest's word that it has found its mark on the disk.
pub const DISK_KEPT: &str = "disk: kept";
/// A guest's word that it has written its mark to the disk.
pub const DISK_WRITTEN: &str = "disk: written";

const ARGUMENT: &str = "cove.conformance=";

impl Behaviour {
    /// The kernel argument that tells a guest what to do.
    #[must_use]
    pub fn kernel_argument(self) -> String {
        format!("{ARGUMENT}{}", self.word())
    }

    /// What these kernel arguments tell it to do.
    #[must_use]
    pub fn of(arguments: &[String]) -> Option<Self> {
        let word = arguments.iter().find_map(|argument| argument.strip_prefix(ARGUMENT))?;
        [Self::Listen, Self::Idle, Self::PowerOff, Self::Panic, Self::Reset, Self::Disk]
            .into_iter()
            .find(|b| b.word() == word)
    }

    /// How it ends by itself.
    #[must_use]
    pub fn exit(self) -> Option<Exit> {
        match self {
            Self::Listen | Self::Idle => None,
            Self::PowerOff | Self::Disk => Some(Exit::PowerOff),
            Self::Panic => Some(Exit::Panic),
            Self::Reset => Some(Exit::Reset),
        }
    }

    fn word(self) -> &'static str {
        match self {
            Self::Listen => "listen",
            Self::Idle => "idle",
            Self::PowerOff => "poweroff",
            Self::Panic => "panic",
            Self::Reset => "reset",
            Self::Disk => "disk",
        }
    }
}

/// A hypervisor under test.
pub trait Subject: Sync {
    /// It.
    fn hypervisor(&self) -> Arc<dyn Hypervisor>;
    /// A machine of this name whose guest does this. Its runtime folder exists and is empty.
    fn spec(&self, name: &str, behaviour: Behaviour) -> MachineSpec;
    /// The port that [`Behaviour::Listen`] listens on.
    fn listening_port(&self) -> u32;
    /// How long a boot may take.
    fn patience(&self) -> Duration;
}

/// What came of a case.
#[derive(Debug)]
pub struct Outcome {
    /// The case, a sentence.
    pub name: &'static str,
    /// What was wrong.
    pub result: Result<(), String>,
}

/// Runs every case.
pub async fn suite(subject: &dyn Subject) -> Vec<Outcome> {
    type Case = fn(&dyn Subject) -> BoxFuture<'_, Result<(), String>>;
    let cases: [(&str, Case); 6] = [
        ("a machine runs, writes its console and is told apart from a dead one", |s| Box::pin(runs_and_is_killed(s))),
        ("a port that listens answers", |s| Box::pin(listening_port_answers(s))),
        ("a port on which nothing listens does not answer", |s| Box::pin(idle_port_does_not_answer(s))),
        ("power-off, panic and reset are told apart", |s| Box::pin(ends_are_told_apart(s))),
        ("a start without a kernel fails and leaves nothing behind", |s| Box::pin(failed_start_leaves_nothing(s))),
        ("the place of a machine that has ended is free again", |s| Box::pin(place_is_free_again(s))),
    ];
    let mut outcomes = Vec::new();
    for (name, case) in cases {
        outcomes.push(Outcome { name, result: case(subject).await });
    }
    outcomes
}

/// What a guest has flushed to its disk is there in its next run. Apart from the suite: stand-ins have no disk.
///
/// # Errors
/// What was wrong.
pub async fn disk_is_kept(subject: &dyn Subject) -> Result<(), String> {
    let spec = subject.spec("disk", Behaviour::Disk);
    for wanted in [DISK_WRITTEN, DISK_KEPT] {
        let vm = start(subject, spec.clone()).await?;
        let exit = within(subject.patience(), wanted, ended(vm.state())).await?;
        let said = std::fs::read(&spec.console_log).map_err(|e| format!("read the console: {e}"))?;
        let said = String::from_utf8_lossy(&said);
        holds(said.contains(wanted), &format!("no {wanted:?} on the console, which says:\n{said}"))?;
        holds(exit == Exit::PowerOff, &format!("the power-off is taken for: {exit}"))?;
    }
    Ok(())
}

async fn runs_and_is_killed(subject: &dyn Subject) -> Result<(), String> {
    let spec = subject.spec("killed", Behaviour::Idle);
    let vm = start(subject, spec.clone()).await?;
    holds(*vm.state().borrow() == VmState::Running, "it is not running after its start")?;
    console_says(subject, &vm, &spec, guest::CONSOLE_PREFIX).await?;
    let platform = vm.platform();
    holds(!platform.hypervisor.is_empty() && platform.cid > 2, "its platform is not said")?;
    kill(&vm).await?;
    kill(&vm).await?;
    holds(*vm.state().borrow() == VmState::Ended(Exit::Forced), "a kill is not the end by force")?;
    match vm.connect(subject.listening_port()).await {
        Err(HypervisorError::Ended(Exit::Forced)) => Ok(()),
        Err(other) => Err(format!("dialling a dead machine gives: {other}")),
        Ok(_) => Err("a dead machine was dialled".to_owned()),
    }
}

async fn listening_port_answers(subject: &dyn Subject) -> Result<(), String> {
    let spec = subject.spec("listening", Behaviour::Listen);
    let vm = start(subject, spec.clone()).await?;
    console_says(subject, &vm, &spec, guest::AGENT_READY).await?;
    let dialled = dial(subject, &vm, subject.listening_port()).await;
    kill(&vm).await?;
    dialled.map(drop)
}

async fn idle_port_does_not_answer(subject: &dyn Subject) -> Result<(), String> {
    let spec = subject.spec("idle", Behaviour::Idle);
    let vm = start(subject, spec.clone()).await?;
    console_says(subject, &vm, &spec, guest::CONSOLE_PREFIX).await?;
    let dialled = within(subject.patience(), "dialling", vm.connect(subject.listening_port())).await;
    kill(&vm).await?;
    match dialled? {
        Err(HypervisorError::NotListening(_)) => Ok(()),
        Err(other) => Err(format!("an idle port gives: {other}")),
        Ok(_) => Err("an idle port answered".to_owned()),
    }
}

async fn ends_are_told_apart(subject: &dyn Subject) -> Result<(), String> {
    for (name, behaviour) in
        [("poweroff", Behaviour::PowerOff), ("panic", Behaviour::Panic), ("reset", Behaviour::Reset)]
    {
        let vm = start(subject, subject.spec(name, behaviour)).await?;
        let exit = within(subject.patience(), name, ended(vm.state())).await?;
        holds(Some(&exit) == behaviour.exit().as_ref(), &format!("{name} is taken for: {exit}"))?;
        kill(&vm).await?;
        holds(*vm.state().borrow() == VmState::Ended(exit), "a kill changes how it ended")?;
    }
    Ok(())
}

async fn failed_start_leaves_nothing(subject: &dyn Subject) -> Result<(), String> {
    let mut spec = subject.spec("no-kernel", Behaviour::Idle);
    spec.kernel = spec.runtime_dir.join("no-such-kernel");
    let started = within(subject.patience(), "the start", subject.hypervisor().start(spec.clone())).await?;
    if let Ok(vm) = started {
        kill(&vm).await?;
        return Err("a machine without a kernel started".to_owned());
    }
    is_empty(&spec.runtime_dir)
}

async fn place_is_free_again(subject: &dyn Subject) -> Result<(), String> {
    let spec = subject.spec("again", Behaviour::Idle);
    for _ in 0..2 {
        let vm = start(subject, spec.clone()).await?;
        kill(&vm).await?;
        is_empty(&spec.runtime_dir)?;
    }
    Ok(())
}

async fn start(subject: &dyn Subject, spec: MachineSpec) -> Result<Arc<dyn Vm>, String> {
    let hypervisor = subject.hypervisor();
    within(subject.patience(), "the start", hypervisor.start(spec)).await?.map_err(|e| format!("the start: {e}"))
}

async fn kill(vm: &Arc<dyn Vm>) -> Result<(), String> {
    within(Duration::from_secs(20), "the kill", vm.kill()).await
}

/// An agent that says that it is ready answers at once, but a dial may be tried again.
async fn dial(subject: &dyn Subject, vm: &Arc<dyn Vm>, port: u32) -> Result<Connection, String> {
    let attempts = async {
        loop {
            match vm.connect(port).await {
                Err(HypervisorError::NotListening(_)) => sleep(Duration::from_millis(20)).await,
                other => return other.map_err(|e| format!("dialling: {e}")),
            }
        }
    };
    within(subject.patience(), "dialling", attempts).await?
}

async fn console_says(subject: &dyn Subject, vm: &Arc<dyn Vm>, spec: &MachineSpec, wanted: &str) -> Result<(), String> {
    let mut lines = Lines::from(spec.console_log.clone(), 0);
    let said = async {
        loop {
            match lines.next().await {
                Ok(line) if line.contains(wanted) => return Ok(()),
                Ok(_) => {}
                Err(error) => return Err(format!("read the console: {error}")),
            }
        }
    };
    let what = format!("{wanted:?} on the console");
    let said = within(subject.patience(), &what, said);
    let said = tokio::select! {
        said = said => said,
        exit = ended(vm.state()) => Err(format!("no {wanted:?} on the console: {exit}")),
    };
    match said {
        Ok(result) => result,
        Err(late) => {
            let tail = console::tail(&spec.console_log, console::FAILURE_LINES).await.unwrap_or_default().0;
            Err(format!("{late}; the console ends with:\n{}", String::from_utf8_lossy(&tail)))
        }
    }
}

async fn within<T>(patience: Duration, what: &str, work: impl Future<Output = T>) -> Result<T, String> {
    timeout(patience, work).await.map_err(|_| format!("{what}: nothing within {} s", patience.as_secs()))
}

fn holds(holds: bool, otherwise: &str) -> Result<(), String> {
    if holds { Ok(()) } else { Err(otherwise.to_owned()) }
}

fn is_empty(folder: &Path) -> Result<(), String> {
    let names = std::fs::read_dir(folder).map_err(|e| e.to_string())?.flatten().map(|e| e.file_name());
    let left: Vec<_> = names.collect();
    holds(left.is_empty(), &format!("left behind: {left:?}"))
}
