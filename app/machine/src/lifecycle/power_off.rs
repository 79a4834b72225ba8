//! The ladder of a stop: the agent ends the containers and powers off; what does not end within its grace is ended by
//! force.

use std::{sync::Arc, time::Duration};

use tokio::time::timeout;

use super::{StopError, StopOptions, task::Shared, wake::ended};
use crate::{
    MachineSettings,
    hypervisor::{Exit, Vm},
};

/// Asks, waits, ends by force.
pub(super) async fn ladder(shared: &Shared, vm: &Arc<dyn Vm>, options: StopOptions) -> Result<Exit, StopError> {
    if !options.force
        && let Some(exit) = ask(shared, vm, grace(shared, options)).await
    {
        return Ok(exit);
    }
    force(shared, vm).await
}

/// Ends it by force.
pub(super) async fn force(shared: &Shared, vm: &Arc<dyn Vm>) -> Result<Exit, StopError> {
    let deadline = shared.config.deadlines.kill;
    let end = async {
        vm.kill().await;
        ended(vm.state()).await
    };
    timeout(deadline, end).await.map_err(|_| StopError::Unkillable(deadline))
}

async fn ask(shared: &Shared, vm: &Arc<dyn Vm>, grace: Duration) -> Option<Exit> {
    let deadlines = &shared.config.deadlines;
    let in_order = async {
        if let Err(error) = shared.guest.power_off(vm.clone(), grace).await {
            // The answer may have been lost because the guest was quick; then it ends now.
            tracing::warn!(%error, "the agent could not be asked to power off");
            return timeout(deadlines.unasked, ended(vm.state())).await.ok();
        }
        Some(ended(vm.state()).await)
    };
    tokio::select! {
        exit = timeout(grace.saturating_add(deadlines.power_off), in_order) => exit.ok().flatten(),
        // It may end while it is being asked.
        exit = ended(vm.state()) => Some(exit),
    }
}

fn grace(shared: &Shared, options: StopOptions) -> Duration {
    options.grace.unwrap_or_else(|| {
        let config = &shared.config;
        MachineSettings::load(&config.settings, config.host)
            .unwrap_or_else(|error| {
                tracing::warn!(%error, "the settings cannot be used; stopping with the default grace");
                MachineSettings::defaults(config.host)
            })
            .grace()
    })
}
