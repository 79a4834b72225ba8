//! `cove.v1.Machine` and `cove.v1.Guest`.

use cove_proto::v1;
use tonic::{Request, Response, Status, async_trait};

use super::{Answers, Shared};

#[async_trait]
impl v1::machine_server::Machine for Shared {
    type WatchMachineStream = Answers<v1::WatchMachineResponse>;
    type GetConsoleStream = Answers<v1::GetConsoleResponse>;

    async fn get_machine(
        &self,
        _request: Request<v1::GetMachineRequest>,
    ) -> Result<Response<v1::GetMachineResponse>, Status> {
        self.note("machine");
        Ok(Response::new(v1::GetMachineResponse {
            status: Some(v1::MachineStatus {
                state: v1::MachineState::Running.into(),
                warnings: vec!["no hardware acceleration".into()],
                ..Default::default()
            }),
            hardware: Some(v1::MachineHardware {
                hypervisor: "QEMU 10.0.2".into(),
                accelerator: "tcg".into(),
                ..Default::default()
            }),
            host: Some(v1::HostInfo {
                os: "darwin".into(),
                arch: "arm64".into(),
                daemon_version: "0.1.0".into(),
                ..Default::default()
            }),
            image: Some(v1::GuestImage {
                kernel_release: "6.12.48".into(),
                arch: "arm64".into(),
                agent_version: "0.1.0".into(),
                digest: "sha256:9".into(),
            }),
            ..Default::default()
        }))
    }

    async fn watch_machine(
        &self,
        _request: Request<v1::WatchMachineRequest>,
    ) -> Result<Response<Self::WatchMachineStream>, Status> {
        Err(Status::unimplemented("not part of Docker's API"))
    }

    async fn start_machine(
        &self,
        _request: Request<v1::StartMachineRequest>,
    ) -> Result<Response<v1::StartMachineResponse>, Status> {
        Err(Status::unimplemented("not part of Docker's API"))
    }

    async fn stop_machine(
        &self,
        _request: Request<v1::StopMachineRequest>,
    ) -> Result<Response<v1::StopMachineResponse>, Status> {
        Err(Status::unimplemented("not part of Docker's API"))
    }

    async fn restart_machine(
        &self,
        _request: Request<v1::RestartMachineRequest>,
    ) -> Result<Response<v1::RestartMachineResponse>, Status> {
        Err(Status::unimplemented("not part of Docker's API"))
    }

    async fn get_settings(
        &self,
        _request: Request<v1::GetSettingsRequest>,
    ) -> Result<Response<v1::GetSettingsResponse>, Status> {
        Err(Status::unimplemented("not part of Docker's API"))
    }

    async fn update_settings(
        &self,
        _request: Request<v1::UpdateSettingsRequest>,
    ) -> Result<Response<v1::UpdateSettingsResponse>, Status> {
        Err(Status::unimplemented("not part of Docker's API"))
    }

    async fn get_console(
        &self,
        _request: Request<v1::GetConsoleRequest>,
    ) -> Result<Response<Self::GetConsoleStream>, Status> {
        Err(Status::unimplemented("not part of Docker's API"))
    }

    async fn check_host(
        &self,
        _request: Request<v1::CheckHostRequest>,
    ) -> Result<Response<v1::CheckHostResponse>, Status> {
        Err(Status::unimplemented("not part of Docker's API"))
    }
}

#[async_trait]
impl v1::guest_server::Guest for Shared {
    async fn get_guest(
        &self,
        _request: Request<v1::GetGuestRequest>,
    ) -> Result<Response<v1::GetGuestResponse>, Status> {
        self.note("guest");
        Ok(Response::new(v1::GetGuestResponse {
            agent_version: "0.1.0".into(),
            kernel_release: "6.12.48".into(),
            arch: "arm64".into(),
            engine_id: "id".into(),
            cpus: 2,
            memory_bytes: 1 << 30,
            containers: Some(v1::ContainerCounts { stopped: 2, running: 1, paused: 0 }),
            images: 4,
            ..Default::default()
        }))
    }

    async fn set_clock(
        &self,
        _request: Request<v1::SetClockRequest>,
    ) -> Result<Response<v1::SetClockResponse>, Status> {
        Err(Status::unimplemented("not part of Docker's API"))
    }

    async fn power_off(
        &self,
        _request: Request<v1::PowerOffRequest>,
    ) -> Result<Response<v1::PowerOffResponse>, Status> {
        Err(Status::unimplemented("not part of Docker's API"))
    }
}
