//! The body of `POST /containers/create` to a `ContainerSpec`.
//!
//! Nothing is dropped in silence: what a body asks for and this version lacks is an error that names the option.
//!
//! * [`body`] — the part of the body that is read.
//! * `unsupported` — the table of what is refused.
//! * [`mounts`], `resources`, `security`, `network`, `ports`, `devices`, `logging`, `life` — parts of the specification.
//! * [`labels`] — what Docker has no other words for.

pub(crate) mod body;
pub(crate) mod client_data;
mod devices;
pub(crate) mod labels;
mod life;
mod logging;
pub(crate) mod mounts;
pub(crate) mod network;
mod ports;
mod resources;
mod security;
mod unsupported;

use cove_proto::v1::{ContainerSpec, StringList, TerminalSize, UpdateContainerRequest};
use serde_json::{Value, json};

use crate::call::invalid_json;
use crate::error::Error;
use body::{Config, HostConfig, OneOrMany};

/// What a body asks for.
#[derive(Debug)]
pub(crate) struct Wanted {
    /// The container.
    pub(crate) spec: ContainerSpec,
    /// What was left out, in dockerd's words.
    pub(crate) warnings: Vec<String>,
    /// Targets of mounts whose folder of the host is made where there is none.
    pub(crate) made: Vec<String>,
}

/// Reads a body.
pub(crate) fn from_body(body: Value) -> Result<Wanted, Error> {
    if body.as_object().is_none_or(serde_json::Map::is_empty) {
        return Err(Error::BadRequest("config cannot be empty in order to create a container".to_owned()));
    }
    unsupported::check(&body)?;
    devices::check_requests(&body["HostConfig"]["DeviceRequests"])?;
    devices::check_storage(&body["HostConfig"]["StorageOpt"])?;
    let config = Config::deserialize_from(&body).map_err(invalid_json)?;
    let host = HostConfig::deserialize_from(&body["HostConfig"]).map_err(invalid_json)?;
    let warnings = warnings(&host);
    let mut spec = spec(config, host)?;
    spec.networks = network::attachments(&body, &spec.network_mode)?;
    let made = mounts::read(&body, &mut spec)?;
    labels::apply(&mut spec)?;
    Ok(Wanted { spec, warnings, made })
}

/// Reads the body of an update, whose members are those of a `HostConfig`.
pub(crate) fn update_from_body(container: String, body: Value) -> Result<(UpdateContainerRequest, Vec<String>), Error> {
    let body = json!({ "HostConfig": body });
    unsupported::check(&body)?;
    let host = HostConfig::deserialize_from(&body["HostConfig"]).map_err(invalid_json)?;
    let restart_policy = life::restart_policy(host.restart_policy.as_ref())?;
    let mut resources = resources::resources(&host);
    // No limit is a change, here.
    resources.pids_limit = host.pids_limit.map_or(0, |limit| if limit <= 0 { -1 } else { limit });
    let request = UpdateContainerRequest { container, resources: Some(resources), restart_policy };
    Ok((request, warnings(&host)))
}

fn warnings(host: &HostConfig) -> Vec<String> {
    let mut warnings = Vec::new();
    if host.oom_kill_disable.unwrap_or(false) {
        warnings.push("Your kernel does not support OomKillDisable. OomKillDisable discarded.".to_owned());
    }
    let is_bound = host.port_bindings.as_ref().is_some_and(|bindings| !bindings.is_empty());
    if host.network_mode.as_deref() == Some("host") && is_bound {
        warnings.push("Published ports are discarded when using host network mode".to_owned());
    }
    // dockerd says it to clients of old versions of its API only; the others are left to wonder.
    if [host.kernel_memory, host.kernel_memory_tcp].into_iter().flatten().any(|bytes| bytes > 0) {
        let discarded = "Your kernel does not support kernel memory limit capabilities or the cgroup is not mounted. \
                         Limitation discarded.";
        warnings.push(discarded.to_owned());
    }
    warnings
}

