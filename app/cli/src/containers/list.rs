//! `cove ps`: the containers.

use std::collections::HashMap;

use cove_proto::v1::{
    Container, ContainerState, ContainerStatus, Health, HealthStatus, ListContainersRequest, PortProtocol,
    PublishedPort, StringList,
};
use jiff::Timestamp;
use serde::Serialize;

use super::ports;
use crate::{
    engine::Engine,
    failure::{Failure, Outcome},
    output::{self, Format, Table},
};

/// Arguments of `cove ps`.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// Those that do not run as well.
    #[arg(short, long)]
    all: bool,
    /// Only ids.
    #[arg(short, long)]
    quiet: bool,
    /// Only those that match: name=web, status=exited, label=team=a.
    #[arg(short, long, value_name = "KEY=VALUE")]
    filter: Vec<String>,
    /// Ids and commands in full.
    #[arg(long)]
    no_trunc: bool,
}

#[derive(Serialize)]
struct Row<'a> {
    id: &'a str,
    name: &'a str,
    image: &'a str,
    image_id: &'a str,
    command: Vec<&'a str>,
    status: &'static str,
    health: Option<&'static str>,
    exit_code: i32,
    pid: u32,
    created_at_seconds: Option<i64>,
    started_at_seconds: Option<i64>,
    finished_at_seconds: Option<i64>,
    ports: Vec<Port<'a>>,
}

#[derive(Serialize)]
struct Port<'a> {
    host_ip: &'a str,
    host_port: u32,
    container_port: u32,
    protocol: &'static str,
}

/// Prints the list.
pub(crate) async fn run(arguments: Arguments, format: Format) -> Outcome {
    let filters = filters(&arguments.filter)?;
    let request = ListContainersRequest { all: arguments.all, limit: 0, filters, sizes: false };
    let containers = Engine::reach().await?.containers().list_containers(request).await?.into_inner().containers;
    match format {
        Format::Json => output::json(&containers.iter().map(as_json).collect::<Vec<_>>())?,
        Format::Text if arguments.quiet => {
            output::text(&containers.iter().map(|container| id(container, &arguments) + "\n").collect::<String>())?;
        }
        Format::Text => output::text(&text(&containers, &arguments, Timestamp::now()))?,
    }
    Ok(0)
}

/// Reads "key=value" entries.
pub(crate) fn filters(entries: &[String]) -> Result<HashMap<String, StringList>, Failure> {
    let mut filters: HashMap<String, StringList> = HashMap::new();
    for entry in entries {
        let (key, value) = entry.split_once('=').ok_or_else(|| {
            Failure::new(format!("invalid filter '{entry}'"))
                .advice("a filter is a key, \"=\" and a value: status=exited")
        })?;
        filters.entry(key.to_owned()).or_default().values.push(value.to_owned());
    }
    Ok(filters)
}

fn as_json(container: &Container) -> Row<'_> {
    let state = container.state.as_ref();
    let seconds = |time: Option<&prost_types::Timestamp>| time.map(|time| time.seconds).filter(|seconds| *seconds > 0);
    Row {
        id: &container.id,
        name: &container.name,
        image: image(container),
        image_id: &container.image_id,
        command: std::iter::once(&container.path).chain(&container.args).map(String::as_str).collect(),
        status: state.map_or("unknown", status_word),
        health: state.and_then(|state| state.health.as_ref()).map(|health| health_word(health.status())),
        exit_code: state.map_or(0, |state| state.exit_code),
        pid: state.map_or(0, |state| state.pid),
        created_at_seconds: seconds(container.created_at.as_ref()),
        started_at_seconds: seconds(state.and_then(|state| state.started_at.as_ref())),
        finished_at_seconds: seconds(state.and_then(|state| state.finished_at.as_ref())),
        ports: container.ports.iter().map(port).collect(),
    }
}

fn port(port: &PublishedPort) -> Port<'_> {
    let protocol = if port.protocol() == PortProtocol::Udp { "udp" } else { "tcp" };
    let PublishedPort { host_ip, host_port, container_port, .. } = port;
    Port { host_ip, host_port: *host_port, container_port: *container_port, protocol }
}

/// The status in docker's word.
pub(crate) fn status_word(state: &ContainerState) -> &'static str {
    match state.status() {
        _ if state.restarting => "restarting",
        ContainerStatus::Unspecified => "unknown",
        ContainerStatus::Created => "created",
        ContainerStatus::Running => "running",
        ContainerStatus::Paused => "paused",
        ContainerStatus::Exited => "exited",
        ContainerStatus::Removing => "removing",
        ContainerStatus::Dead => "dead",
    }
}

