//! One container: the same process seen from both sides, its namespaces beside the agent's, its limits.

use cove_proto::v1::{
    Container, ContainerProcess, GetContainerRequest, GetIsolationRequest, GetIsolationResponse, ListProcessesRequest,
    Namespace,
};
use serde::Serialize;

use crate::{
    engine::Engine,
    failure::Outcome,
    output::{self, Format, Paint, Table},
};

#[derive(Serialize)]
struct Isolation {
    id: String,
    name: String,
    kernel: String,
    pid_in_guest: u32,
    pid_in_container: u32,
    namespaces: Vec<NamespacePair>,
    cgroup: String,
    limits: std::collections::BTreeMap<String, String>,
    capabilities: Vec<String>,
    seccomp: bool,
    processes: Vec<Process>,
}

#[derive(Serialize)]
struct NamespacePair {
    kind: String,
    container: u64,
    agent: Option<u64>,
    shared: bool,
}

#[derive(Serialize)]
struct Process {
    pid_in_guest: u32,
    pid_in_container: u32,
    uid: u32,
    command: String,
}

/// Prints it.
pub(super) async fn explain(engine: &Engine, container: &str, format: Format) -> Outcome {
    let mut client = engine.containers();
    let container = container.to_owned();
    let request = GetContainerRequest { container: container.clone(), sizes: false };
    let about = client.get_container(request).await?.into_inner().container.unwrap_or_default();
    let isolation = client.get_isolation(GetIsolationRequest { container: container.clone() }).await?.into_inner();
    let processes = client.list_processes(ListProcessesRequest { container }).await?.into_inner().processes;
    let isolation = join(about, isolation, processes);
    match format {
        Format::Json => output::json(&isolation)?,
        Format::Text => output::text(&text(&isolation, Paint::of_stdout()))?,
    }
    Ok(0)
}

fn join(about: Container, isolation: GetIsolationResponse, processes: Vec<ContainerProcess>) -> Isolation {
    let agents = &isolation.agent_namespaces;
    Isolation {
        id: about.id,
        name: about.name,
        kernel: isolation.kernel_release,
        pid_in_guest: isolation.pid,
        pid_in_container: isolation.container_pid,
        namespaces: isolation.namespaces.into_iter().map(|own| pair(own, agents)).collect(),
        cgroup: isolation.cgroup,
        limits: isolation.limits.into_iter().collect(),
        capabilities: isolation.capabilities,
        seccomp: isolation.seccomp,
        processes: processes.into_iter().map(process).collect(),
    }
}

fn pair(own: Namespace, agents: &[Namespace]) -> NamespacePair {
    let agent = agents.iter().find(|agent| agent.kind == own.kind).map(|agent| agent.inode);
    NamespacePair { shared: agent == Some(own.inode), kind: own.kind, container: own.inode, agent }
}

fn process(process: ContainerProcess) -> Process {
    Process {
        pid_in_guest: process.pid,
        pid_in_container: process.container_pid,
        uid: process.uid,
        command: process.command,
    }
}

fn text(isolation: &Isolation, paint: Paint) -> String {
    let mut text = format!(
        "{}  {}\n\n  {}  Linux {}: one kernel for this container, its neighbours and the agent\n\n",
        paint.strong(&isolation.name),
        paint.faint(&output::short_id(&isolation.id)),
        paint.strong("shared"),
        isolation.kernel,
    );
    text.push_str(&processes(isolation, paint));
    text.push_str(&namespaces(isolation, paint));
    text.push_str(&limits(isolation, paint));
    text.push_str(&powers(isolation, paint));
    text
}

fn processes(isolation: &Isolation, paint: Paint) -> String {
    let (inside, outside) = (isolation.pid_in_container, isolation.pid_in_guest);
    let mut table = Table::new(&["PID INSIDE", "PID IN THE MACHINE", "USER", "COMMAND"]);
    for process in &isolation.processes {
        table.row([
            process.pid_in_container.to_string(),
            process.pid_in_guest.to_string(),
            process.uid.to_string(),
            process.command.clone(),
        ]);
    }
    format!(
        "  {}  it thinks that it is process {inside}; the machine knows it as {outside}\n{}\n",
        paint.strong("processes"),
        table.render("    ")
    )
}

