//! `StopMachine`.

use std::time::Duration;

use cove_machine::StopOptions;
use cove_proto::v1::{StopMachineRequest, StopMachineResponse};
use tonic::Status;

use super::{MachineRpc, status};
use crate::rpc::error;

impl MachineRpc {
    pub(super) async fn stop(&self, request: StopMachineRequest) -> Result<StopMachineResponse, Status> {
        let grace = request.grace.map(Duration::try_from).transpose();
        let grace = grace.map_err(|_| Status::invalid_argument("the grace period is negative"))?;
        let options = StopOptions { grace, force: request.force };
        let stopped = self.machine.stop(options).await.map_err(|failed| error::stop(&failed))?;
        Ok(StopMachineResponse {
            status: Some(status::encode(&stopped.status)),
            already_stopped: stopped.already_stopped,
        })
    }
}
