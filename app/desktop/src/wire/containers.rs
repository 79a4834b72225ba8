//! Containers.

use std::collections::BTreeMap;

use cove_proto::v1::{self, ContainerStatus};
use serde::Serialize;

use super::{time, word};

/// `Container` of bridge.ts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Container {
    id: String,
    name: String,
    image: String,
    image_id: String,
    status: String,
    pid: u32,
    exit_code: i32,
    oom_killed: bool,
    error: String,
    created_at: Option<String>,
    started_at: Option<String>,
    finished_at: Option<String>,
    command: Vec<String>,
    /// Whether its program runs; for the tray, which counts them.
    #[serde(skip)]
    pub(crate) runs: bool,
}

/// `ContainerDetails` of bridge.ts.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ContainerDetails {
    #[serde(flatten)]
    container: Container,
    env: Vec<String>,
    labels: BTreeMap<String, String>,
    working_dir: String,
    user: String,
    hostname: String,
    network_mode: String,
    address: String,
    tty: bool,
    auto_remove: bool,
    privileged: bool,
    read_only_rootfs: bool,
    nano_cpus: i64,
    memory_bytes: i64,
    pids_limit: i64,
}

impl From<v1::Container> for Container {
    fn from(container: v1::Container) -> Self {
        let state = container.state.unwrap_or_default();
        let status = state.status();
        let image = container.spec.map(|spec| spec.image).unwrap_or_default();
        Self {
            id: container.id,
            name: container.name,
            image,
            image_id: container.image_id,
            status: word(status.as_str_name(), "CONTAINER_STATUS_"),
            pid: state.pid,
            exit_code: state.exit_code,
            oom_killed: state.oom_killed,
            error: state.error,
            created_at: time(container.created_at),
            started_at: time(state.started_at),
            finished_at: time(state.finished_at),
            command: std::iter::once(container.path).chain(container.args).collect(),
            runs: matches!(status, ContainerStatus::Running | ContainerStatus::Paused),
        }
    }
}

impl From<v1::Container> for ContainerDetails {
    fn from(container: v1::Container) -> Self {
        let spec = container.spec.clone().unwrap_or_default();
        let address = container.networks.first().map(|endpoint| endpoint.ipv4_address.clone()).unwrap_or_default();
        let (security, resources) = (spec.security.unwrap_or_default(), spec.resources.unwrap_or_default());
        Self {
            container: container.into(),
            env: spec.env,
            labels: spec.labels.into_iter().collect(),
            working_dir: spec.working_dir,
            user: spec.user,
            hostname: spec.hostname,
            network_mode: if spec.network_mode.is_empty() { "bridge".to_owned() } else { spec.network_mode },
            address,
            tty: spec.tty,
            auto_remove: spec.auto_remove,
            privileged: security.privileged,
            read_only_rootfs: security.read_only_rootfs,
            nano_cpus: resources.nano_cpus,
            memory_bytes: resources.memory_bytes,
            pids_limit: resources.pids_limit,
        }
    }
}
