//! `GET /events`.

use bytes::Bytes;
use cove_proto::v1;
use futures::StreamExt as _;

use crate::call::Call;
use crate::error::Error;
use crate::reply::Reply;
use crate::shapes::event;
use crate::timestamps;

/// Sends what happened since a time and what happens, a line each. The head goes out before the first event: clients
/// open this, then do something, and wait for the event of it.
pub(in crate::routes) async fn events(call: Call) -> Result<Reply, Error> {
    let (from, to) = (call.query.get("since"), call.query.get("until"));
    let (since, until) = (timestamps::parse(from)?, timestamps::parse(to)?);
    let order = |time: &prost_types::Timestamp| (time.seconds, time.nanos);
    if let (Some(since), Some(until)) = (&since, &until)
        && order(until) < order(since)
    {
        return Err(Error::BadRequest(format!("`since` time ({from}) cannot be after `until` time ({to})")));
    }
    let request = v1::WatchEventsRequest { since, until, filters: call.query.filters()? };
    let events = call.events().watch_events(request).await?.into_inner();
    let lines = events.map(|event| Ok::<_, Error>(Bytes::from(format!("{}\n", event::shape(&event?)))));
    Ok(Reply::stream("application/json", lines))
}