fn spec(config: Config, mut host: HostConfig) -> Result<ContainerSpec, Error> {
    network::check_ports(host.network_mode.as_deref(), config.exposed_ports.as_ref(), host.port_bindings.as_ref())?;
    let client_data = client_data::of(&config);
    let exposed_ports = config.exposed_ports.iter().flatten().map(|(port, _)| port.clone()).collect();
    let port_bindings = ports::requests(&host.port_bindings.take().unwrap_or_default())?;
    let publish_all_ports = host.publish_all_ports.unwrap_or(false);
    let tty = config.tty.unwrap_or(false);
    Ok(ContainerSpec {
        image: config.image.unwrap_or_default(),
        entrypoint: entrypoint(config.entrypoint),
        cmd: config.cmd.map(OneOrMany::into_vec).filter(|cmd| !cmd.is_empty()).map(|values| StringList { values }),
        env: config.env.unwrap_or_default(),
        working_dir: config.working_dir.unwrap_or_default(),
        user: config.user.unwrap_or_default(),
        hostname: config.hostname.unwrap_or_default(),
        domainname: config.domainname.unwrap_or_default(),
        tty,
        open_stdin: config.open_stdin.unwrap_or(false),
        stdin_once: config.stdin_once.unwrap_or(false),
        labels: config.labels.unwrap_or_default(),
        stop_signal: config.stop_signal.unwrap_or_default(),
        stop_timeout_seconds: config.stop_timeout,
        auto_remove: host.auto_remove.unwrap_or(false),
        restart_policy: life::restart_policy(host.restart_policy.as_ref())?,
        healthcheck: life::healthcheck(config.healthcheck)?,
        network_mode: network::mode(host.network_mode.as_deref()),
        shm_bytes: host.shm_size.map_or(0, |bytes| u64::try_from(bytes).unwrap_or(0)),
        terminal: host.console_size.filter(|_| tty).and_then(terminal_size),
        ulimits: resources::ulimits(host.ulimits.as_deref().unwrap_or_default()),
        resources: Some(resources::resources(&host)),
        links: host.links.take().unwrap_or_default(),
        ipc_mode: host.ipc_mode.take().unwrap_or_default(),
        pid_mode: host.pid_mode.take().unwrap_or_default(),
        uts_mode: host.uts_mode.take().unwrap_or_default(),
        cgroup_parent: host.cgroup_parent.take().unwrap_or_default(),
        cgroupns_mode: host.cgroupns_mode.take().unwrap_or_default(),
        userns_mode: host.userns_mode.take().unwrap_or_default(),
        init: host.init.unwrap_or(false),
        group_add: host.group_add.take().unwrap_or_default(),
        sysctls: host.sysctls.take().unwrap_or_default(),
        annotations: host.annotations.take().unwrap_or_default(),
        extra_hosts: host.extra_hosts.take().unwrap_or_default(),
        dns_servers: host.dns.take().unwrap_or_default(),
        dns_options: host.dns_options.take().unwrap_or_default(),
        dns_search: host.dns_search.take().unwrap_or_default(),
        devices: devices::devices(host.devices.take().unwrap_or_default()),
        device_cgroup_rules: host.device_cgroup_rules.take().unwrap_or_default(),
        log_config: logging::config(host.log_config.as_ref())?,
        security: Some(security::security(host)?),
        client_data,
        exposed_ports,
        port_bindings,
        publish_all_ports,
        ..Default::default()
    })
}

/// Absent: the image's. `[""]` is how clients take the image's away.
fn entrypoint(entrypoint: Option<OneOrMany>) -> Option<StringList> {
    let values = entrypoint?.into_vec();
    Some(StringList { values: if values == [""] { Vec::new() } else { values } })
}

/// `[height, width]`; zeros mean that the client does not know.
pub(crate) fn terminal_size([rows, columns]: [u32; 2]) -> Option<TerminalSize> {
    (rows > 0 && columns > 0).then_some(TerminalSize { rows, columns })
}

#[cfg(test)]
mod tests;
