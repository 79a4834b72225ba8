//! The formats of the kernel's books: cgroup v2's files, /proc/stat, /proc/meminfo, /proc/PID/net/dev. What a line lacks
//! is 0: kernels add and leave out.

use cove_proto::v1::{CpuStats, IoStats, NetworkStats};

/// Nanoseconds of a tick in /proc/stat (USER_HZ is 100 on every architecture of Cove).
const TICK_NANOS: u64 = 10_000_000;

/// A file of one number.
pub(super) fn number(text: &str) -> u64 {
    text.trim().parse().unwrap_or(0)
}

/// A file of one limit; `None` for "max".
pub(super) fn limit(text: &str) -> Option<u64> {
    text.trim().parse().ok()
}

/// "name value" on each line.
pub(super) fn pairs(text: &str) -> impl Iterator<Item = (&str, u64)> {
    text.lines().filter_map(|line| {
        let (name, value) = line.split_once(' ')?;
        Some((name, value.trim().parse().ok()?))
    })
}

/// The value of one name.
pub(super) fn pair(text: &str, name: &str) -> u64 {
    pairs(text).find(|(found, _)| *found == name).map_or(0, |(_, value)| value)
}

/// cpu.stat, without what is the guest's.
pub(super) fn cpu(text: &str) -> CpuStats {
    let nanos = |name| pair(text, name).saturating_mul(1000);
    CpuStats {
        usage_nanos: nanos("usage_usec"),
        user_nanos: nanos("user_usec"),
        system_nanos: nanos("system_usec"),
        periods: pair(text, "nr_periods"),
        throttled_periods: pair(text, "nr_throttled"),
        throttled_nanos: nanos("throttled_usec"),
        ..CpuStats::default()
    }
}

/// io.stat: "major:minor key=value ..." for each device.
pub(super) fn io(text: &str) -> Vec<IoStats> {
    let device = |line: &str| {
        let (numbers, rest) = line.split_once(' ')?;
        let (major, minor) = numbers.split_once(':')?;
        let value = |key: &str| {
            let found = rest.split(' ').find_map(|word| word.strip_prefix(key)?.strip_prefix('='));
            found.and_then(|value| value.parse().ok()).unwrap_or(0)
        };
        Some(IoStats {
            major: major.parse().ok()?,
            minor: minor.parse().ok()?,
            read_bytes: value("rbytes"),
            written_bytes: value("wbytes"),
            reads: value("rios"),
            writes: value("wios"),
        })
    };
    text.lines().filter_map(device).collect()
}

/// /proc/stat: the time of all CPUs (user, nice, system, idle, iowait, irq and softirq, as dockerd adds them up), and how
/// many are on.
pub(super) fn guest_cpu(text: &str) -> (u64, u32) {
    let all = text.lines().find_map(|line| line.strip_prefix("cpu ")).unwrap_or_default();
    let ticks: u64 = all.split_whitespace().take(7).filter_map(|ticks| ticks.parse::<u64>().ok()).sum();
    let is_one =
        |line: &&str| line.strip_prefix("cpu").is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit()));
    let cpus = text.lines().filter(is_one).count();
    (ticks.saturating_mul(TICK_NANOS), u32::try_from(cpus).unwrap_or(u32::MAX))
}

/// /proc/meminfo: all memory, in bytes.
pub(super) fn guest_memory(text: &str) -> u64 {
    let total = text.lines().find_map(|line| line.strip_prefix("MemTotal:")).unwrap_or_default();
    number(total.trim().trim_end_matches(" kB")).saturating_mul(1024)
}

/// /proc/PID/net/dev: 8 numbers in, 8 numbers out, behind the name. Loopback is left out, as with dockerd.
pub(super) fn networks(text: &str) -> Vec<(String, NetworkStats)> {
    let interface = |line: &str| {
        let (name, numbers) = line.split_once(':')?;
        let numbers: Vec<u64> = numbers.split_whitespace().filter_map(|number| number.parse().ok()).collect();
        let at = |place: usize| numbers.get(place).copied().unwrap_or(0);
        let stats = NetworkStats {
            received_bytes: at(0),
            received_packets: at(1),
            receive_errors: at(2),
            receive_dropped: at(3),
            sent_bytes: at(8),
            sent_packets: at(9),
            send_errors: at(10),
            send_dropped: at(11),
        };
        Some((name.trim().to_owned(), stats))
    };
    text.lines().skip(2).filter_map(interface).filter(|(name, _)| name != "lo").collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_device_line_may_lack_numbers_and_have_more() {
        let found = io("254:16 rbytes=1 cost.usage=7\n8:0 \nbroken\n");
        assert_eq!(found.len(), 2);
        assert_eq!((found[0].major, found[0].minor, found[0].read_bytes, found[0].writes), (254, 16, 1, 0));
    }

    #[test]
    fn no_limit_is_no_number() {
        assert_eq!((limit("max\n"), limit("50\n")), (None, Some(50)));
    }

    #[test]
    fn one_name_does_not_stand_for_a_longer_one() {
        assert_eq!(pair("oom_kill 3\noom 1\n", "oom"), 1);
        assert_eq!(pair("", "oom"), 0);
    }
}
