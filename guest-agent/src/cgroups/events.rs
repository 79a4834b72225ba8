//! Waiting for what cgroup.events says: populated or not, frozen or not.

use std::{
    fs::File,
    io,
    path::Path,
    time::{Duration, Instant},
};

use rustix::event::{PollFd, PollFlags, Timespec};

use super::CgroupError;

/// How long processes may take to end or to freeze. One in uninterruptible sleep takes longer than anybody waits.
const DEADLINE: Duration = Duration::from_secs(10);

/// Waits until cgroup.events has a line. The kernel raises POLLPRI on it when one changes.
pub(super) fn wait_for(path: &Path, line: &str) -> Result<(), CgroupError> {
    let failed = |source: io::Error| CgroupError::Open { path: path.to_owned(), source };
    let mut file = File::open(path.join("cgroup.events")).map_err(failed)?;
    let start = Instant::now();
    while !has(&mut file, line).map_err(failed)? {
        let Some(left) = DEADLINE.checked_sub(start.elapsed()) else {
            return Err(CgroupError::Busy { path: path.to_owned() });
        };
        let timeout = Timespec::try_from(left).map_err(|_| failed(io::ErrorKind::InvalidInput.into()))?;
        rustix::event::poll(&mut [PollFd::new(&file, PollFlags::PRI)], Some(&timeout))
            .map_err(|errno| failed(errno.into()))?;
    }
    Ok(())
}

fn has(events: &mut File, line: &str) -> io::Result<bool> {
    io::Seek::rewind(events)?;
    Ok(io::read_to_string(events)?.lines().any(|found| found == line))
}
