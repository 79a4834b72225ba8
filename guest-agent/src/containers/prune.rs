//! Removing all containers that do not run.

use std::{collections::HashMap, sync::atomic::Ordering};

use cove_proto::v1::StringList;
use jiff::{SignedDuration, Timestamp};

use super::{Containers, ContainersError, FilterError, blocking, detached, filters::label, folder};
use crate::events::{Event, Kind};

/// What was removed.
#[derive(Debug, Default)]
pub struct Pruned {
    /// Ids of the containers.
    pub ids: Vec<String>,
    /// Bytes that their writable layers took.
    pub freed_bytes: u64,
}

impl Containers {
    /// Removes all containers that do not run and match; one that cannot be removed is passed over.
    ///
    /// # Errors
    /// If a filter makes no sense, or a prune is under way.
    pub async fn prune(&self, filters: HashMap<String, StringList>) -> Result<Pruned, ContainersError> {
        let wanted = Wanted::parse(filters, Timestamp::now())?;
        if self.0.pruning.swap(true, Ordering::SeqCst) {
            return Err(ContainersError::Conflict("a prune operation is already running"));
        }
        let this = self.clone();
        detached(async move {
            let pruned = this.prune_wanted(&wanted).await;
            this.0.pruning.store(false, Ordering::SeqCst);
            this.0.events.publish(Event::new(Kind::Container, "prune", "").with("reclaimed", pruned.freed_bytes));
            Ok(pruned)
        })
        .await
    }

    async fn prune_wanted(&self, wanted: &Wanted) -> Pruned {
        let mut pruned = Pruned::default();
        for entry in self.all() {
            let view = entry.now();
            let record = &view.record;
            if view.is_active() || !wanted.has(record.created_at, |name| record.spec.labels.get(name)) {
                continue;
            }
            let upper = self.0.folders.of(&entry.id).upper();
            let size = blocking(move || folder::size_of(&upper)).await;
            match self.remove(&entry.id, false, false).await {
                Ok(()) => {
                    pruned.ids.push(entry.id.clone());
                    pruned.freed_bytes += size.unwrap_or(0);
                }
                Err(error) => tracing::warn!(container = %entry.id, error = &error as &dyn std::error::Error,
                    "a container that does not run cannot be removed"),
            }
        }
        pruned
    }
}

/// Which containers, or other things with an age and labels, to remove.
#[derive(Debug, Default)]
pub(crate) struct Wanted {
    /// Made at or before this time, nanoseconds since 1970.
    until: Option<i64>,
    /// With all of these.
    labels: Vec<(String, Option<String>)>,
    /// With not all of these; none are no condition.
    without: Vec<(String, Option<String>)>,
}

impl Wanted {
    /// Reads the filters of a prune.
    ///
    /// # Errors
    /// If one makes no sense.
    pub(crate) fn parse(filters: HashMap<String, StringList>, now: Timestamp) -> Result<Self, FilterError> {
        let mut wanted = Self::default();
        for (key, StringList { values }) in filters {
            let labels = || values.iter().map(|value| label(value)).collect();
            match key.as_str() {
                "until" => wanted.until = until(&values, now)?,
                "label" => wanted.labels = labels(),
                "label!" => wanted.without = labels(),
                _ => return Err(FilterError::Unknown(key)),
            }
        }
        Ok(wanted)
    }

    /// Whether what was made at a time and has such labels is to be removed.
    pub(crate) fn has<'a>(&self, created_at: i64, label: impl Fn(&str) -> Option<&'a String>) -> bool {
        let has = |(name, wanted): &(String, Option<String>)| {
            let found = label(name);
            found.is_some_and(|found| wanted.as_ref().is_none_or(|wanted| wanted == found))
        };
        self.until.is_none_or(|until| created_at <= until)
            && self.labels.iter().all(has)
            && (self.without.is_empty() || !self.without.iter().all(has))
    }
}

/// RFC 3339, seconds since 1970, or how long ago.
fn until(values: &[String], now: Timestamp) -> Result<Option<i64>, FilterError> {
    let text = match values {
        [] => return Ok(None),
        [text] => text,
        _ => return Err(FilterError::TwoTimes),
    };
    let seconds = || text.parse().ok().and_then(|seconds| Timestamp::from_second(seconds).ok());
    let ago = || text.parse::<SignedDuration>().ok().and_then(|ago| now.checked_sub(ago).ok());
    let moment = text.parse::<Timestamp>().ok().or_else(seconds).or_else(ago);
    let moment = moment.ok_or_else(|| FilterError::Time(text.clone()))?;
    Ok(Some(i64::try_from(moment.as_nanosecond()).unwrap_or(i64::MAX)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn until_is_a_time_or_how_long_ago() {
        let now = Timestamp::from_second(1_795_487_350).unwrap();
        let of = |values: &[&str]| {
            let values: Vec<String> = values.iter().map(|value| (*value).to_owned()).collect();
            until(&values, now).map_err(|error| error.to_string())
        };
        assert_eq!(of(&[]), Ok(None));
        assert_eq!(of(&["17"]), Ok(Some(17_000_000_000)));
        assert_eq!(of(&["1h30m"]), Ok(Some((1_795_487_350 - 5400) * 1_000_000_000)));
        assert_eq!(of(&["2026-11-24T02:29:10Z"]), Ok(Some(1_795_487_350_000_000_000)));
        assert_eq!(of(&["x"]).unwrap_err(), "failed to parse value as time or duration: \"x\"");
        assert_eq!(of(&["1h", "2h"]).unwrap_err(), "more than one until filter specified");
    }
}
