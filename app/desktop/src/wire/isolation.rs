//! What a container shares with the guest and what is walled off.

use std::collections::BTreeMap;

use cove_proto::v1::{self, GetIsolationResponse};
use serde::Serialize;

/// `Isolation` of bridge.ts.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Isolation {
    pid: u32,
    container_pid: u32,
    namespaces: Vec<Namespace>,
    agent_namespaces: Vec<Namespace>,
    cgroup: String,
    limits: BTreeMap<String, String>,
    kernel_release: String,
    capabilities: Vec<String>,
    seccomp: bool,
}

#[derive(Debug, Serialize)]
struct Namespace {
    kind: String,
    inode: u64,
}

impl From<v1::Namespace> for Namespace {
    fn from(v1::Namespace { kind, inode }: v1::Namespace) -> Self {
        Self { kind, inode }
    }
}

impl From<GetIsolationResponse> for Isolation {
    fn from(isolation: GetIsolationResponse) -> Self {
        let namespaces = |list: Vec<v1::Namespace>| list.into_iter().map(Namespace::from).collect();
        Self {
            pid: isolation.pid,
            container_pid: isolation.container_pid,
            namespaces: namespaces(isolation.namespaces),
            agent_namespaces: namespaces(isolation.agent_namespaces),
            cgroup: isolation.cgroup,
            limits: isolation.limits.into_iter().collect(),
            kernel_release: isolation.kernel_release,
            capabilities: isolation.capabilities,
            seccomp: isolation.seccomp,
        }
    }
}
