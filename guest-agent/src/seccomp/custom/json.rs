//! The JSON of a profile: what containers/common and moby/profiles call a seccomp profile, as far as it says something.

use serde::Deserialize;

/// A profile.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Document {
    #[serde(default)]
    pub(super) default_action: String,
    pub(super) default_errno_ret: Option<u32>,
    #[serde(default)]
    pub(super) architectures: Option<Vec<String>>,
    #[serde(default)]
    pub(super) arch_map: Option<Vec<ArchitectureMap>>,
    #[serde(default)]
    pub(super) syscalls: Option<Vec<Group>>,
}

/// An architecture, and those whose system calls its kernel has as well.
#[derive(Deserialize)]
pub(super) struct ArchitectureMap {
    pub(super) architecture: String,
    #[serde(default, rename = "subArchitectures")]
    pub(super) with: Option<Vec<String>>,
}

/// What happens to some system calls.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Group {
    #[serde(default)]
    pub(super) name: String,
    #[serde(default)]
    pub(super) names: Option<Vec<String>>,
    pub(super) action: String,
    pub(super) errno_ret: Option<u32>,
    #[serde(default)]
    pub(super) args: Option<Vec<Argument>>,
    #[serde(default)]
    pub(super) includes: Option<Filter>,
    #[serde(default)]
    pub(super) excludes: Option<Filter>,
}

/// A condition.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Argument {
    pub(super) index: u64,
    pub(super) value: u64,
    #[serde(default)]
    pub(super) value_two: u64,
    pub(super) op: String,
}

/// For which containers.
#[derive(Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub(super) struct Filter {
    pub(super) caps: Option<Vec<String>>,
    pub(super) arches: Option<Vec<String>>,
    #[serde(rename = "minKernel")]
    pub(super) min_kernel: Option<String>,
}
