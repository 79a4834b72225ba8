//! `cove events`: what happens to containers, images, volumes and networks.

use std::collections::BTreeMap;

use cove_proto::v1::{WatchEventsRequest, WatchEventsResponse};
use jiff::{SignedDuration, Timestamp};
use serde::Serialize;

use crate::{
    containers::list::filters,
    engine::Engine,
    failure::{Failure, Outcome},
    output::{self, Format},
};

/// Arguments of `cove events`.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// What happened since a time, too: 2026-11-24T02:29:10Z, 1700000000, or 10m for ten minutes ago.
    #[arg(long, value_name = "TIME")]
    since: Option<String>,
    /// No more than until a time.
    #[arg(long, value_name = "TIME")]
    until: Option<String>,
    /// Only those that match: type=container, event=die, container=web.
    #[arg(short, long, value_name = "KEY=VALUE")]
    filter: Vec<String>,
}

#[derive(Serialize)]
struct Line<'a> {
    time: String,
    r#type: &'a str,
    action: &'a str,
    id: &'a str,
    attributes: BTreeMap<&'a str, &'a str>,
}

/// Prints them, a line each, as they come.
pub(crate) async fn run(arguments: Arguments, format: Format) -> Outcome {
    let now = Timestamp::now();
    let moment = |text: Option<String>| text.map(|text| moment(&text, now)).transpose();
    let (since, until) = (moment(arguments.since)?, moment(arguments.until)?);
    let request = WatchEventsRequest { since, until, filters: filters(&arguments.filter)? };
    let mut events = Engine::reach().await?.events().watch_events(request).await?.into_inner();
    while let Some(event) = events.message().await? {
        let line = match format {
            Format::Text => text(&event),
            Format::Json => serde_json::to_string(&line(&event)).map_err(std::io::Error::from)?,
        };
        output::text(&format!("{line}\n"))?;
    }
    Ok(0)
}

/// A time as docker takes it: RFC 3339, seconds since 1970, or how long ago.
fn moment(text: &str, now: Timestamp) -> Result<prost_types::Timestamp, Failure> {
    let seconds = || text.parse().ok().and_then(|seconds| Timestamp::from_second(seconds).ok());
    let ago = || text.parse::<SignedDuration>().ok().and_then(|ago| now.checked_sub(ago).ok());
    let moment = text.parse::<Timestamp>().ok().or_else(seconds).or_else(ago).ok_or_else(|| {
        Failure::new(format!("invalid time '{text}'"))
            .advice("a time is 2026-11-24T02:29:10Z, 1700000000, or 10m for ten minutes ago")
    })?;
    Ok(prost_types::Timestamp { seconds: moment.as_second(), nanos: moment.subsec_nanosecond() })
}

fn line(event: &WatchEventsResponse) -> Line<'_> {
    let moment = event.time.as_ref().and_then(|time| Timestamp::new(time.seconds, time.nanos).ok());
    Line {
        time: format!("{:.9}", moment.unwrap_or_default()),
        r#type: &event.r#type,
        action: &event.action,
        id: &event.actor_id,
        attributes: event.attributes.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect(),
    }
}

/// As docker has it.
fn text(event: &WatchEventsResponse) -> String {
    let Line { time, r#type, action, id, attributes } = line(event);
    let attributes: Vec<String> = attributes.into_iter().map(|(name, value)| format!("{name}={value}")).collect();
    format!("{time} {type} {action} {id} ({})", attributes.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_said_in_three_ways() {
        let now = Timestamp::from_second(1_795_487_350).unwrap();
        let seconds = |text| moment(text, now).map(|moment| moment.seconds);
        assert_eq!(seconds("2026-11-24T02:29:10Z").unwrap(), 1_795_487_350);
        assert_eq!(seconds("1700000000").unwrap(), 1_700_000_000);
        assert_eq!(seconds("10m").unwrap(), 1_795_487_350 - 600);
        assert_eq!(seconds("1h30m").unwrap(), 1_795_487_350 - 5400);
        assert!(seconds("yesterday").is_err());
    }

    #[test]
    fn an_event_reads_as_dockers() {
        let attribute = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        let event = WatchEventsResponse {
            r#type: "container".into(),
            action: "die".into(),
            actor_id: "9bb8".into(),
            attributes: [attribute("name", "web"), attribute("exitCode", "3")].into(),
            time: Some(prost_types::Timestamp { seconds: 1_795_487_350, nanos: 5 }),
        };
        assert_eq!(text(&event), "2026-11-24T02:29:10.000000005Z container die 9bb8 (exitCode=3, name=web)");
    }
}