fn namespaces(isolation: &Isolation, paint: Paint) -> String {
    let mut table = Table::new(&["NAMESPACE", "CONTAINER", "AGENT", ""]);
    for pair in &isolation.namespaces {
        table.row([
            format!("{} ({})", pair.kind, walls(&pair.kind)),
            pair.container.to_string(),
            pair.agent.map_or_else(|| "-".to_owned(), |inode| inode.to_string()),
            if pair.shared { "shared".into() } else { "own".into() },
        ]);
    }
    format!("  {}  equal numbers are the same namespace\n{}\n", paint.strong("walls"), table.render("    "))
}

/// What a namespace keeps apart.
fn walls(kind: &str) -> &'static str {
    match kind {
        "pid" => "processes",
        "mnt" => "files",
        "net" => "network",
        "uts" => "host name",
        "ipc" => "shared memory",
        "cgroup" => "view of limits",
        "user" => "user ids",
        "time" => "clocks",
        _ => "?",
    }
}

fn limits(isolation: &Isolation, paint: Paint) -> String {
    let mut table = Table::new(&["FILE", "VALUE", ""]);
    // An empty file of the kernel's is one that sets nothing.
    for (file, value) in isolation.limits.iter().filter(|(_, value)| !value.trim().is_empty()) {
        table.row([file.clone(), value.trim().to_owned(), in_words(file, value.trim())]);
    }
    format!("  {}  cgroup {}\n{}\n", paint.strong("limits"), isolation.cgroup, table.render("    "))
}

/// What the kernel's number means.
fn in_words(file: &str, value: &str) -> String {
    let number = value.parse::<u64>().ok();
    match (file, number) {
        (_, None) if value == "max" || value.starts_with("max ") => "no limit".into(),
        ("memory.max" | "memory.high" | "memory.low" | "memory.swap.max", Some(bytes)) => output::bytes(bytes),
        ("pids.max", Some(number)) => format!("{number} processes and threads"),
        ("cpu.max", None) => cpus(value).unwrap_or_default(),
        _ => String::new(),
    }
}

fn cpus(value: &str) -> Option<String> {
    let (quota, period) = value.split_once(' ')?;
    let (quota, period): (f64, f64) = (quota.parse().ok()?, period.parse().ok()?);
    (period > 0.0).then(|| format!("{} CPUs", quota / period))
}

fn powers(isolation: &Isolation, paint: Paint) -> String {
    let capabilities = match isolation.capabilities.as_slice() {
        [] => "none".to_owned(),
        some => format!(
            "{}: {}",
            some.len(),
            some.iter().map(|name| name.trim_start_matches("CAP_").to_lowercase()).collect::<Vec<_>>().join(" ")
        ),
    };
    let seccomp =
        if isolation.seccomp { "a filter refuses system calls that containers do not need" } else { "no filter" };
    format!("  {}\n    capabilities  {capabilities}\n    seccomp       {seccomp}\n", paint.strong("powers"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_namespace_is_shared_when_the_numbers_are_equal() {
        let namespace = |kind: &str, inode| Namespace { kind: kind.into(), inode };
        let agents = [namespace("pid", 1), namespace("user", 2)];
        assert!(!pair(namespace("pid", 9), &agents).shared);
        assert!(pair(namespace("user", 2), &agents).shared);
        assert!(!pair(namespace("time", 3), &agents).shared);
    }

    #[test]
    fn limits_are_said_in_words() {
        assert_eq!(in_words("memory.max", "67108864"), "67.1 MB");
        assert_eq!(in_words("memory.max", "max"), "no limit");
        assert_eq!(in_words("cpu.max", "50000 100000"), "0.5 CPUs");
        assert_eq!(in_words("cpu.max", "max 100000"), "no limit");
        assert_eq!(in_words("pids.max", "100"), "100 processes and threads");
    }
}
