//! Removing the cgroup of a container: ends what is left in it, waits for the kernel to say that it is empty, and removes
//! it with those below it.

use std::{
    fs::File,
    io,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use rustix::event::{PollFd, PollFlags, Timespec};

use super::{CONTAINERS, CgroupError, folder};

/// How long killed processes may take to end. One in uninterruptible sleep takes longer than anybody waits.
const DEADLINE: Duration = Duration::from_secs(10);

/// Removes the cgroup of a container. One that is gone is removed.
///
/// # Errors
/// When processes do not end; the cgroup stays then.
pub async fn remove(id: &str) -> Result<(), CgroupError> {
    let path = folder(id);
    let blocking = path.clone();
    tokio::task::spawn_blocking(move || remove_now(&blocking))
        .await
        .unwrap_or_else(|error| Err(CgroupError::Remove { path, source: io::Error::other(error) }))
}

/// Removes the cgroups of all containers but those: what a killed agent has left.
pub async fn remove_all_but(ids: &[&str]) {
    let Ok(entries) = std::fs::read_dir(CONTAINERS) else { return };
    let folders = entries.filter_map(Result::ok).filter(|entry| entry.path().is_dir());
    let left: Vec<String> = folders.filter_map(|entry| entry.file_name().into_string().ok()).collect();
    for id in left.iter().filter(|id| !ids.contains(&id.as_str())) {
        if let Err(error) = remove(id).await {
            tracing::warn!(container = %id, %error, "the cgroup of a container that does not run stays behind");
        }
    }
}

pub(super) fn remove_now(path: &Path) -> Result<(), CgroupError> {
    if !path.exists() {
        return Ok(());
    }
    let kill = path.join("cgroup.kill");
    std::fs::write(&kill, "1").map_err(|source| CgroupError::Write { path: kill, source })?;
    wait_until_empty(path)?;
    for child in below(path).into_iter().chain([path.to_owned()]) {
        match std::fs::remove_dir(&child) {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(source) => return Err(CgroupError::Remove { path: child, source }),
        }
    }
    Ok(())
}

/// The kernel raises POLLPRI on cgroup.events when the line `populated` changes.
fn wait_until_empty(path: &Path) -> Result<(), CgroupError> {
    let events = path.join("cgroup.events");
    let failed = |source: io::Error| CgroupError::Open { path: path.to_owned(), source };
    let mut file = File::open(&events).map_err(failed)?;
    let start = Instant::now();
    while populated(&mut file).map_err(failed)? {
        let Some(left) = DEADLINE.checked_sub(start.elapsed()) else {
            return Err(CgroupError::Busy { path: path.to_owned() });
        };
        let timeout = Timespec::try_from(left).map_err(|_| failed(io::ErrorKind::InvalidInput.into()))?;
        rustix::event::poll(&mut [PollFd::new(&file, PollFlags::PRI)], Some(&timeout))
            .map_err(|errno| failed(errno.into()))?;
    }
    Ok(())
}

fn populated(events: &mut File) -> io::Result<bool> {
    io::Seek::rewind(events)?;
    Ok(io::read_to_string(events)?.lines().any(|line| line == "populated 1"))
}

/// The cgroups below one, the deepest first.
fn below(path: &Path) -> Vec<PathBuf> {
    let Ok(entries) = std::fs::read_dir(path) else { return Vec::new() };
    let mut found = Vec::new();
    for entry in entries.filter_map(Result::ok).filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir())) {
        found.extend(below(&entry.path()));
        found.push(entry.path());
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_deepest_come_first() {
        let root = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(root.path().join("a/b")).unwrap();
        assert_eq!(below(root.path()), [root.path().join("a/b"), root.path().join("a")]);
    }

    #[test]
    fn a_cgroup_that_is_gone_is_removed() {
        let root = tempfile::tempdir().unwrap();
        remove_now(&root.path().join("gone")).unwrap();
    }
}
