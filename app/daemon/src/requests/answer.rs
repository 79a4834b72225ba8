//! One request, answered.

use cove_gateway::{ports::Ports, streams::Streams, way_out::WayOut};
use cove_proto::v1::{
    HostDone, HostRefusal, KnownRoutes, PublishPorts, PublishedPorts, UnpublishPorts, serve_guest_request::Answer,
    serve_guest_response::Request,
};

use super::docker::DockerRelay;

/// Linux's ENOSYS.
const NOT_KNOWN: i32 = 38;

/// What the host does for the agent on one call.
#[derive(Debug)]
pub struct Gateway {
    ports: Ports,
    streams: Streams,
    way_out: WayOut,
    docker: DockerRelay,
}

impl Gateway {
    /// With streams into the machine, the way out of it, and Docker's API for those to whom it was granted.
    #[must_use]
    pub fn new(streams: Streams, way_out: WayOut, docker: DockerRelay) -> Self {
        Self { ports: Ports::new(streams.clone()), streams, way_out, docker }
    }

    /// The answer; none if a raw stream with the request's number was it.
    pub(super) async fn answer(&self, id: u64, request: Option<Request>) -> Option<Answer> {
        Some(match request {
            Some(Request::Publish(asked)) => self.publish(asked).await,
            Some(Request::Unpublish(UnpublishPorts { container_id })) => {
                self.ports.unpublish(&container_id).await;
                Answer::Done(HostDone {})
            }
            Some(Request::Connect(asked)) => return self.way_out.connect(id, asked, &self.streams).await,
            Some(Request::Datagrams(asked)) => return self.way_out.datagrams(id, asked, &self.streams).await,
            Some(Request::Ping(asked)) => self.way_out.ping(asked).await,
            Some(Request::Resolve(asked)) => self.way_out.resolve(asked).await,
            Some(Request::DockerApi(asked)) => return self.docker.connect(id, asked, &self.streams).await,
            Some(Request::Routes(_)) => {
                let subnets = cove_platform::routes::known().iter().map(ToString::to_string).collect();
                Answer::Routes(KnownRoutes { subnets })
            }
            None => refused(NOT_KNOWN, "this daemon does not know what the agent asks for".to_owned()),
        })
    }

    async fn publish(&self, asked: PublishPorts) -> Answer {
        let PublishPorts { container_id, container_ip, ports } = asked;
        match self.ports.publish(&container_id, &container_ip, &ports).await {
            Ok(ports) => Answer::Published(PublishedPorts { ports }),
            Err(error) => refused(0, error.to_string()),
        }
    }

    /// Ends what was done.
    pub(super) async fn close(&self) {
        self.ports.close().await;
    }
}

pub(super) fn refused(errno: i32, message: String) -> Answer {
    Answer::Refused(HostRefusal { errno, message })
}
