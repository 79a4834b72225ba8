//! `cove.v1` with canned data.
//!
//! Names decide what happens: "nope" does not exist, "tty" has a terminal, "running" runs.

mod canned;
mod containers;
mod events;
mod execs;
mod files;
mod host;
mod images;
mod networks;
mod registry;
mod shares;
mod volumes;

use std::pin::Pin;
use std::sync::{Arc, Mutex};

use cove_docker_api::Engine;
use cove_proto::v1;
use futures::Stream;
use tokio::sync::Notify;
use tower::ServiceExt as _;

pub(crate) use canned::IMAGE_ID;

/// What the engine remembers.
#[derive(Debug, Default)]
pub(crate) struct Fake {
    /// What was asked, in order.
    pub(crate) asked: Mutex<Vec<String>>,
    /// The last container to be made.
    pub(crate) created: Mutex<Option<v1::CreateContainerRequest>>,
    /// A container was started.
    pub(crate) started: Notify,
    /// A call that waited was dropped.
    pub(crate) cancelled: Notify,
}

/// Any stream of answers.
type Answers<T> = Pin<Box<dyn Stream<Item = Result<T, tonic::Status>> + Send>>;

impl Fake {
    /// The engine that talks to this.
    pub(crate) fn engine(fake: &Arc<Self>) -> Engine {
        let handle = || Shared(Arc::clone(fake));
        let routes = tonic::service::Routes::new(v1::containers_server::ContainersServer::new(handle()))
            .add_service(v1::execs_server::ExecsServer::new(handle()))
            .add_service(v1::events_server::EventsServer::new(handle()))
            .add_service(v1::files_server::FilesServer::new(handle()))
            .add_service(v1::images_server::ImagesServer::new(handle()))
            .add_service(v1::networks_server::NetworksServer::new(handle()))
            .add_service(v1::volumes_server::VolumesServer::new(handle()))
            .add_service(v1::machine_server::MachineServer::new(handle()))
            .add_service(v1::registry_server::RegistryServer::new(handle()))
            .add_service(v1::shares_server::SharesServer::new(handle()))
            .add_service(v1::guest_server::GuestServer::new(handle()));
        let routes = tower::util::MapRequest::new(routes, |request: http::Request<tonic::body::Body>| request);
        Engine::new(routes.map_err(|never| match never {}))
    }

    pub(crate) fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().clone()
    }
}

/// A handle that the services share.
#[derive(Debug, Clone)]
struct Shared(Arc<Fake>);

impl Shared {
    fn note(&self, what: impl Into<String>) {
        self.0.asked.lock().unwrap().push(what.into());
    }
}

/// Says when it is dropped.
struct Guard(Arc<Fake>);

impl Drop for Guard {
    fn drop(&mut self) {
        self.0.cancelled.notify_one();
    }
}

/// Never ends; says when it is dropped.
fn never<T: Send + 'static>(shared: &Shared) -> Answers<T> {
    let guard = Guard(Arc::clone(&shared.0));
    Box::pin(futures::stream::once(async move {
        let _held = guard;
        std::future::pending().await
    }))
}

fn no_container(name: &str) -> Result<(), tonic::Status> {
    if name == "nope" { Err(tonic::Status::not_found("No such container: nope")) } else { Ok(()) }
}
