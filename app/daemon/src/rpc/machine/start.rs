//! `StartMachine`.

use cove_proto::v1::StartMachineResponse;
use tonic::Status;

use super::{MachineRpc, status};

impl MachineRpc {
    pub(super) async fn start(&self) -> Result<StartMachineResponse, Status> {
        let started = self.readiness.start().await?;
        Ok(StartMachineResponse {
            status: Some(status::encode(&started.status)),
            already_running: started.already_running,
        })
    }
}
