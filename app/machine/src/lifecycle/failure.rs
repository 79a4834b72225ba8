//! How what went wrong is told: cause, kind and what to do.

use std::{error::Error, io, time::Duration};

use crate::{
    Failure, FailureKind, MachineConfig, Phase, console, guest,
    hypervisor::{Check, Exit, HypervisorError, Verdict},
    prepare::{disk::DiskError, initramfs::InitramfsError},
    settings::SettingsError,
};

const LOOK_AT_CONSOLE: &str = "Start it again; if that fails too, the console says more: cove machine-log";

/// A failure without a phase and a console yet.
pub(super) struct Cause {
    pub(super) kind: FailureKind,
    pub(super) cause: String,
    pub(super) fix: String,
}

impl Cause {
    /// The failure with the end of the console as it is now.
    pub(super) async fn at(self, phase: Option<Phase>, config: &MachineConfig) -> Failure {
        let Self { kind, cause, fix } = self;
        let console_tail = console_tail(config).await;
        Failure { phase, kind, cause, fix, console_tail }
    }

    pub(super) fn deadline(what: &str, deadline: Duration) -> Self {
        Self {
            kind: FailureKind::Deadline,
            cause: format!("{what} within {} s", deadline.as_secs_f32()),
            fix: LOOK_AT_CONSOLE.to_owned(),
        }
    }

    pub(super) fn guest(reason: &str) -> Self {
        Self {
            kind: FailureKind::Guest,
            cause: format!("the guest cannot go on: {reason}"),
            fix: LOOK_AT_CONSOLE.to_owned(),
        }
    }

    pub(super) fn files(what: &str, error: &io::Error) -> Self {
        Self { kind: FailureKind::Files, cause: format!("{what}: {error}"), fix: fix_of(error).to_owned() }
    }

    /// The machine ended by itself. What PID 1 said last is a better reason than how the monitor saw the end.
    pub(super) async fn ended(exit: &Exit, config: &MachineConfig) -> Self {
        let tail = console_tail(config).await;
        let said = tail.lines().rev().find_map(|line| line.split_once(guest::FATAL).map(|(_, reason)| reason.trim()));
        match said {
            Some(reason) => Self::guest(reason),
            None => Self {
                kind: FailureKind::Ended(exit.clone()),
                cause: exit.to_string(),
                fix: LOOK_AT_CONSOLE.to_owned(),
            },
        }
    }

    /// The problems among the checks, if there are any.
    pub(super) fn host(checks: Vec<Check>) -> Option<Self> {
        let problems: Vec<Check> = checks.into_iter().filter(|check| check.verdict == Verdict::Problem).collect();
        let join = |part: fn(&Check) -> &str| problems.iter().map(part).collect::<Vec<_>>().join("; ");
        let (cause, fix) = (join(|check| &check.finding), join(|check| &check.fix));
        (!problems.is_empty()).then_some(Self { kind: FailureKind::Host(problems), cause, fix })
    }
}

impl From<HypervisorError> for Cause {
    fn from(error: HypervisorError) -> Self {
        let cause = error.to_string();
        let fix = "See what is missing on this host with: cove doctor".to_owned();
        match error {
            HypervisorError::Host(checks) => {
                Self::host(checks).unwrap_or(Self { kind: FailureKind::Monitor, cause, fix })
            }
            HypervisorError::Ended(exit) => Self { kind: FailureKind::Ended(exit), cause, fix },
            HypervisorError::Operation { .. } | HypervisorError::NotListening(_) => {
                Self { kind: FailureKind::Monitor, cause, fix }
            }
        }
    }
}

impl From<SettingsError> for Cause {
    fn from(error: SettingsError) -> Self {
        let fix = "Correct the settings, or remove the file to use the defaults".to_owned();
        Self { kind: FailureKind::Settings, cause: chain(&error), fix }
    }
}

impl From<DiskError> for Cause {
    fn from(error: DiskError) -> Self {
        let (DiskError::Open { source, .. } | DiskError::Grow { source, .. }) = &error;
        Self { kind: FailureKind::Files, cause: chain(&error), fix: fix_of(source).to_owned() }
    }
}

impl From<InitramfsError> for Cause {
    fn from(error: InitramfsError) -> Self {
        let fix = match &error {
            InitramfsError::Image { .. } => "Install Cove again: its machine image is not complete",
            InitramfsError::Write { source, .. } => fix_of(source),
        };
        Self { kind: FailureKind::Files, cause: chain(&error), fix: fix.to_owned() }
    }
}

fn fix_of(error: &io::Error) -> &'static str {
    match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => "Free some space on this disk and start it again",
        io::ErrorKind::PermissionDenied => "Make the folder writable for this user",
        io::ErrorKind::FileTooLarge => "This disk's file system does not hold files of that size; use a smaller disk",
        io::ErrorKind::ReadOnlyFilesystem => "Use a folder on a disk that can be written",
        _ => "Check the path and the disk it is on, and start it again",
    }
}

/// The error and its sources, once each.
fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        text.push_str(&format!(": {error}"));
        source = error.source();
    }
    text
}

async fn console_tail(config: &MachineConfig) -> String {
    match console::tail(&config.console_log, console::FAILURE_LINES).await {
        Ok((data, _)) => String::from_utf8_lossy(&data).into_owned(),
        Err(error) => format!("({}: {error})", config.console_log.display()),
    }
}
