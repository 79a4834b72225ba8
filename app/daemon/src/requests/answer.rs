//! One request, answered.

use cove_gateway::{ports::Ports, streams::Streams};
use cove_proto::v1::{
    HostDone, HostRefusal, PublishPorts, PublishedPorts, UnpublishPorts, serve_guest_request::Answer,
    serve_guest_response::Request,
};

/// Linux's ENOSYS.
const NOT_KNOWN: i32 = 38;

/// What the host does for the agent on one call.
#[derive(Debug)]
pub struct Gateway {
    ports: Ports,
}

impl Gateway {
    /// With streams into the machine.
    #[must_use]
    pub fn new(streams: Streams) -> Self {
        Self { ports: Ports::new(streams) }
    }

    /// The answer.
    pub(super) async fn answer(&self, request: Option<Request>) -> Answer {
        match request {
            Some(Request::Publish(asked)) => self.publish(asked).await,
            Some(Request::Unpublish(UnpublishPorts { container_id })) => {
                self.ports.unpublish(&container_id).await;
                Answer::Done(HostDone {})
            }
            None => refused(NOT_KNOWN, "this daemon does not know what the agent asks for".to_owned()),
        }
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

fn refused(errno: i32, message: String) -> Answer {
    Answer::Refused(HostRefusal { errno, message })
}
