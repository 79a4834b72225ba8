//! `RestartMachine`.

use cove_proto::v1::{RestartMachineRequest, RestartMachineResponse, StopMachineRequest};
use tonic::Status;

use super::MachineRpc;

impl MachineRpc {
    pub(super) async fn restart(&self, request: RestartMachineRequest) -> Result<RestartMachineResponse, Status> {
        self.stop(StopMachineRequest { grace: request.grace, force: false }).await?;
        // Between the two another client may have started it already, which is what was asked for.
        Ok(RestartMachineResponse { status: self.start().await?.status })
    }
}
