//! The flows of containers to the outside, and what failed last.

use std::collections::HashMap;

use cove_proto::v1::{
    Flow, FlowFailure, FlowProtocol, GetContainerRequest, ListContainersRequest, ListFlowsRequest, ListFlowsResponse,
};
use jiff::Timestamp;
use serde::Serialize;

use crate::{
    engine::Engine,
    failure::Outcome,
    output::{self, Format, Table},
};

/// Arguments of `cove net`.
#[derive(Debug, Default, clap::Args)]
// They stand among those of `cove net`.
#[group(skip)]
pub(super) struct Arguments {
    /// Of this container alone.
    container: Option<String>,
}

/// What it is called that has the guest's own network.
const GUEST: &str = "(host network)";

#[derive(Serialize)]
struct Row<'a> {
    container: &'a str,
    protocol: &'static str,
    target: &'a str,
    since_seconds: i64,
    bytes_sent: u64,
    bytes_received: u64,
}

#[derive(Serialize)]
struct Failed<'a> {
    container: &'a str,
    protocol: &'static str,
    target: &'a str,
    at_seconds: i64,
    errno: i32,
    why: &'a str,
}

#[derive(Serialize)]
struct Shown<'a> {
    flows: Vec<Row<'a>>,
    failures: Vec<Failed<'a>>,
}

/// Prints both.
pub(super) async fn run(arguments: &Arguments, format: Format) -> Outcome {
    let engine = Engine::reach().await?;
    let container_id = match &arguments.container {
        Some(name) => {
            let asked = GetContainerRequest { container: name.clone(), ..Default::default() };
            let found = engine.containers().get_container(asked).await?.into_inner();
            found.container.map(|container| container.id).unwrap_or_default()
        }
        None => String::new(),
    };
    let found = engine.egress().list_flows(ListFlowsRequest { container_id }).await?.into_inner();
    match format {
        Format::Json => output::json(&shown(&found))?,
        Format::Text => {
            // Names are for people, and only who has flows needs one; a machine that stands still has none.
            let is_empty = found.flows.is_empty() && found.failures.is_empty();
            let names = if is_empty { HashMap::new() } else { names(&engine).await };
            output::text(&text(&found, &names, Timestamp::now()))?;
        }
    }
    Ok(0)
}

/// Names of containers by id; none if the machine does not run any more.
async fn names(engine: &Engine) -> HashMap<String, String> {
    let asked = ListContainersRequest { all: true, ..Default::default() };
    let Ok(listed) = engine.containers().list_containers(asked).await else { return HashMap::new() };
    listed.into_inner().containers.into_iter().map(|container| (container.id, container.name)).collect()
}

fn shown(found: &ListFlowsResponse) -> Shown<'_> {
    let row = |flow: &'_ Flow| -> (i64, &'static str) { (seconds(flow.since.as_ref()), protocol(flow.protocol())) };
    let flows = found.flows.iter().map(|flow| {
        let (since_seconds, protocol) = row(flow);
        let Flow { container_id, target, bytes_sent, bytes_received, .. } = flow;
        let (bytes_sent, bytes_received) = (*bytes_sent, *bytes_received);
        Row { container: container_id, protocol, target, since_seconds, bytes_sent, bytes_received }
    });
    let failures = found.failures.iter().map(|failure| Failed {
        container: &failure.container_id,
        protocol: protocol(failure.protocol()),
        target: &failure.target,
        at_seconds: seconds(failure.at.as_ref()),
        errno: failure.errno,
        why: &failure.why,
    });
    Shown { flows: flows.collect(), failures: failures.collect() }
}

fn seconds(time: Option<&prost_types::Timestamp>) -> i64 {
    time.map_or(0, |time| time.seconds)
}

fn protocol(of: FlowProtocol) -> &'static str {
    match of {
        FlowProtocol::Unspecified | FlowProtocol::Tcp => "tcp",
        FlowProtocol::Udp => "udp",
        FlowProtocol::Ping => "ping",
    }
}

fn text(found: &ListFlowsResponse, names: &HashMap<String, String>, now: Timestamp) -> String {
    let name = |id: &str| match (id, names.get(id)) {
        ("", _) => GUEST.to_owned(),
        (_, Some(name)) => name.clone(),
        (id, None) => output::short_id(id),
    };
    let age = |time: Option<&prost_types::Timestamp>| output::age(time, now).unwrap_or_default();
    let mut flows = Table::new(&["CONTAINER", "PROTOCOL", "TO", "SINCE", "SENT", "RECEIVED"]);
    for flow in &found.flows {
        let Flow { container_id, target, since, bytes_sent, bytes_received, .. } = flow;
        let [sent, received] = [*bytes_sent, *bytes_received].map(output::bytes);
        flows.row([
            name(container_id),
            protocol(flow.protocol()).to_owned(),
            target.clone(),
            age(since.as_ref()),
            sent,
            received,
        ]);
    }
    let mut text = flows.render("");
    if !found.failures.is_empty() {
        let mut failures = Table::new(&["FAILED", "PROTOCOL", "TO", "AGO", "WHY"]);
        for failure in &found.failures {
            let FlowFailure { container_id, target, at, why, .. } = failure;
            let of = protocol(failure.protocol()).to_owned();
            failures.row([name(container_id), of, target.clone(), age(at.as_ref()), why.clone()]);
        }
        text.push('\n');
        text += &failures.render("");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flows_and_failures_are_two_tables_with_names() {
        let flow = Flow {
            container_id: "a".repeat(64),
            protocol: FlowProtocol::Udp.into(),
            target: "10.0.0.1:53".into(),
            bytes_sent: 1_500,
            ..Default::default()
        };
        let failure = FlowFailure {
            target: "10.0.0.2:80".into(),
            protocol: FlowProtocol::Tcp.into(),
            why: "refused".into(),
            errno: 111,
            ..Default::default()
        };
        let found = ListFlowsResponse { flows: vec![flow], failures: vec![failure] };
        let names = HashMap::from([("a".repeat(64), "web".to_owned())]);
        let text = text(&found, &names, Timestamp::UNIX_EPOCH);
        let lines: Vec<Vec<&str>> = text.lines().map(|line| line.split_whitespace().collect()).collect();
        assert_eq!(lines[1], ["web", "udp", "10.0.0.1:53", "1.50", "kB", "0", "B"]);
        assert_eq!(lines[4], ["(host", "network)", "tcp", "10.0.0.2:80", "refused"]);
        assert_eq!(shown(&found).failures[0].errno, 111);
    }
}
