//! Waiting for the end of a run, or of a container.

use tokio::sync::oneshot;

use cove_proto::v1::WaitCondition;

use super::{
    Containers, ContainersError,
    actor::{Actor, Command},
    chain,
};

/// What was waited for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Waited {
    /// Exit code of the run.
    pub exit_code: i32,
    /// Why the removal failed that was waited for; empty if it did not. As with dockerd, a start that fails is no error
    /// of the wait: whoever started is told.
    pub error: String,
}

impl Containers {
    /// Registers a wait; what it returns tells when the condition has come true.
    ///
    /// # Errors
    /// If there is no such container.
    pub async fn wait(
        &self,
        container: &str,
        condition: WaitCondition,
    ) -> Result<oneshot::Receiver<Waited>, ContainersError> {
        let entry = self.find(container)?;
        let (reply, registered) = oneshot::channel();
        let gone = || ContainersError::NoSuchContainer(container.to_owned());
        entry.commands.send(Command::Wait(condition, reply)).await.map_err(|_| gone())?;
        registered.await.map_err(|_| gone())
    }
}

impl Actor {
    pub(super) fn register(&mut self, condition: WaitCondition, reply: oneshot::Sender<oneshot::Receiver<Waited>>) {
        let (tell, told) = oneshot::channel();
        let now = matches!(condition, WaitCondition::Unspecified | WaitCondition::NotRunning);
        if now && self.running.is_none() && self.restart_at.is_none() {
            let _ = tell.send(Waited { exit_code: self.record.state.exit_code, error: String::new() });
        } else {
            self.waiters.retain(|(_, waiter)| !waiter.is_closed());
            self.waiters.push((condition, tell));
        }
        let _ = reply.send(told);
    }

    /// A run has ended.
    pub(super) fn notify_end(&mut self) {
        self.notify(|condition| condition != WaitCondition::Removed, String::new());
    }

    /// The container is removed, and with it every wait: there will be no further run.
    pub(super) fn notify_removed(&mut self) {
        self.notify(|_| true, String::new());
    }

    /// It could not be removed.
    pub(super) fn notify_not_removed(&mut self, error: &ContainersError) {
        self.notify(|condition| condition == WaitCondition::Removed, chain(error));
    }

    fn notify(&mut self, concerns: impl Fn(WaitCondition) -> bool, error: String) {
        let waited = Waited { exit_code: self.record.state.exit_code, error };
        let (told, kept): (Vec<_>, Vec<_>) = self.waiters.drain(..).partition(|(condition, _)| concerns(*condition));
        self.waiters = kept;
        for (_, waiter) in told {
            let _ = waiter.send(waited.clone());
        }
    }
}
