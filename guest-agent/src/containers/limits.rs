//! From what users ask for to what the kernel knows: capabilities, resources, limits of processes.

use cove_proto::v1;

use super::spec::SpecError;
use crate::{
    capabilities,
    processes::launch::{Resources, Rlimit},
};

/// The kernel's default period, microseconds.
const CPU_PERIOD_MICROS: u64 = 100_000;

/// The capabilities of a container, by moby's rules: "ALL" is the set that the others then change.
///
/// # Errors
/// If a name is unknown.
pub(super) fn capabilities(spec: &v1::ContainerSpec) -> Result<u64, SpecError> {
    let Some(security) = &spec.security else { return Ok(capabilities::DEFAULT) };
    let add = set_of("CapAdd", &security.cap_add)?;
    let drop = set_of("CapDrop", &security.cap_drop)?;
    Ok(if security.privileged {
        capabilities::ALL
    } else if add.all {
        capabilities::ALL & !drop.named
    } else if drop.all {
        add.named
    } else {
        (capabilities::DEFAULT & !drop.named) | add.named
    })
}

struct Named {
    all: bool,
    named: u64,
}

fn set_of(list: &'static str, names: &[String]) -> Result<Named, SpecError> {
    let mut set = Named { all: false, named: 0 };
    for name in names {
        if name.eq_ignore_ascii_case("all") {
            set.all = true;
        } else {
            let number = capabilities::by_name(name);
            set.named |= 1 << number.ok_or_else(|| SpecError::Capability { list, name: with_prefix(name) })?;
        }
    }
    Ok(set)
}

fn with_prefix(name: &str) -> String {
    let upper = name.to_ascii_uppercase();
    if upper.starts_with("CAP_") { upper } else { format!("CAP_{upper}") }
}

/// The limits of a container's cgroup, but for those of single devices, which have to be looked for.
#[must_use]
pub(super) fn resources(asked: &v1::Resources) -> Resources {
    let positive = |value: i64| u64::try_from(value).ok().filter(|value| *value > 0);
    let period = positive(asked.cpu_period_micros).unwrap_or(CPU_PERIOD_MICROS);
    let cpu_max = match (positive(asked.nano_cpus), positive(asked.cpu_quota_micros)) {
        (Some(nano), _) => Some((nano * CPU_PERIOD_MICROS / 1_000_000_000, CPU_PERIOD_MICROS)),
        (None, Some(quota)) => Some((quota, period)),
        (None, None) => None,
    };
    Resources {
        cpu_max,
        cpu_shares: positive(asked.cpu_shares),
        cpuset_cpus: Some(asked.cpuset_cpus.clone()).filter(|cpus| !cpus.is_empty()),
        cpuset_mems: Some(asked.cpuset_mems.clone()).filter(|nodes| !nodes.is_empty()),
        memory_bytes: positive(asked.memory_bytes),
        swap_bytes: positive(asked.memory_bytes).and_then(|memory| swap(memory, asked.memory_swap_bytes)),
        memory_reservation_bytes: positive(asked.memory_reservation_bytes),
        pids: positive(asked.pids_limit),
        io_weight: Some(u64::from(asked.io_weight)).filter(|weight| *weight > 0),
        io: Vec::new(),
    }
}

/// Swap alone, from Docker's memory and swap together.
fn swap(memory: u64, memory_and_swap: i64) -> Option<u64> {
    match u64::try_from(memory_and_swap) {
        Err(_) => None,
        Ok(0) => Some(memory),
        Ok(both) => Some(both.saturating_sub(memory)),
    }
}