fn health_word(status: HealthStatus) -> &'static str {
    match status {
        HealthStatus::Unspecified => "none",
        HealthStatus::Starting => "starting",
        HealthStatus::Healthy => "healthy",
        HealthStatus::Unhealthy => "unhealthy",
    }
}

/// " (healthy)", " (health: starting)"; nothing when nothing checks it.
fn remark(state: &ContainerState) -> String {
    match state.health.as_ref().map(Health::status) {
        None => String::new(),
        Some(HealthStatus::Starting) => " (health: starting)".to_owned(),
        Some(status) => format!(" ({})", health_word(status)),
    }
}

fn image(container: &Container) -> &str {
    container.spec.as_ref().map_or("", |spec| &spec.image)
}

fn id(container: &Container, arguments: &Arguments) -> String {
    if arguments.no_trunc { container.id.clone() } else { output::short_id(&container.id) }
}

fn text(containers: &[Container], arguments: &Arguments, now: Timestamp) -> String {
    let mut table = Table::new(&["CONTAINER ID", "IMAGE", "COMMAND", "CREATED", "STATUS", "PORTS", "NAMES"]);
    for container in containers {
        let created = output::age(container.created_at.as_ref(), now);
        table.row([
            id(container, arguments),
            image(container).to_owned(),
            command(container, arguments.no_trunc),
            created.map(|age| format!("{age} ago")).unwrap_or_default(),
            status(container, now),
            ports::shown(&container.ports),
            container.name.clone(),
        ]);
    }
    table.render("")
}

/// Twenty characters in quotes, as docker has it.
fn command(container: &Container, whole: bool) -> String {
    let mut words = vec![container.path.as_str()];
    words.extend(container.args.iter().map(String::as_str));
    let command = words.join(" ");
    if whole || command.chars().count() <= 20 {
        return format!("\"{command}\"");
    }
    format!("\"{}…\"", command.chars().take(19).collect::<String>())
}

/// In docker's words: "Up 2 minutes", "Exited (0) 3 seconds ago".
pub(crate) fn status(container: &Container, now: Timestamp) -> String {
    let Some(state) = &container.state else { return "unknown".into() };
    let up = || output::age(state.started_at.as_ref(), now).unwrap_or_default();
    let ended = || output::age(state.finished_at.as_ref(), now).unwrap_or_default();
    match state.status() {
        _ if state.restarting => format!("Restarting ({}) {} ago", state.exit_code, ended()),
        ContainerStatus::Running => format!("Up {}{}", up(), remark(state)),
        ContainerStatus::Paused => format!("Up {} (Paused)", up()),
        ContainerStatus::Exited => format!("Exited ({}) {} ago", state.exit_code, ended()),
        ContainerStatus::Created => "Created".into(),
        ContainerStatus::Removing => "Removal In Progress".into(),
        ContainerStatus::Dead => "Dead".into(),
        ContainerStatus::Unspecified => "unknown".into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_status_reads_as_dockers() {
        let now = Timestamp::from_second(1_000).unwrap();
        let at = |seconds| Some(prost_types::Timestamp { seconds, nanos: 0 });
        let container = |status: ContainerStatus| Container {
            state: Some(ContainerState {
                status: status.into(),
                exit_code: 3,
                started_at: at(700),
                finished_at: at(990),
                ..Default::default()
            }),
            ..Default::default()
        };
        assert_eq!(status(&container(ContainerStatus::Running), now), "Up 5 minutes");
        assert_eq!(status(&container(ContainerStatus::Exited), now), "Exited (3) 10 seconds ago");
        assert_eq!(status(&container(ContainerStatus::Created), now), "Created");
        let mut checked = container(ContainerStatus::Running);
        checked.state.get_or_insert_default().health =
            Some(Health { status: HealthStatus::Healthy.into(), ..Default::default() });
        assert_eq!(status(&checked, now), "Up 5 minutes (healthy)");
        let mut again = container(ContainerStatus::Exited);
        again.state.get_or_insert_default().restarting = true;
        assert_eq!(status(&again, now), "Restarting (3) 10 seconds ago");
    }

    #[test]
    fn long_commands_are_cut_at_twenty() {
        let container = Container {
            path: "sh".into(),
            args: vec!["-c".into(), "echo a long command".into()],
            ..Default::default()
        };
        assert_eq!(command(&container, false), "\"sh -c echo a long c…\"");
        assert_eq!(command(&container, true), "\"sh -c echo a long command\"");
    }

    #[test]
    fn a_filter_needs_a_value() {
        assert!(filters(&["status".into()]).is_err());
        assert_eq!(filters(&["a=1".into(), "a=2=3".into()]).unwrap()["a"].values, ["1", "2=3"]);
    }
}
