//! Removing the cgroup of a container: ends what is left in it, waits for the kernel to say that it is empty, and removes
//! it with those below it.

use std::{
    io,
    path::{Path, PathBuf},
};

use super::{CONTAINERS, CgroupError, events, folder, parents};

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
    let left = parents::containers(Path::new(CONTAINERS));
    for id in left.iter().filter_map(|path| path.file_name()?.to_str()).filter(|id| !ids.contains(id)) {
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
    events::wait_for(path, "populated 0")?;
    for child in below(path).into_iter().chain([path.to_owned()]) {
        match std::fs::remove_dir(&child) {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(source) => return Err(CgroupError::Remove { path: child, source }),
        }
    }
    Ok(())
}

/// The cgroups below one, the deepest first.
pub(super) fn below(path: &Path) -> Vec<PathBuf> {
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
