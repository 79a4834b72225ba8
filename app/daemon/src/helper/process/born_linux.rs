//! Linux: field 22 of /proc/PID/stat, in ticks since the host booted.

use std::io;

use nix::errno::Errno;

/// When the process began; `None` if there is none, or only what is left of it.
pub(super) fn started(pid: u32) -> io::Result<Option<u64>> {
    match std::fs::read_to_string(format!("/proc/{pid}/stat")) {
        Ok(text) => Ok(parse(&text)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        // The process ended between open and read.
        Err(error) if error.raw_os_error() == Some(Errno::ESRCH as i32) => Ok(None),
        Err(error) => Err(error),
    }
}

/// The name, in brackets, may contain anything; the third field, the state, follows the last bracket.
fn parse(stat: &str) -> Option<u64> {
    let mut fields = stat.rsplit_once(')')?.1.split_ascii_whitespace();
    let state = fields.next()?;
    if matches!(state, "Z" | "X") {
        return None;
    }
    fields.nth(18)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_start_is_found_behind_any_name_and_a_zombie_has_none() {
        let stat =
            |name: &str, state: &str| format!("7 ({name}) {state} 1 7 7 0 -1 0 0 0 0 0 0 0 0 0 20 0 1 0 4242 9 9");
        assert_eq!(parse(&stat("a) b (c", "S")), Some(4242));
        assert_eq!(parse(&stat("a", "Z")), None);
    }
}
