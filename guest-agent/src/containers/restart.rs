//! Stopping and starting a container.

use super::{Containers, ContainersError, actor::Command, detached, stop};

impl Containers {
    /// Stops a container if it runs, and starts it. One that is removed at its end is not removed at this one. Goes on when
    /// the caller leaves.
    ///
    /// # Errors
    /// If it does not end, or cannot be started.
    pub async fn restart(
        &self,
        container: &str,
        timeout_seconds: Option<i32>,
        signal: &str,
    ) -> Result<(), ContainersError> {
        let entry = self.find(container)?;
        let signal = stop::stop_signal(&entry, signal)?;
        let patience = stop::patience(&entry, timeout_seconds);
        let this = self.clone();
        detached(async move {
            let _stays = entry.restart();
            stop::end(&entry, signal, patience).await?;
            entry.ask(Command::Start).await?;
            this.tell(&entry.now().record, "restart", |event| event);
            Ok(())
        })
        .await
    }
}
