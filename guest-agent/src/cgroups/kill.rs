//! Killing all processes of a container, and knowing whether the kernel did.

use super::{CgroupError, folder};

/// Kills every process of a container, those that are being made included.
///
/// # Errors
/// When the cgroup is gone.
pub fn kill(id: &str) -> Result<(), CgroupError> {
    let path = folder(id).join("cgroup.kill");
    std::fs::write(&path, "1").map_err(|source| CgroupError::Write { path, source })
}

/// How many processes of a container the kernel has killed for want of memory; 0 when the cgroup is gone.
#[must_use]
pub fn oom_kills(id: &str) -> u64 {
    std::fs::read_to_string(folder(id).join("memory.events")).map_or(0, |text| kills_in(&text))
}

fn kills_in(events: &str) -> u64 {
    events.lines().find_map(|line| line.strip_prefix("oom_kill ")?.trim().parse().ok()).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kills_are_counted_apart_from_other_events() {
        assert_eq!(kills_in("low 0\nhigh 0\nmax 58\noom 2\noom_kill 1\noom_group_kill 0\n"), 1);
        assert_eq!(kills_in("oom 2\n"), 0);
        assert_eq!(kills_in(""), 0);
    }
}
