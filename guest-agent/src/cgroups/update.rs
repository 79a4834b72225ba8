//! Changing the limits of a container that runs.

use std::{io, path::Path};

use super::{CgroupError, folder, limits};
use crate::processes::launch::Resources;

/// Other limits. What `resources` does not say stays as it is.
#[derive(Debug, Clone, Default)]
pub struct Change {
    /// Limits.
    pub resources: Resources,
    /// There is no limit on processes any more.
    pub any_pids: bool,
    /// There is no limit on swap any more.
    pub any_swap: bool,
}

/// Changes the limits of a container's cgroup.
///
/// # Errors
/// When the kernel refuses one; those before it are set.
pub async fn update(id: &str, change: Change) -> Result<(), CgroupError> {
    let path = folder(id);
    let blocking = path.clone();
    // Less memory means that the kernel takes some back, which may last.
    tokio::task::spawn_blocking(move || update_now(&blocking, &change))
        .await
        .unwrap_or_else(|error| Err(CgroupError::Write { path, source: io::Error::other(error) }))
}

fn update_now(path: &Path, change: &Change) -> Result<(), CgroupError> {
    // First the limits that go: with less swap than before, less memory might not be enough.
    for (file, goes) in [("pids.max", change.any_pids), ("memory.swap.max", change.any_swap)] {
        if goes {
            let file = path.join(file);
            std::fs::write(&file, "max").map_err(|source| CgroupError::Write { path: file, source })?;
        }
    }
    limits::set(path, &change.resources)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_are_set_or_go() {
        let root = tempfile::tempdir().unwrap();
        let read = |file: &str| std::fs::read_to_string(root.path().join(file)).ok();
        let resources = Resources { memory_bytes: Some(64 << 20), ..Resources::default() };
        update_now(root.path(), &Change { resources, any_pids: true, any_swap: false }).unwrap();
        assert_eq!(read("memory.max").as_deref(), Some("67108864"));
        assert_eq!((read("pids.max").as_deref(), read("memory.swap.max")), (Some("max"), None));
        update_now(root.path(), &Change { any_swap: true, ..Change::default() }).unwrap();
        assert_eq!(read("memory.swap.max").as_deref(), Some("max"));
    }
}
