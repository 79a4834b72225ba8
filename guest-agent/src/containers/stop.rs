//! Stopping a container: its stop signal, then patience, then SIGKILL.

use std::sync::{Arc, atomic::Ordering};

use tokio::time::{Duration, timeout};

use super::{
    Containers, ContainersError, Entry,
    actor::{By, Command},
    detached,
    program::Program,
    signals,
};

/// Docker's patience.
const PATIENCE_SECONDS: i32 = 10;

/// How long SIGKILL may take, as with dockerd; what then still runs hangs in the kernel.
const KILL_PATIENCE: Duration = Duration::from_secs(10);

impl Containers {
    /// Stops a container; says whether it was stopped already. Goes on when the caller leaves.
    ///
    /// # Errors
    /// If there is no such container or signal, or it does not end.
    pub async fn stop(
        &self,
        container: &str,
        timeout_seconds: Option<i32>,
        signal: &str,
    ) -> Result<bool, ContainersError> {
        let entry = self.find(container)?;
        let signal = stop_signal(&entry, signal)?;
        let patience = patience(&entry, timeout_seconds);
        detached(async move { end(&entry, signal, patience).await }).await
    }

    /// Stops all containers at once and lets none start any more; says how many ran.
    pub async fn stop_all(&self, grace: Duration) -> u32 {
        self.0.shutting_down.store(true, Ordering::SeqCst);
        let stops = self.all().into_iter().filter(|entry| entry.now().program.is_some()).map(|entry| async move {
            // A stop signal that no longer parses cannot be: it was checked.
            let signal = stop_signal(&entry, "").unwrap_or(libc::SIGTERM);
            let patience = patience(&entry, None).map_or(grace, |own| own.min(grace));
            if let Err(error) = end(&entry, signal, Some(patience)).await {
                tracing::warn!(container = %entry.id, error = &error as &dyn std::error::Error, "does not end");
            }
        });
        let ended = futures::future::join_all(stops).await;
        u32::try_from(ended.len()).unwrap_or(u32::MAX)
    }
}

pub(super) fn stop_signal(entry: &Entry, asked: &str) -> Result<i32, ContainersError> {
    let view = entry.now();
    let own = view.record.spec.stop_signal.as_str();
    match (asked, own) {
        ("", "") => Ok(libc::SIGTERM),
        ("", name) | (name, _) => signals::parse(name).ok_or_else(|| ContainersError::InvalidSignal(name.to_owned())),
    }
}

/// `None` is for ever.
pub(super) fn patience(entry: &Entry, asked: Option<i32>) -> Option<Duration> {
    let seconds = asked.or(entry.now().record.spec.stop_timeout_seconds).unwrap_or(PATIENCE_SECONDS);
    u64::try_from(seconds).ok().map(Duration::from_secs)
}

/// Ends the run of a container; says whether there was none.
pub(super) async fn end(entry: &Arc<Entry>, signal: i32, patience: Option<Duration>) -> Result<bool, ContainersError> {
    let program = match find_run(entry, By::Stop).await? {
        Found::Runs(program) => program,
        Found::GivenUp => return Ok(false),
        Found::Idle => return Ok(true),
    };
    if send(entry, signal).await? || is_over(entry, &program, patience).await {
        return Ok(false);
    }
    if send(entry, libc::SIGKILL).await? || is_over(entry, &program, Some(KILL_PATIENCE)).await {
        return Ok(false);
    }
    Err(ContainersError::Start(format!("container {} did not end within 10 seconds of SIGKILL", entry.id)))
}

/// What there is to end.
pub(super) enum Found {
    /// Its program.
    Runs(Arc<dyn Program>),
    /// It was about to be started again, and is not any more.
    GivenUp,
    /// Nothing.
    Idle,
}

pub(super) async fn find_run(entry: &Entry, by: By) -> Result<Found, ContainersError> {
    loop {
        let view = entry.now();
        match &view.program {
            Some(program) => return Ok(Found::Runs(Arc::clone(program))),
            None if !view.is_restarting() => return Ok(Found::Idle),
            None if entry.ask(|reply| Command::GiveUpRestart { by, reply }).await? => return Ok(Found::GivenUp),
            // It runs again, or has gone, meanwhile.
            None => {}
        }
    }
}

/// Waits until this run is over (the container may start again meanwhile), for no longer than `patience`.
pub(super) async fn is_over(entry: &Entry, program: &Arc<dyn Program>, patience: Option<Duration>) -> bool {
    let mut view = entry.watch();
    // An error means that the task is gone, and the container with it.
    let over = view.wait_for(|view| !view.program.as_ref().is_some_and(|now| Arc::ptr_eq(now, program)));
    match patience {
        Some(patience) => timeout(patience, over).await.is_ok(),
        None => {
            let _ = over.await;
            true
        }
    }
}

/// Sends a signal; says whether there was nothing left to send it to.
async fn send(entry: &Entry, signal: i32) -> Result<bool, ContainersError> {
    match entry.ask(|reply| Command::Signal { signal, by: By::Stop, reply }).await {
        Ok(()) => Ok(false),
        Err(ContainersError::NotRunning(_) | ContainersError::NoSuchContainer(_)) => Ok(true),
        Err(error) => Err(error),
    }
}
