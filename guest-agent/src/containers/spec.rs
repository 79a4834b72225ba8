//! Whether what a container is asked to be makes sense. Messages are dockerd's, where it has one.

use cove_proto::v1::{ContainerSpec, Healthcheck, Resources, RestartPolicy, RestartPolicyKind, Ulimit};

use super::{
    devices,
    error::Kind,
    etc, limits,
    mounts::{self, MountError},
    namespaces, signals,
};
use crate::{
    logs::options::{self, LogOptionError},
    seccomp::custom::ProfileError,
};

/// dockerd's least memory: less, and not even the runtime starts.
const LEAST_MEMORY_BYTES: i64 = 6 * 1024 * 1024;

/// Why a container cannot be what it is asked to be.
#[derive(Debug, thiserror::Error)]
pub enum SpecError {
    /// Neither creator nor image names a program.
    #[error("no command specified")]
    NoCommand,
    /// A variable without a name.
    #[error("invalid environment variable: {0}")]
    Environment(String),
    /// A relative folder.
    #[error("the working directory '{0}' is invalid, it needs to be an absolute path")]
    WorkingDir(String),
    /// No such signal.
    #[error("invalid signal: {0}")]
    StopSignal(String),
    /// No such capability.
    #[error("invalid {list}: unknown capability: {name:?}")]
    Capability {
        /// "CapAdd" or "CapDrop".
        list: &'static str,
        /// As asked for.
        name: String,
    },
    /// No such limit.
    #[error("invalid ulimit type: {0}")]
    UlimitName(String),
    /// A soft limit above the hard one.
    #[error("ulimit soft limit must be less than or equal to hard limit: {soft} > {hard}")]
    UlimitOrder {
        /// The soft limit.
        soft: i64,
        /// The hard limit.
        hard: i64,
    },
    /// A time that is too short to be meant.
    #[error("{0} in Healthcheck cannot be less than 1ms")]
    Healthcheck(&'static str),
    /// What it is to see beside its root file system.
    #[error(transparent)]
    Mount(#[from] MountError),
    /// A limit that makes no sense.
    #[error("{0}")]
    Limit(&'static str),
    /// More CPUs than there are.
    #[error("range of CPUs is from 0.01 to {0}.00, as there are only {0} CPUs available")]
    NanoCpus(usize),
    /// Not a list of CPUs.
    #[error("Invalid value {0} for cpuset cpus")]
    CpusetSyntax(String),
    /// CPUs that are not there.
    #[error("Requested CPUs are not available - requested {asked}, available: {available}")]
    Cpuset {
        /// As asked for.
        asked: String,
        /// "0-3".
        available: String,
    },
    /// Memory nodes that are not there.
    #[error("Requested memory nodes are not available - requested {asked}, available: {available}")]
    MemoryNodes {
        /// As asked for.
        asked: String,
        /// "0".
        available: String,
    },
    /// Not a list of memory nodes.
    #[error("Invalid value {0} for cpuset mems")]
    MemoryNodesSyntax(String),
    /// Two options that exclude each other.
    #[error("{0}")]
    Conflict(&'static str),
    /// No such way to have a namespace.
    #[error("invalid {what}: {mode}")]
    Mode {
        /// "IPC mode" and so on.
        what: &'static str,
        /// As asked for.
        mode: String,
    },
    /// No name and address.
    #[error("bad format for add-host: {0:?}")]
    ExtraHost(String),
    /// No address.
    #[error("invalid IP address in add-host: {0:?}")]
    ExtraHostAddress(String),
    /// No address.
    #[error("bad nameserver address {0}")]
    NameServer(String),
    /// A note without a name.
    #[error("invalid Annotations: the empty string is not permitted as an annotation key")]
    Annotation,
    /// No rule.
    #[error("invalid device cgroup rule format: '{0}'")]
    DeviceRule(String),
    /// Neither of "r", "w" and "m".
    #[error("bad mode specified for device {0:?}: {1}")]
    DevicePermissions(String, String),
    /// A system call filter of the user's own.
    #[error(transparent)]
    Seccomp(#[from] ProfileError),
    /// Its log.
    #[error(transparent)]
    Log(#[from] LogOptionError),
    /// Out of the range.
    #[error("Invalid value {0}, range for oom score adj is [-1000, 1000]")]
    OomScoreAdj(i32),
}

impl SpecError {
    pub(super) fn kind(&self) -> Kind {
        match self {
            // dockerd reads it when the container starts, when nothing of the request can be wrong any more.
            Self::Seccomp(_) => Kind::Internal,
            _ => Kind::Invalid,
        }
    }
}

/// Checks what the creator says, for a guest of so many CPUs.
///
/// # Errors
/// At the first thing that makes no sense.
pub(super) fn check(spec: &ContainerSpec, cpus: usize) -> Result<(), SpecError> {
    if let Some(entry) = spec.env.iter().find(|entry| entry.is_empty() || entry.starts_with('=')) {
        return Err(SpecError::Environment(entry.clone()));
    }
    if !spec.working_dir.is_empty() && !spec.working_dir.starts_with('/') {
        return Err(SpecError::WorkingDir(spec.working_dir.clone()));
    }
    if !spec.stop_signal.is_empty() && signals::parse(&spec.stop_signal).is_none() {
        return Err(SpecError::StopSignal(spec.stop_signal.clone()));
    }
    mounts::check(spec)?;
    namespaces::check(spec)?;
    etc::check(spec)?;
    devices::check(spec)?;
    if spec.annotations.contains_key("") {
        return Err(SpecError::Annotation);
    }
    options::check(spec.log_config.as_ref())?;
    limits::capabilities(spec)?;
    spec.ulimits.iter().try_for_each(check_ulimit)?;
    check_life(spec)?;
    check_resources(spec.resources.as_ref().unwrap_or(&Resources::default()), cpus)
}

/// Checks what happens when its program ends, and how it is checked meanwhile.
fn check_life(spec: &ContainerSpec) -> Result<(), SpecError> {
    let policy = spec.restart_policy.unwrap_or_default();
    check_restart_policy(&policy)?;
    let restarts = !matches!(policy.kind(), RestartPolicyKind::Unspecified | RestartPolicyKind::No);
    if spec.auto_remove && restarts {
        return Err(SpecError::Limit("can't create 'AutoRemove' container with restart policy"));
    }
    spec.healthcheck.as_ref().map_or(Ok(()), check_healthcheck)
}

pub(super) fn check_restart_policy(policy: &RestartPolicy) -> Result<(), SpecError> {
    if policy.maximum_retry_count != 0 && policy.kind() != RestartPolicyKind::OnFailure {
        return Err(SpecError::Limit("invalid restart policy: maximum retry count can only be used with 'on-failure'"));
    }
    Ok(())
}

fn check_healthcheck(check: &Healthcheck) -> Result<(), SpecError> {
    const LEAST_NANOS: i64 = 1_000_000;
    for (nanos, name) in [
        (check.interval_nanos, "Interval"),
        (check.timeout_nanos, "Timeout"),
        (check.start_period_nanos, "StartPeriod"),
        (check.start_interval_nanos, "StartInterval"),
    ] {
        if nanos != 0 && nanos < LEAST_NANOS {
            return Err(SpecError::Healthcheck(name));
        }
    }
    Ok(())
}

fn check_ulimit(ulimit: &Ulimit) -> Result<(), SpecError> {
    let as_number = |limit: i64| if limit < 0 { i64::MAX } else { limit };
    if limits::ulimit_resource(&ulimit.name).is_none() {
        return Err(SpecError::UlimitName(ulimit.name.clone()));
    }
    if as_number(ulimit.soft) > as_number(ulimit.hard) {
        return Err(SpecError::UlimitOrder { soft: ulimit.soft, hard: ulimit.hard });
    }
    Ok(())
}

pub(super) fn check_resources(asked: &Resources, cpus: usize) -> Result<(), SpecError> {
    check_memory(asked)?;
    check_cpu(asked, cpus)?;
    check_io(asked)?;
    if !(-1000..=1000).contains(&asked.oom_score_adj) {
        return Err(SpecError::OomScoreAdj(asked.oom_score_adj));
    }
    Ok(())
}

fn check_memory(asked: &Resources) -> Result<(), SpecError> {
    let (memory, swap, reservation) = (asked.memory_bytes, asked.memory_swap_bytes, asked.memory_reservation_bytes);
    for (wrong, message) in [
        (memory != 0 && memory < LEAST_MEMORY_BYTES, "Minimum memory limit allowed is 6MB"),
        (
            memory > 0 && swap > 0 && swap < memory,
            "Minimum memoryswap limit should be larger than memory limit, see usage",
        ),
        (memory == 0 && swap > 0, "You should always set the Memory limit when using Memoryswap limit, see usage"),
        (reservation != 0 && reservation < LEAST_MEMORY_BYTES, "Minimum memory reservation allowed is 6MB"),
        (
            memory > 0 && reservation > 0 && memory < reservation,
            "Minimum memory limit can not be less than memory reservation limit, see usage",
        ),
    ] {
        if wrong {
            return Err(SpecError::Limit(message));
        }
    }
    Ok(())
}

fn check_cpu(asked: &Resources, cpus: usize) -> Result<(), SpecError> {
    let (nano, quota, period) = (asked.nano_cpus, asked.cpu_quota_micros, asked.cpu_period_micros);
    for (wrong, message) in [
        (nano > 0 && period > 0, "Conflicting options: Nano CPUs and CPU Period cannot both be set"),
        (nano > 0 && quota > 0, "Conflicting options: Nano CPUs and CPU Quota cannot both be set"),
        (
            period != 0 && !(1000..=1_000_000).contains(&period),
            "CPU cfs period can not be less than 1ms (i.e. 1000) or larger than 1s (i.e. 1000000)",
        ),
        (quota > 0 && quota < 1000, "CPU cfs quota can not be less than 1ms (i.e. 1000)"),
        (asked.cpu_shares < 0, "Invalid CPU shares: less than 0"),
    ] {
        if wrong {
            return Err(SpecError::Limit(message));
        }
    }
    // Less than a hundredth of a CPU makes a quota that the kernel refuses.
    let most = i64::try_from(cpus).unwrap_or(i64::MAX).saturating_mul(1_000_000_000);
    if nano < 0 || (nano > 0 && nano < 10_000_000) || nano > most {
        return Err(SpecError::NanoCpus(cpus));
    }
    check_cpuset(&asked.cpuset_cpus, cpus)?;
    check_memory_nodes(&asked.cpuset_mems, memory_nodes())
}

fn check_io(asked: &Resources) -> Result<(), SpecError> {
    if asked.io_weight != 0 && !(10..=1000).contains(&asked.io_weight) {
        return Err(SpecError::Limit("Range of blkio weight is from 10 to 1000"));
    }
    Ok(())
}

fn check_memory_nodes(asked: &str, nodes: usize) -> Result<(), SpecError> {
    if asked.is_empty() {
        return Ok(());
    }
    let highest = highest_cpu(asked).ok_or_else(|| SpecError::MemoryNodesSyntax(asked.to_owned()))?;
    if highest < nodes {
        return Ok(());
    }
    Err(SpecError::MemoryNodes { asked: asked.to_owned(), available: listed(nodes) })
}

/// How many memory nodes the guest has; one, where the kernel does not tell them apart.
fn memory_nodes() -> usize {
    let online = std::fs::read_to_string("/sys/devices/system/node/online").unwrap_or_default();
    highest_cpu(online.trim()).unwrap_or(0) + 1
}

fn listed(count: usize) -> String {
    if count == 1 { "0".to_owned() } else { format!("0-{}", count - 1) }
}

/// Takes out what the kernel cannot do (a weight for a single device needs a scheduler that it lacks), and says so in
/// dockerd's words.
pub fn discard(spec: &mut ContainerSpec) -> Vec<String> {
    let Some(resources) = &mut spec.resources else { return Vec::new() };
    let swappiness = resources.memory_swappiness.take().is_some();
    let weights = !std::mem::take(&mut resources.io_device_weights).is_empty();
    let unsupported = [
        (swappiness, "memory swappiness capabilities or the cgroup is not mounted. Memory swappiness discarded."),
        (weights, "Block I/O weight_device or the cgroup is not mounted. Weight-device discarded."),
    ];
    let asked_for = unsupported.into_iter().filter(|(asked, _)| *asked);
    asked_for.map(|(_, what)| format!("Your kernel does not support {what}")).collect()
}

fn check_cpuset(asked: &str, cpus: usize) -> Result<(), SpecError> {
    if asked.is_empty() {
        return Ok(());
    }
    let highest = highest_cpu(asked).ok_or_else(|| SpecError::CpusetSyntax(asked.to_owned()))?;
    if highest < cpus {
        return Ok(());
    }
    Err(SpecError::Cpuset { asked: asked.to_owned(), available: listed(cpus) })
}

/// The highest CPU of a list like "0-2,4"; `None` if it is no list.
fn highest_cpu(list: &str) -> Option<usize> {
    let mut highest = 0;
    for part in list.split(',') {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        let (first, last): (usize, usize) = (first.trim().parse().ok()?, last.trim().parse().ok()?);
        if first > last {
            return None;
        }
        highest = highest.max(last);
    }
    Some(highest)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(change: impl FnOnce(&mut ContainerSpec, &mut Resources)) -> Result<(), String> {
        let (mut spec, mut resources) = (ContainerSpec::default(), Resources::default());
        change(&mut spec, &mut resources);
        spec.resources = Some(resources);
        check(&spec, 2).map_err(|error| error.to_string())
    }

    #[test]
    fn what_the_kernel_lacks_is_taken_out_and_named() {
        let mut resources = Resources { memory_swappiness: Some(10), ..Resources::default() };
        resources.io_device_weights.push(cove_proto::v1::IoDeviceLimit { path: "/dev/vda".into(), limit: 100 });
        let mut spec = ContainerSpec { resources: Some(resources), ..ContainerSpec::default() };
        let warnings = discard(&mut spec);
        assert!(
            warnings[0].ends_with("Memory swappiness discarded.") && warnings[1].ends_with("Weight-device discarded.")
        );
        assert_eq!((spec.resources, warnings.len()), (Some(Resources::default()), 2));
        assert_eq!(discard(&mut ContainerSpec::default()), Vec::<String>::new());
    }

    #[test]
    fn what_makes_sense_passes() {
        with(|_, _| {}).unwrap();
        with(|spec, resources| {
            spec.env = vec!["A=".into(), "B".into()];
            spec.network_mode = "none".into();
            spec.stop_signal = "RTMIN+3".into();
            spec.ulimits = vec![Ulimit { name: "nofile".into(), soft: 1024, hard: -1 }];
            resources.memory_bytes = LEAST_MEMORY_BYTES;
            resources.memory_swap_bytes = -1;
            resources.nano_cpus = 1_500_000_000;
            resources.cpuset_cpus = "0-1,1".into();
        })
        .unwrap();
    }

    #[test]
    fn what_makes_no_sense_is_refused_in_dockers_words() {
        type Change = fn(&mut ContainerSpec, &mut Resources);
        let cases: [(Change, &str); 28] = [
            (|spec, _| spec.env = vec!["=x".into()], "invalid environment variable: =x"),
            (
                |spec, _| spec.working_dir = "x".into(),
                "the working directory 'x' is invalid, it needs to be an absolute path",
            ),
            (|spec, _| spec.stop_signal = "NOSUCH".into(), "invalid signal: NOSUCH"),
            (
                |spec, _| spec.ulimits = vec![Ulimit { name: "nosuch".into(), soft: 1, hard: 1 }],
                "invalid ulimit type: nosuch",
            ),
            (
                |spec, _| spec.ulimits = vec![Ulimit { name: "nofile".into(), soft: -1, hard: 1 }],
                "ulimit soft limit must be less than or equal to hard limit: -1 > 1",
            ),
            (|_, r| r.memory_bytes = 4096, "Minimum memory limit allowed is 6MB"),
            (
                |_, r| r.memory_swap_bytes = 1 << 30,
                "You should always set the Memory limit when using Memoryswap limit, see usage",
            ),
            (
                |_, r| (r.memory_bytes, r.memory_swap_bytes) = (1 << 30, 1 << 29),
                "Minimum memoryswap limit should be larger than memory limit, see usage",
            ),
            (
                |_, r| (r.memory_bytes, r.memory_reservation_bytes) = (1 << 29, 1 << 30),
                "Minimum memory limit can not be less than memory reservation limit, see usage",
            ),
            (
                |_, r| r.nano_cpus = 3_000_000_000,
                "range of CPUs is from 0.01 to 2.00, as there are only 2 CPUs available",
            ),
            (
                |_, r| (r.nano_cpus, r.cpu_quota_micros) = (1_000_000_000, 5000),
                "Conflicting options: Nano CPUs and CPU Quota cannot both be set",
            ),
            (|_, r| r.cpuset_cpus = "1-0".into(), "Invalid value 1-0 for cpuset cpus"),
            (|_, r| r.cpuset_cpus = "0,5".into(), "Requested CPUs are not available - requested 0,5, available: 0-1"),
            (|_, r| r.oom_score_adj = 1001, "Invalid value 1001, range for oom score adj is [-1000, 1000]"),
            (|spec, _| spec.ipc_mode = "x".into(), "invalid IPC mode: x"),
            (|spec, _| spec.pid_mode = "container:".into(), "invalid PID mode: container:"),
            (|spec, _| spec.uts_mode = "container:x".into(), "invalid UTS mode: container:x"),
            (|spec, _| spec.cgroupns_mode = "x".into(), "invalid cgroup namespace mode: x"),
            (
                |spec, _| (spec.uts_mode, spec.hostname) = ("host".into(), "h".into()),
                "conflicting options: hostname and the UTS mode",
            ),
            (
                |spec, _| (spec.network_mode, spec.hostname) = ("container:x".into(), "h".into()),
                "conflicting options: hostname and the network mode",
            ),
            (
                |spec, _| (spec.network_mode, spec.dns_servers) = ("container:x".into(), vec!["1.1.1.1".into()]),
                "conflicting options: dns and the network mode",
            ),
            (
                |spec, _| spec.network_mode = "container:".into(),
                "invalid network mode: invalid container format container:<name|id>",
            ),
            (
                |spec, _| spec.annotations = [(String::new(), String::new())].into(),
                "invalid Annotations: the empty string is not permitted as an annotation key",
            ),
            (|spec, _| spec.device_cgroup_rules = vec!["x".into()], "invalid device cgroup rule format: 'x'"),
            (|_, r| r.cpuset_mems = "x".into(), "Invalid value x for cpuset mems"),
            (
                |_, r| r.cpuset_mems = "1024".into(),
                "Requested memory nodes are not available - requested 1024, available: 0",
            ),
            (|_, r| r.io_weight = 9, "Range of blkio weight is from 10 to 1000"),
            (|_, r| r.cpu_quota_micros = 999, "CPU cfs quota can not be less than 1ms (i.e. 1000)"),
        ];
        for (change, message) in cases {
            assert_eq!(with(change).unwrap_err(), message);
        }
    }
}
