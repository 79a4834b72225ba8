//! Freezing the processes of a container.

use std::{io, path::Path};

use super::{CgroupError, events, folder};

/// Freezes all processes of a container, or lets them go on; returns when the kernel has done it.
///
/// # Errors
/// When the cgroup is gone, or its processes do not freeze; they then go on.
pub async fn freeze(id: &str, freeze: bool) -> Result<(), CgroupError> {
    let path = folder(id);
    let blocking = path.clone();
    tokio::task::spawn_blocking(move || freeze_now(&blocking, freeze))
        .await
        .unwrap_or_else(|error| Err(CgroupError::Write { path, source: io::Error::other(error) }))
}

/// Whether the processes of a container are frozen, or will be.
#[must_use]
pub fn is_frozen(id: &str) -> bool {
    std::fs::read_to_string(folder(id).join("cgroup.freeze")).is_ok_and(|text| text.trim() == "1")
}

fn freeze_now(path: &Path, freeze: bool) -> Result<(), CgroupError> {
    write(path, freeze)?;
    let done = events::wait_for(path, if freeze { "frozen 1" } else { "frozen 0" });
    if freeze && done.is_err() {
        // A process that hangs in the kernel does not freeze. The others must not stay behind half-frozen.
        write(path, false)?;
    }
    done
}

fn write(path: &Path, freeze: bool) -> Result<(), CgroupError> {
    let file = path.join("cgroup.freeze");
    std::fs::write(&file, if freeze { "1" } else { "0" }).map_err(|source| CgroupError::Write { path: file, source })
}