/// The number of a limit of setrlimit(2) by Docker's name.
#[must_use]
pub(super) fn ulimit_resource(name: &str) -> Option<u32> {
    let number = match name {
        "core" => libc::RLIMIT_CORE,
        "cpu" => libc::RLIMIT_CPU,
        "data" => libc::RLIMIT_DATA,
        "fsize" => libc::RLIMIT_FSIZE,
        "locks" => libc::RLIMIT_LOCKS,
        "memlock" => libc::RLIMIT_MEMLOCK,
        "msgqueue" => libc::RLIMIT_MSGQUEUE,
        "nice" => libc::RLIMIT_NICE,
        "nofile" => libc::RLIMIT_NOFILE,
        "nproc" => libc::RLIMIT_NPROC,
        "rss" => libc::RLIMIT_RSS,
        "rtprio" => libc::RLIMIT_RTPRIO,
        "rttime" => libc::RLIMIT_RTTIME,
        "sigpending" => libc::RLIMIT_SIGPENDING,
        "stack" => libc::RLIMIT_STACK,
        _ => return None,
    };
    Some(number)
}

/// Limits of processes; unknown names were refused when the container was made.
#[must_use]
pub(super) fn rlimits(asked: &[v1::Ulimit]) -> Vec<Rlimit> {
    let limit = |value: i64| u64::try_from(value).unwrap_or(u64::MAX);
    let one = |ulimit: &v1::Ulimit| {
        let resource = ulimit_resource(&ulimit.name)?;
        Some(Rlimit { resource, soft: limit(ulimit.soft), hard: limit(ulimit.hard) })
    };
    asked.iter().filter_map(one).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(add: &[&str], drop: &[&str], privileged: bool) -> Result<u64, SpecError> {
        let words = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect();
        let security =
            v1::Security { privileged, cap_add: words(add), cap_drop: words(drop), ..v1::Security::default() };
        capabilities(&v1::ContainerSpec { security: Some(security), ..v1::ContainerSpec::default() })
    }

    #[test]
    fn capabilities_follow_mobys_rules() {
        let bit = |name| 1_u64 << capabilities::by_name(name).unwrap();
        assert_eq!(capabilities(&v1::ContainerSpec::default()).unwrap(), capabilities::DEFAULT);
        assert_eq!(set(&["NET_ADMIN"], &[], false).unwrap(), capabilities::DEFAULT | bit("NET_ADMIN"));
        assert_eq!(set(&[], &["cap_chown"], false).unwrap(), capabilities::DEFAULT & !bit("CHOWN"));
        assert_eq!(set(&["CHOWN"], &["ALL"], false).unwrap(), bit("CHOWN"));
        assert_eq!(set(&["ALL"], &["CHOWN"], false).unwrap(), capabilities::ALL & !bit("CHOWN"));
        assert_eq!(set(&[], &["ALL"], true).unwrap(), capabilities::ALL);
        let error = set(&["nosuch"], &[], false).unwrap_err();
        assert_eq!(error.to_string(), r#"invalid CapAdd: unknown capability: "CAP_NOSUCH""#);
    }

    #[test]
    fn cpus_become_a_quota_and_swap_is_counted_apart() {
        let of = |asked: v1::Resources| resources(&asked);
        assert_eq!(of(v1::Resources::default()), Resources::default());
        let half = of(v1::Resources { nano_cpus: 500_000_000, ..Default::default() });
        assert_eq!(half.cpu_max, Some((50_000, 100_000)));
        let quota = of(v1::Resources { cpu_quota_micros: 20_000, cpu_period_micros: 50_000, ..Default::default() });
        assert_eq!(quota.cpu_max, Some((20_000, 50_000)));
        let swap = |memory_bytes, memory_swap_bytes| {
            of(v1::Resources { memory_bytes, memory_swap_bytes, ..Default::default() }).swap_bytes
        };
        assert_eq!(swap(64, 0), Some(64));
        assert_eq!(swap(64, 64), Some(0));
        assert_eq!(swap(64, 100), Some(36));
        assert_eq!(swap(64, -1), None);
        assert_eq!(swap(0, 0), None);
        assert_eq!(of(v1::Resources { pids_limit: -1, ..Default::default() }).pids, None);
    }
}
