//! `cove.v1.Guest`.

use prost_types::Timestamp;
use tokio::{sync::watch, time::Duration};
use tonic::{Request, Response, Status};

use cove_proto::v1::{
    self, GetGuestRequest, GetGuestResponse, PowerOffRequest, PowerOffResponse, SetClockRequest, SetClockResponse,
};

use super::error::missing;
use crate::{
    agent::facts::{self, Facts},
    clock::{self, Method},
    containers::{Containers, chain},
    images::{Filters, ImageStore},
};

/// `cove.v1.Guest`.
#[derive(Clone)]
pub struct GuestService {
    /// What does not change.
    pub facts: Facts,
    /// The containers.
    pub containers: Containers,
    /// The images.
    pub images: ImageStore,
    /// Set to true, it ends the agent and powers the machine off.
    pub power_off: watch::Sender<bool>,
}

#[tonic::async_trait]
impl v1::guest_server::Guest for GuestService {
    async fn get_guest(&self, _: Request<GetGuestRequest>) -> Result<Response<GetGuestResponse>, Status> {
        let (facts, images) = (self.facts.clone(), self.images.clone());
        let read = tokio::task::spawn_blocking(move || {
            let images = images.list(&Filters::new()).map_err(|error| Status::internal(chain(&error)))?.len();
            let guest = facts.read().map_err(|error| Status::internal(chain(&error)))?;
            Ok::<_, Status>(GetGuestResponse { images: u32::try_from(images).unwrap_or(u32::MAX), ..guest })
        });
        let guest = read.await.map_err(|_| Status::unavailable("the agent is shutting down"))??;
        Ok(Response::new(GetGuestResponse { containers: Some(facts::count(&self.containers)), ..guest }))
    }

    async fn set_clock(&self, request: Request<SetClockRequest>) -> Result<Response<SetClockResponse>, Status> {
        let Timestamp { seconds, nanos } = request.into_inner().host_time.ok_or_else(|| missing("a time"))?;
        let correction = clock::follow(seconds, nanos).map_err(|error| match error {
            clock::ClockError::OutOfRange { .. } => Status::invalid_argument(chain(&error)),
            clock::ClockError::System(_) => Status::internal(chain(&error)),
        })?;
        let stepped = correction.method == Method::Step;
        Ok(Response::new(SetClockResponse { offset_nanos: correction.offset_nanos, stepped }))
    }

    async fn power_off(&self, request: Request<PowerOffRequest>) -> Result<Response<PowerOffResponse>, Status> {
        let grace = Duration::from_millis(u64::from(request.into_inner().grace_millis));
        let (containers, power_off) = (self.containers.clone(), self.power_off.clone());
        // It is not undone by a client that leaves.
        let stopped = tokio::spawn(async move {
            let stopped = containers.stop_all(grace).await;
            power_off.send_replace(true);
            stopped
        });
        let containers_stopped = stopped.await.map_err(|_| Status::unavailable("the agent is shutting down"))?;
        Ok(Response::new(PowerOffResponse { containers_stopped }))
    }
}
