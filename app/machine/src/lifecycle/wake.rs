//! The second half of a start: the kernel comes up, then the agent.

use std::{io, sync::Arc, time::Duration};

use tokio::{sync::watch, time::timeout};

use super::{failure::Cause, launch::boot_initramfs, task::Shared};
use crate::{
    Failure, Phase, State,
    console::{self, Lines},
    guest,
    hypervisor::{Exit, Vm, VmState},
};

/// From a monitor that runs to an agent that answers.
pub(super) async fn wake(shared: &Shared, vm: &Arc<dyn Vm>) -> Result<(), Failure> {
    let config = &shared.config;
    let mut lines = Lines::from(config.console_log.clone(), 0);
    let kernel = wait_for_line(&mut lines, guest::CONSOLE_PREFIX);
    phase(shared, vm, Phase::Kernel, config.deadlines.kernel, "the kernel did not come up", kernel).await?;
    forget_initramfs(shared).await;
    let agent = async {
        wait_for_line(&mut lines, guest::AGENT_READY).await?;
        answer(shared, vm, &mut lines).await
    };
    phase(shared, vm, Phase::Agent, config.deadlines.agent, "the agent did not answer", agent).await
}

/// The same for a machine that an earlier daemon started.
pub(super) async fn adopt(shared: &Shared, vm: &Arc<dyn Vm>) -> Result<(), Failure> {
    let config = &shared.config;
    let agent = async {
        let (_, end) = console::tail(&config.console_log, 1).await.map_err(unreadable)?;
        answer(shared, vm, &mut Lines::from(config.console_log.clone(), end)).await
    };
    phase(shared, vm, Phase::Agent, config.deadlines.agent, "the agent did not answer", agent).await
}

/// How the machine ends; never answers while it runs.
pub async fn ended(mut state: watch::Receiver<VmState>) -> Exit {
    loop {
        if let VmState::Ended(exit) = &*state.borrow_and_update() {
            return exit.clone();
        }
        if state.changed().await.is_err() {
            return Exit::VmmDied("nobody watches it any more".to_owned());
        }
    }
}

async fn phase(
    shared: &Shared,
    vm: &Arc<dyn Vm>,
    phase: Phase,
    deadline: Duration,
    missed: &str,
    work: impl Future<Output = Result<(), Cause>>,
) -> Result<(), Failure> {
    shared.publisher.state(State::Starting(phase));
    let cause = tokio::select! {
        // A reason that the guest gave comes before the end that follows from it.
        biased;
        result = timeout(deadline, work) => match result {
            Ok(Ok(())) => return Ok(()),
            Ok(Err(cause)) => cause,
            Err(_) => Cause::deadline(missed, deadline),
        },
        exit = ended(vm.state()) => Cause::ended(&exit, &shared.config).await,
    };
    Err(cause.at(Some(phase), &shared.config).await)
}

/// The agent answers, unless PID 1 gives up before.
async fn answer(shared: &Shared, vm: &Arc<dyn Vm>, lines: &mut Lines) -> Result<(), Cause> {
    tokio::select! {
        ready = shared.guest.ready(vm.clone()) => ready.map_err(|e| Cause::guest(&e.0)),
        fatal = until_fatal(lines) => Err(fatal),
    }
}

async fn wait_for_line(lines: &mut Lines, wanted: &str) -> Result<(), Cause> {
    loop {
        let line = lines.next().await.map_err(unreadable)?;
        // Not `starts_with`: the kernel may have left half a line of its own before it.
        fatal(&line)?;
        if line.contains(wanted) {
            return Ok(());
        }
    }
}

async fn until_fatal(lines: &mut Lines) -> Cause {
    loop {
        match lines.next().await.map_err(unreadable).and_then(|line| fatal(&line)) {
            Ok(()) => {}
            Err(cause) => return cause,
        }
    }
}

fn fatal(line: &str) -> Result<(), Cause> {
    line.split_once(guest::FATAL).map_or(Ok(()), |(_, reason)| Err(Cause::guest(reason.trim())))
}

fn unreadable(error: io::Error) -> Cause {
    Cause::files("read the console", &error)
}

/// The kernel has unpacked it, and the secret is in it.
async fn forget_initramfs(shared: &Shared) {
    let path = boot_initramfs(&shared.config);
    if let Err(error) = tokio::fs::remove_file(&path).await {
        tracing::warn!(path = %path.display(), %error, "could not remove the initramfs of this boot");
    }
}
