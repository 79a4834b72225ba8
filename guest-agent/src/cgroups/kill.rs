//! Killing all processes of a container.

use super::{CgroupError, folder};

/// Kills every process of a container, those that are being made included.
///
/// # Errors
/// When the cgroup is gone.
pub fn kill(id: &str) -> Result<(), CgroupError> {
    let path = folder(id).join("cgroup.kill");
    std::fs::write(&path, "1").map_err(|source| CgroupError::Write { path, source })
}
