//! `cove.v1.Events`.

use futures::{StreamExt, stream::BoxStream};
use tonic::{Request, Response, Status};

use cove_proto::v1::{self, WatchEventsRequest, WatchEventsResponse};

use crate::{
    containers::{nanos, timestamp},
    events::{Event, Events, Filter, FilterError, Missed, Span},
};

/// `cove.v1.Events`.
#[derive(Debug, Clone)]
pub struct EventsService {
    events: Events,
}

impl EventsService {
    /// The service of these events.
    #[must_use]
    pub fn new(events: Events) -> Self {
        Self { events }
    }
}

#[tonic::async_trait]
impl v1::events_server::Events for EventsService {
    type WatchEventsStream = BoxStream<'static, Result<WatchEventsResponse, Status>>;

    async fn watch_events(
        &self,
        request: Request<WatchEventsRequest>,
    ) -> Result<Response<Self::WatchEventsStream>, Status> {
        let WatchEventsRequest { since, until, filters } = request.into_inner();
        let span = Span { since: since.as_ref().map(nanos), until: until.as_ref().map(nanos) };
        let events = self.events.watch(span, Filter::parse(filters)?);
        Ok(Response::new(events.map(|event| Ok(told(&*event?))).boxed()))
    }
}

fn told(event: &Event) -> WatchEventsResponse {
    WatchEventsResponse {
        r#type: event.kind.word().to_owned(),
        action: event.action.clone(),
        actor_id: event.id.clone(),
        attributes: event.attributes.clone().into_iter().collect(),
        time: timestamp(event.at),
    }
}

impl From<FilterError> for Status {
    fn from(error: FilterError) -> Self {
        Self::invalid_argument(error.to_string())
    }
}

impl From<Missed> for Status {
    fn from(error: Missed) -> Self {
        Self::data_loss(error.to_string())
    }
}
