//! What the machine tells others about itself.
//!
//! ```text
//!             start                 the agent answers
//!  Stopped ─────────► Starting ─────────────────────► Running
//!     ▲               │  prepare, vmm, kernel, agent   │  │
//!     │   a phase     │                                │  │ stop
//!     │   fails       ▼        it ends by itself       │  ▼
//!     │             Failed ◄───────────────────────────┘ Stopping
//!     └──────────────────────────────────────────────────────┘
//! ```
//!
//! `Failed` is `Stopped` with a reason: a start is possible from both. A guest that powers off in order while the machine
//! runs is `Stopped`, not `Failed`.

use std::{fmt, time::SystemTime};

use crate::hypervisor::{Check, Exit, Platform};

/// The machine as it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Status {
    /// Where its life stands.
    pub state: State,
    /// When that began.
    pub since: SystemTime,
    /// Grows by one with each change; a later daemon's are larger than an earlier one's.
    pub revision: u64,
    /// How the last run ended.
    pub last_exit: Option<Exit>,
    /// What the user should know although it works.
    pub warnings: Vec<String>,
    /// What it runs on; `None` while no monitor runs.
    pub platform: Option<Platform>,
}

/// Where the machine's life stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum State {
    /// Not running.
    Stopped,
    /// On its way up.
    Starting(Phase),
    /// Its agent answers.
    Running,
    /// On its way down.
    Stopping,
    /// A start or a run ended badly.
    Failed(Failure),
}

/// The phases of a start.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// The host is checked and the files of the run are made.
    Prepare,
    /// The monitor comes up.
    Vmm,
    /// The kernel comes up, until PID 1 speaks.
    Kernel,
    /// The agent comes up, until it answers.
    Agent,
}

impl fmt::Display for Phase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Prepare => "prepare",
            Self::Vmm => "vmm",
            Self::Kernel => "kernel",
            Self::Agent => "agent",
        })
    }
}

/// What kind of failure it was; callers branch on this, never on text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FailureKind {
    /// The host lacks something.
    Host(Vec<Check>),
    /// The settings are not usable.
    Settings,
    /// A file of the run could not be made or read.
    Files,
    /// The monitor could not be started or told something.
    Monitor,
    /// A phase took longer than its deadline.
    Deadline,
    /// PID 1 or the agent said that it cannot go on.
    Guest,
    /// The machine ended by itself.
    Ended(Exit),
}

/// Why a start or a run ended badly.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// The phase of the start, or `None` if the machine ran.
    pub phase: Option<Phase>,
    /// What kind it was.
    pub kind: FailureKind,
    /// What went wrong, one sentence.
    pub cause: String,
    /// What to do about it, one sentence; never empty.
    pub fix: String,
    /// The end of the console.
    pub console_tail: String,
}

impl fmt::Display for Failure {
    /// A sentence a line: what failed, why, what to do. The console is left to who shows it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.phase {
            Some(phase) => writeln!(f, "the machine did not start (phase {phase})")?,
            None => writeln!(f, "the machine ended unexpectedly")?,
        }
        write!(f, "{}\n{}", self.cause, self.fix)
    }
}

impl fmt::Display for Exit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::PowerOff => f.write_str("the guest powered off"),
            Self::Panic => f.write_str("the guest's kernel panicked"),
            Self::Reset => f.write_str("the guest asked for a reset"),
            Self::Forced => f.write_str("it was ended by force"),
            Self::VmmDied(why) => write!(f, "its monitor died: {why}"),
        }
    }
}
