//! Removing a container: out of the way on the disk, then out of the database, then its space is freed. If the agent ends
//! between the steps, its next start finishes them.

use std::sync::Arc;

use super::{
    Containers, ContainersError,
    actor::{Actor, Command, Life},
    blocking, mounts,
    record::{CONTAINERS, Phase},
};
impl Containers {
    /// Removes a container; with `force`, kills it first; with `volumes`, those that were made for it without a name go
    /// with it.
    ///
    /// # Errors
    /// If it runs and `force` is not given, or something of it stays.
    pub async fn remove(&self, container: &str, force: bool, volumes: bool) -> Result<(), ContainersError> {
        let entry = self.find(container)?;
        let removed = entry.ask(|reply| Command::Remove { force, volumes, reply }).await;
        removed.map_err(|error| match error {
            ContainersError::Active(_) | ContainersError::RemovePaused => {
                ContainersError::Remove { container: container.to_owned(), source: Box::new(error) }
            }
            other => other,
        })
    }
}

impl Actor {
    pub(super) async fn remove_on_request(
        &mut self,
        force: bool,
        volumes: bool,
    ) -> (Result<(), ContainersError>, Life) {
        if let Some(running) = &self.running {
            if !force && running.paused {
                return (Err(ContainersError::RemovePaused), Life::Goes);
            }
            if !force {
                return (Err(ContainersError::Active("running")), Life::Goes);
            }
            let program = Arc::clone(&running.program);
            program.kill_all();
            let status = program.wait().await;
            self.settle(status, None).await;
        } else if self.restart_at.is_some() && !force {
            return (Err(ContainersError::Active("restarting")), Life::Goes);
        }
        self.restart_at = None;
        self.engine.networks.unpublish(&self.record.id).await;
        match self.remove(volumes).await {
            Ok(()) => (Ok(()), Life::Ended),
            Err(error) => (Err(error), Life::Goes),
        }
    }

    /// Removes what does not run. After a failure it is dead, and may be removed again.
    pub(super) async fn remove(&mut self, volumes: bool) -> Result<(), ContainersError> {
        self.record.state.phase = Phase::Removing;
        self.publish();
        let (engine, id) = (Arc::clone(&self.engine), self.record.id.clone());
        let record = self.record.clone();
        let removed = blocking(move || {
            engine.folders.discard(&id)?;
            engine.database.write_blocking(|changes| CONTAINERS.delete(changes, &id).map(drop))?;
            engine.images.release(&id)?;
            mounts::release(&engine, &record, volumes)
        });
        if let Err(error) = removed.await {
            self.record.state.phase = Phase::Dead;
            if let Err(unsaved) = self.save().await {
                tracing::warn!(container = %self.record.id, error = &unsaved as &dyn std::error::Error,
                    "a failed removal cannot be written down");
            }
            self.publish();
            self.notify_not_removed(&error);
            return Err(error);
        }
        self.engine.index().remove(&self.record.id);
        self.log.close();
        self.tell("destroy");
        self.publish_end();
        self.notify_removed();
        let (engine, id) = (Arc::clone(&self.engine), self.record.id.clone());
        let freed = blocking(move || engine.folders.free(&id)).await;
        if let Err(error) = freed {
            tracing::warn!(container = %self.record.id, error = &error as &dyn std::error::Error,
                "the space of a removed container is not free yet");
        }
        Ok(())
    }
}
