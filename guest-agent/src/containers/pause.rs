//! Freezing all processes of a container, and letting them go on.

use super::{
    Containers, ContainersError,
    actor::{Actor, Command},
};

impl Containers {
    /// Freezes all processes of a container.
    ///
    /// # Errors
    /// If it does not run, is frozen, or the kernel does not do it.
    pub async fn pause(&self, container: &str) -> Result<(), ContainersError> {
        self.find(container)?.ask(|reply| Command::Pause { pause: true, reply }).await
    }

    /// Lets the processes of a container go on.
    ///
    /// # Errors
    /// If it is not frozen, or the kernel does not do it.
    pub async fn unpause(&self, container: &str) -> Result<(), ContainersError> {
        self.find(container)?.ask(|reply| Command::Pause { pause: false, reply }).await
    }
}

impl Actor {
    pub(super) async fn pause(&mut self, pause: bool) -> Result<(), ContainersError> {
        let id = &self.record.id;
        if pause && self.restart_at.is_some() {
            return Err(ContainersError::Restarting(id.clone()));
        }
        match (&mut self.running, pause) {
            (None, true) => return Err(ContainersError::NotRunning(id.clone())),
            (Some(running), true) if running.paused => return Err(ContainersError::AlreadyPaused(id.clone())),
            (Some(running), _) if running.paused != pause => {
                let done = running.program.freeze(pause).await;
                done.map_err(|source| ContainersError::Freeze { id: id.clone(), pause, source })?;
                running.paused = pause;
            }
            (_, _) => return Err(ContainersError::NotPaused(id.clone())),
        }
        if pause {
            self.stop_health_checks();
        } else {
            self.begin_health_checks();
        }
        self.publish();
        self.tell(if pause { "pause" } else { "unpause" });
        Ok(())
    }

    /// Lets a frozen container go on that was sent a signal, so that it sees it.
    pub(super) async fn thaw(&mut self) {
        if self.running.as_ref().is_some_and(|running| running.paused)
            && let Err(error) = self.pause(false).await
        {
            tracing::warn!(container = %self.record.id, error = &error as &dyn std::error::Error,
                "a container that is to end cannot be unpaused");
        }
    }
}
