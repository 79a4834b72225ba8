//! What a running machine uses, measured for a client that watches.

use std::{path::PathBuf, sync::Arc, time::Duration};

use cove_machine::{Machine, State, hypervisor::Vm};
use cove_proto::v1::{GetGuestRequest, MachineResources, guest_client::GuestClient};
use tokio::time::{Instant, Interval, MissedTickBehavior, interval_at};
use tonic::Status;

use crate::{
    agent::{Agent, Connection},
    rpc::error,
};

/// More often measures mostly the measuring.
const SHORTEST: Duration = Duration::from_millis(100);
const LONGEST: Duration = Duration::from_secs(3600);

/// Measures at intervals.
pub(super) struct Meter {
    ticks: Interval,
    machine: Machine,
    agent: Arc<Agent>,
    data_disk: PathBuf,
    /// Kept from one measurement to the next.
    connection: Option<Connection>,
}

impl Meter {
    pub(super) fn new(every: prost_types::Duration, machine: &Machine, agent: &Arc<Agent>) -> Result<Self, Status> {
        let every = Duration::try_from(every).ok().filter(|every| (SHORTEST..=LONGEST).contains(every));
        let every = every
            .ok_or_else(|| Status::invalid_argument("resources_every must be between 100 milliseconds and one hour"))?;
        let mut ticks = interval_at(Instant::now(), every);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let data_disk = machine.config().data_disk.clone();
        Ok(Self { ticks, machine: machine.clone(), agent: agent.clone(), data_disk, connection: None })
    }

    /// The next measurement. There is none while the machine does not run.
    pub(super) async fn next(&mut self) -> MachineResources {
        loop {
            self.ticks.tick().await;
            let runs = self.machine.status().borrow().state == State::Running;
            let Some(vm) = self.machine.vm().filter(|_| runs) else { continue };
            match self.measure(vm).await {
                Ok(resources) => return resources,
                // It ends just now, which its state will tell, or its agent is being restarted.
                Err(why) => {
                    self.connection = None;
                    tracing::debug!(why = why.message(), "measuring the machine");
                }
            }
        }
    }

    async fn measure(&mut self, vm: Arc<dyn Vm>) -> Result<MachineResources, Status> {
        let usable = |kept: &Connection| !kept.is_closed() && Arc::ptr_eq(kept.vm(), &vm);
        let connection = match self.connection.take().filter(usable) {
            Some(connection) => connection,
            None => self.agent.dial(vm).await.map_err(|failed| error::dial(&failed))?,
        };
        let connection = self.connection.insert(connection).clone();
        let guest = GuestClient::new(connection).get_guest(GetGuestRequest {}).await?.into_inner();
        let disk = self.data_disk.clone();
        let disk_used = tokio::task::spawn_blocking(move || cove_platform::disk::allocated_bytes(&disk)).await;
        Ok(MachineResources {
            cpus: guest.cpus,
            cpu_time: guest.cpu_time,
            memory_bytes: guest.memory_bytes,
            memory_available_bytes: guest.memory_available_bytes,
            disk_bytes: guest.disk_bytes,
            disk_free_bytes: guest.disk_free_bytes,
            // A disk that cannot be asked takes nothing, as in GetMachine.
            disk_used_bytes: disk_used.ok().and_then(Result::ok).unwrap_or(0),
        })
    }
}
