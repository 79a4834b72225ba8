//! Watching events: those that are kept, then those that come.

use std::sync::Arc;

use futures::{Stream, StreamExt, stream};
use tokio::{
    sync::broadcast::{self, error::RecvError},
    time::{Duration, sleep},
};

use super::{Event, Events, Filter};
use crate::clock;

/// Which time is asked about, in nanoseconds since 1970.
#[derive(Debug, Clone, Copy, Default)]
pub struct Span {
    /// From then on. Without it and without an end: from now on.
    pub since: Option<i64>,
    /// Until then.
    pub until: Option<i64>,
}

impl Span {
    /// Which of the kept events are in it: none if nothing is asked about the past.
    fn has(self, event: &Event) -> bool {
        (self.since.is_some() || self.until.is_some())
            && self.since.is_none_or(|since| event.at >= since)
            && self.until.is_none_or(|until| event.at <= until)
    }
}

/// Events came faster than the watcher took them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{0} events were lost because they were not read fast enough; ask again with since")]
pub struct Missed(pub u64);

impl Events {
    /// The kept events of a time, then those that come, until the time is over. From this call on none is missed.
    pub fn watch(&self, span: Span, filter: Filter) -> impl Stream<Item = Result<Arc<Event>, Missed>> + Send + use<> {
        let (past, coming) = {
            let bus = self.bus();
            let past: Vec<_> = bus.kept.iter().filter(|event| span.has(event)).cloned().collect();
            (past, bus.watchers.subscribe())
        };
        let left = span.until.map(|until| until.saturating_sub(clock::now_nanos()));
        let over = async move {
            match left {
                Some(nanos) => sleep(Duration::from_nanos(u64::try_from(nanos).unwrap_or(0))).await,
                None => std::future::pending().await,
            }
        };
        let is_past = left.is_some_and(|left| left <= 0);
        // Asked about the past alone, nothing that comes belongs to it.
        let coming = stream::unfold((!is_past).then_some(coming), next).take_until(over);
        let all = stream::iter(past.into_iter().map(Ok)).chain(coming);
        all.filter(move |event| {
            let wanted = event.as_ref().is_ok_and(|event| filter.matches(event)) || event.is_err();
            std::future::ready(wanted)
        })
    }
}

type Coming = Option<broadcast::Receiver<Arc<Event>>>;

/// The next event; after a gap the watcher is told, and nothing more comes.
async fn next(coming: Coming) -> Option<(Result<Arc<Event>, Missed>, Coming)> {
    let mut receiver = coming?;
    match receiver.recv().await {
        Ok(event) => Some((Ok(event), Some(receiver))),
        Err(RecvError::Lagged(missed)) => Some((Err(Missed(missed)), None)),
        Err(RecvError::Closed) => None,
    }
}
