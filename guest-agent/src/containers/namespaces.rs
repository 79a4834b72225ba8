//! Namespaces that a container shares with the guest or with another container: whether what is asked for makes sense,
//! and with whom. Messages are dockerd's.

use std::sync::Arc;

use cove_proto::v1::{ContainerSpec, ContainerStatus, NetworkAttachment};

use super::{
    Engine, Entry,
    error::{ContainersError, Kind},
    record::Record,
    spec::SpecError,
};
use crate::networks::{self, NetworksError, Sandbox};
use crate::processes::launch::{Network, Shared, SharedMemory, With};

/// Why a container cannot share the namespaces of another one, now.
#[derive(Debug, thiserror::Error)]
pub enum JoinError {
    /// It is not there. moby does not call this "not found": its client would look for an image.
    #[error(transparent)]
    Missing(Box<ContainersError>),
    /// Its processes.
    #[error("failed to join PID namespace")]
    Pid(#[source] Box<ContainersError>),
    /// Its IPC.
    #[error("failed to join IPC namespace")]
    Ipc(#[source] Box<ContainersError>),
    /// It keeps its IPC for itself.
    #[error(
        "failed to join IPC namespace: container {0}: non-shareable IPC (hint: use IpcMode:shareable for the donor \
         container)"
    )]
    NotShareable(String),
    /// Its network.
    #[error("joining network namespace of container")]
    Network(#[source] Box<ContainersError>),
    /// It does not run.
    #[error("cannot join network namespace of a non running container: container {name} is {state}")]
    NetworkNotRunning {
        /// Its name.
        name: String,
        /// How it is.
        state: &'static str,
    },
    /// It is itself.
    #[error("cannot join own network namespace")]
    OwnNetwork,
}

impl JoinError {
    pub(super) fn kind(&self) -> Kind {
        match self {
            Self::Ipc(error) if error.kind() == Kind::NotFound => Kind::Invalid,
            Self::Ipc(error) => error.kind(),
            Self::NotShareable(_) | Self::Missing(_) => Kind::Invalid,
            Self::NetworkNotRunning { .. } => Kind::Conflict,
            Self::Pid(_) | Self::Network(_) | Self::OwnNetwork => Kind::Internal,
        }
    }
}

/// The name or id in "container:ID".
fn container_of(mode: &str) -> Option<&str> {
    mode.strip_prefix("container:")
}

/// Checks what the creator says of namespaces and names.
pub(super) fn check(spec: &ContainerSpec) -> Result<(), SpecError> {
    check_network(spec)?;
    if spec.uts_mode == "host" && !spec.hostname.is_empty() {
        return Err(SpecError::Conflict("conflicting options: hostname and the UTS mode"));
    }
    let named = |mode: &str| container_of(mode).is_some_and(|container| !container.is_empty());
    for (what, mode, valid) in [
        ("IPC mode", &spec.ipc_mode, ["", "private", "shareable", "host", "none"].as_slice()),
        ("PID mode", &spec.pid_mode, &["", "private", "host"]),
        ("UTS mode", &spec.uts_mode, &["", "private", "host"]),
        ("cgroup namespace mode", &spec.cgroupns_mode, &["", "private", "host"]),
        ("user namespace mode", &spec.userns_mode, &["", "host", "private"]),
    ] {
        let joins = matches!(what, "IPC mode" | "PID mode") && named(mode);
        if !joins && !valid.contains(&mode.as_str()) {
            return Err(SpecError::Mode { what, mode: mode.clone() });
        }
    }
    Ok(())
}

/// What belongs to the network cannot be said by a container that has another's.
fn check_network(spec: &ContainerSpec) -> Result<(), SpecError> {
    let Some(container) = container_of(&spec.network_mode) else { return Ok(()) };
    for (wrong, message) in [
        (container.is_empty(), "invalid network mode: invalid container format container:<name|id>"),
        (!spec.hostname.is_empty(), "conflicting options: hostname and the network mode"),
        (!spec.dns_servers.is_empty(), "conflicting options: dns and the network mode"),
        (!spec.extra_hosts.is_empty(), "conflicting options: custom host-to-IP mapping and the network mode"),
    ] {
        if wrong {
            return Err(SpecError::Conflict(message));
        }
    }
    Ok(())
}

/// Names other containers by their ids, so that they may be renamed, and says what holds where nothing was said. Who has
/// another's network has its names as well.
///
/// # Errors
/// If a container whose processes or IPC are to be shared is not there.
pub(super) fn fill_in(engine: &Engine, spec: &mut ContainerSpec) -> Result<(), ContainersError> {
    let find = |mode: &str| container_of(mode).map(|container| engine.index().find(container)).transpose();
    for mode in [&mut spec.ipc_mode, &mut spec.pid_mode] {
        if let Some(entry) = find(mode).map_err(|error| JoinError::Missing(Box::new(error)))? {
            *mode = format!("container:{}", entry.id);
        }
    }
    // As with dockerd, who is to lend the network may be made later.
    if let Ok(Some(entry)) = find(&spec.network_mode) {
        spec.network_mode = format!("container:{}", entry.id);
        let donor = &entry.now().record.spec;
        (spec.hostname, spec.domainname) = (donor.hostname.clone(), donor.domainname.clone());
    }
    for mode in [&mut spec.ipc_mode, &mut spec.cgroupns_mode] {
        if mode.is_empty() {
            "private".clone_into(mode);
        }
    }
    Ok(())
}

/// The id of the container whose network, and whose files of names, a container has.
pub(super) fn network_donor(spec: &ContainerSpec) -> Option<&str> {
    container_of(&spec.network_mode)
}

/// The networks that a container is on itself; none if it has another container's.
pub(super) fn attachments(spec: &ContainerSpec) -> &[NetworkAttachment] {
    spec.networks.as_ref().map(|networks| networks.attachments.as_slice()).unwrap_or_default()
}

/// Says which networks a container is on where that was said by the mode alone, and names them by their names. A record of
/// an earlier version says it by the mode alone, too.
pub(super) fn fill_in_networks(engine: &Engine, spec: &mut ContainerSpec) {
    let asked = spec.networks.take().unwrap_or_default().attachments;
    let networks = spec.networks.get_or_insert_default();
    if container_of(&spec.network_mode).is_some() {
        return;
    }
    let mode = default_bridge(&spec.network_mode);
    let named = |asked: &str| engine.networks.find(asked).map_or_else(|_| asked.to_owned(), |found| found.name.clone());
    let mode = named(mode);
    for mut attachment in asked {
        attachment.network = named(default_bridge(&attachment.network));
        networks.attachments.push(attachment);
    }
    if !networks.attachments.iter().any(|attachment| attachment.network == mode) {
        networks.attachments.insert(0, NetworkAttachment { network: mode, ..NetworkAttachment::default() });
    }
}

fn default_bridge(mode: &str) -> &str {
    if matches!(mode, "" | "default") { networks::BRIDGE } else { mode }
}

/// Checks how a container wants to be on its networks.
pub(super) fn check_networks(engine: &Engine, spec: &ContainerSpec) -> Result<(), NetworksError> {
    let all = attachments(spec);
    for alone in [networks::HOST, networks::NONE] {
        if all.len() > 1 && all.iter().any(|attachment| attachment.network == alone) {
            return Err(if alone == networks::HOST {
                NetworksError::ConnectShared
            } else {
                NetworksError::ConnectNone
            });
        }
    }
    all.iter().try_for_each(|attachment| engine.networks.check(attachment))
}

/// Notes which networks a container has started on: it is on these from now on, whatever they are called.
pub(super) fn started(spec: &mut ContainerSpec, sandbox: &Sandbox) {
    let Some(all) = &mut spec.networks else { return };
    for attachment in &mut all.attachments {
        let found = sandbox.endpoints.iter().find(|endpoint| endpoint.network_name == attachment.network);
        if let Some(endpoint) = found {
            attachment.network_id.clone_from(&endpoint.network);
        }
    }
}

/// With whom a container that is about to start shares what.
pub(super) fn shared(engine: &Engine, record: &Record) -> Result<(Network, Shared), JoinError> {
    let spec = &record.spec;
    let donor = network_donor(spec).map(|container| network(engine, record, container)).transpose()?;
    let (ipc, memory) = ipc(engine, &spec.ipc_mode)?;
    let pid = match (spec.pid_mode.as_str(), container_of(&spec.pid_mode)) {
        (_, Some(container)) => {
            let running = running(engine, container).map_err(|error| JoinError::Pid(Box::new(error)))?;
            With::Container(running.id.clone())
        }
        ("host", None) => With::Guest,
        (_, None) => With::Nobody,
    };
    let network = match (&donor, spec.network_mode.as_str()) {
        (Some(_), _) => Network::Joined,
        (None, "host") => Network::Host,
        (None, _) => Network::Loopback,
    };
    let (uts, cgroup) = (spec.uts_mode == "host", spec.cgroupns_mode == "host");
    Ok((network, Shared { pid, ipc, network: donor, uts, cgroup, memory }))
}

fn running(engine: &Engine, container: &str) -> Result<Arc<Entry>, ContainersError> {
    let entry = engine.index().find(container)?;
    if entry.now().program.is_some() { Ok(entry) } else { Err(ContainersError::NotRunning(container.to_owned())) }
}

fn network(engine: &Engine, record: &Record, container: &str) -> Result<String, JoinError> {
    let entry = engine.index().find(container).map_err(|error| JoinError::Network(Box::new(error)))?;
    if entry.id == record.id {
        return Err(JoinError::OwnNetwork);
    }
    let view = entry.now();
    if view.program.is_none() {
        let state = word(view.record.state.status());
        return Err(JoinError::NetworkNotRunning { name: view.record.name.clone(), state });
    }
    Ok(entry.id.clone())
}

fn word(status: ContainerStatus) -> &'static str {
    match status {
        ContainerStatus::Unspecified | ContainerStatus::Created => "created",
        ContainerStatus::Running => "running",
        ContainerStatus::Paused => "paused",
        ContainerStatus::Exited => "exited",
        ContainerStatus::Removing => "removing",
        ContainerStatus::Dead => "dead",
    }
}

fn ipc(engine: &Engine, mode: &str) -> Result<(With, SharedMemory), JoinError> {
    let Some(container) = container_of(mode) else {
        return Ok(match mode {
            "host" => (With::Guest, SharedMemory::Guest),
            "shareable" => (With::Nobody, SharedMemory::Shareable),
            "none" => (With::Nobody, SharedMemory::Absent),
            _ => (With::Nobody, SharedMemory::Private),
        });
    };
    let donor = running(engine, container).map_err(|error| JoinError::Ipc(Box::new(error)))?;
    let donors = donor.now().record.spec.ipc_mode.clone();
    let memory = match (donors.as_str(), container_of(&donors)) {
        (_, Some(first)) => SharedMemory::Of(first.to_owned()),
        ("host", None) => SharedMemory::Guest,
        ("shareable", None) => SharedMemory::Of(donor.id.clone()),
        _ => return Err(JoinError::NotShareable(container.to_owned())),
    };
    Ok((With::Container(donor.id.clone()), memory))
}
