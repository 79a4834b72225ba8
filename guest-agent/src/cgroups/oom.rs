//! Kills for want of memory: how many there were, and being told of the next.

use std::{
    fs::File,
    io,
    os::fd::{AsFd, OwnedFd},
};

use tokio::io::Interest;

use super::folder;
use crate::sys;

/// The file in which the kernel counts, and on which it raises POLLPRI when a count changes.
const FILE: &str = "memory.events";

/// The file has a handful of short lines.
const MOST_BYTES: usize = 512;

/// How many processes of a container the kernel has killed for want of memory; 0 when the cgroup is gone.
#[must_use]
pub fn oom_kills(id: &str) -> u64 {
    std::fs::read_to_string(folder(id).join(FILE)).map_or(0, |text| kills_in(&text))
}

/// Waits until the kernel has killed more than `known` of them, and says how many.
///
/// # Errors
/// When the cgroup is gone.
pub async fn oom_kills_beyond(id: &str, known: u64) -> io::Result<u64> {
    let file = OwnedFd::from(File::open(folder(id).join(FILE))?);
    let watched = sys::watch::watch(file, Interest::PRIORITY)?;
    loop {
        let kills = kills_in(&read(watched.get_ref())?);
        if kills > known {
            return Ok(kills);
        }
        watched.ready(Interest::PRIORITY).await?.clear_ready();
    }
}

fn read(file: impl AsFd) -> io::Result<String> {
    let mut buffer = [0; MOST_BYTES];
    let count = rustix::io::pread(file, &mut buffer[..], 0)?;
    Ok(String::from_utf8_lossy(&buffer[..count]).into_owned())
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
