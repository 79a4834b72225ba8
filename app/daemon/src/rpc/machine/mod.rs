//! `cove.v1.Machine`: decode, make one call, encode. Answered while the machine is stopped.

mod check_host;
mod console;
mod get;
mod resources;
mod restart;
mod settings;
mod start;
mod status;
mod stop;
mod watch;

use std::{pin::Pin, sync::Arc};

use cove_machine::{HostResources, Machine, hypervisor::Hypervisor};
use cove_platform::home::Home;
use cove_proto::v1::{
    CheckHostRequest, CheckHostResponse, GetConsoleRequest, GetConsoleResponse, GetMachineRequest, GetMachineResponse,
    GetSettingsRequest, GetSettingsResponse, RestartMachineRequest, RestartMachineResponse, StartMachineRequest,
    StartMachineResponse, StopMachineRequest, StopMachineResponse, UpdateSettingsRequest, UpdateSettingsResponse,
    WatchMachineRequest, WatchMachineResponse, machine_server,
};
use futures::Stream;
use tonic::{Request, Response, Status};

pub use self::settings::ChangeError;
use crate::{agent::Agent, image::GuestImage, router::readiness::Readiness};

/// What the methods need.
pub struct MachineRpc {
    /// The machine.
    pub machine: Machine,
    /// What starts it.
    pub readiness: Readiness,
    /// What it runs on.
    pub hypervisor: Arc<dyn Hypervisor>,
    /// The agent inside.
    pub agent: Arc<Agent>,
    /// What it boots.
    pub image: GuestImage,
    /// This user's Cove.
    pub home: Home,
    /// What the host has.
    pub host: HostResources,
    /// Held while the settings are changed, so that of two changes at once none is lost.
    pub changing: tokio::sync::Mutex<()>,
}

/// A stream of answers.
type Answers<T> = Pin<Box<dyn Stream<Item = Result<T, Status>> + Send>>;

#[tonic::async_trait]
impl machine_server::Machine for MachineRpc {
    type WatchMachineStream = Answers<WatchMachineResponse>;
    type GetConsoleStream = Answers<GetConsoleResponse>;

    async fn get_machine(&self, _: Request<GetMachineRequest>) -> Result<Response<GetMachineResponse>, Status> {
        self.get().await.map(Response::new)
    }

    async fn watch_machine(
        &self,
        request: Request<WatchMachineRequest>,
    ) -> Result<Response<Self::WatchMachineStream>, Status> {
        Ok(Response::new(Box::pin(self.watch(request.get_ref())?)))
    }

    async fn start_machine(&self, _: Request<StartMachineRequest>) -> Result<Response<StartMachineResponse>, Status> {
        self.start().await.map(Response::new)
    }

    async fn stop_machine(
        &self,
        request: Request<StopMachineRequest>,
    ) -> Result<Response<StopMachineResponse>, Status> {
        self.stop(request.into_inner()).await.map(Response::new)
    }

    async fn restart_machine(
        &self,
        request: Request<RestartMachineRequest>,
    ) -> Result<Response<RestartMachineResponse>, Status> {
        self.restart(request.into_inner()).await.map(Response::new)
    }

    async fn get_settings(&self, _: Request<GetSettingsRequest>) -> Result<Response<GetSettingsResponse>, Status> {
        self.settings().await.map(Response::new)
    }

    async fn update_settings(
        &self,
        request: Request<UpdateSettingsRequest>,
    ) -> Result<Response<UpdateSettingsResponse>, Status> {
        self.update_settings(request.into_inner()).await.map(Response::new)
    }

    async fn get_console(
        &self,
        request: Request<GetConsoleRequest>,
    ) -> Result<Response<Self::GetConsoleStream>, Status> {
        let log = self.machine.config().console_log.clone();
        let console = console::read(log, request.into_inner()).await?;
        Ok(Response::new(Box::pin(console)))
    }

    async fn check_host(&self, _: Request<CheckHostRequest>) -> Result<Response<CheckHostResponse>, Status> {
        Ok(Response::new(self.check().await))
    }
}
