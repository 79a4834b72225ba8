//! `cove.v1.Events`: what dockerd told in the recordings; then nothing for ever, unless there is an end.

use cove_proto::v1;
use futures::StreamExt as _;
use tonic::{Request, Response, Status, async_trait};

use super::{Answers, Shared, never};

#[async_trait]
impl v1::events_server::Events for Shared {
    type WatchEventsStream = Answers<v1::WatchEventsResponse>;

    async fn watch_events(
        &self,
        request: Request<v1::WatchEventsRequest>,
    ) -> Result<Response<Self::WatchEventsStream>, Status> {
        let request = request.into_inner();
        let seconds = |time: Option<prost_types::Timestamp>| time.map(|time| time.seconds);
        let mut filters: Vec<_> =
            request.filters.iter().map(|(key, values)| format!("{key}={}", values.values.join(","))).collect();
        filters.sort();
        let (since, until) = (seconds(request.since), seconds(request.until));
        self.note(format!("events since={since:?} until={until:?} {}", filters.join(" ")));
        if request.filters.contains_key("foo") {
            return Err(Status::invalid_argument("invalid filter 'foo'"));
        }
        let told = futures::stream::iter([
            told("image", "tag", "sha256:c1", &[("name", "bb:latest")]),
            told("container", "die", "9bb8", &[("exitCode", "3"), ("image", "bb"), ("execDuration", "0"), ("k", "v")]),
            told("container", "prune", "", &[("reclaimed", "0")]),
            told("volume", "create", "v1", &[("driver", "local")]),
        ]);
        if until.is_some() {
            return Ok(Response::new(Box::pin(told)));
        }
        Ok(Response::new(Box::pin(told.chain(never(self)))))
    }
}

fn told(kind: &str, action: &str, id: &str, attributes: &[(&str, &str)]) -> Result<v1::WatchEventsResponse, Status> {
    Ok(v1::WatchEventsResponse {
        r#type: kind.into(),
        action: action.into(),
        actor_id: id.into(),
        attributes: attributes.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect(),
        time: Some(prost_types::Timestamp { seconds: 1_795_508_392, nanos: 403_266_385 }),
    })
}
