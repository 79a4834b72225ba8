//! One daemon per home.
//!
//! The lock is the operating system's, so it ends with its process however that ends. The pid lies in a file of its own
//! because Windows lets nobody read a file that another process has locked.

use std::{
    fs::{self, File, TryLockError},
    io,
    path::{Path, PathBuf},
};

/// Why the lock was not taken.
#[derive(Debug, thiserror::Error)]
pub enum LockError {
    /// Another process has it.
    #[error("coved is already running{}", .pid.map(|pid| format!(" (pid {pid})")).unwrap_or_default())]
    Held {
        /// Which one, if it has said so yet.
        pid: Option<u32>,
    },
    /// The lock file or the pid file cannot be used.
    #[error("{}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
}

/// The lock. It is given back when this is dropped or the process ends.
#[derive(Debug)]
pub struct InstanceLock {
    pid_file: PathBuf,
    _file: File,
}

impl InstanceLock {
    /// Takes the lock and writes this process's id beside it.
    ///
    /// # Errors
    /// [`LockError::Held`] if another process has it; this never waits.
    pub fn take(path: &Path) -> Result<Self, LockError> {
        let failed = |path: &Path| {
            let path = path.to_owned();
            move |source| LockError::File { path, source }
        };
        let file = File::options().write(true).create(true).truncate(false).open(path).map_err(failed(path))?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(LockError::Held { pid: holder(path) }),
            Err(TryLockError::Error(source)) => return Err(failed(path)(source)),
        }
        let pid_file = pid_file(path);
        fs::write(&pid_file, format!("{}\n", std::process::id())).map_err(failed(&pid_file))?;
        Ok(Self { pid_file, _file: file })
    }
}

impl Drop for InstanceLock {
    fn drop(&mut self) {
        // A pid file that stays behind misleads nobody: it is read only while somebody holds the lock.
        let _ = fs::remove_file(&self.pid_file);
    }
}

/// The process that holds the lock at `path`, as far as its pid file says. Meaningful only while the lock is held.
#[must_use]
pub fn holder(path: &Path) -> Option<u32> {
    fs::read_to_string(pid_file(path)).ok()?.trim().parse().ok()
}

fn pid_file(lock: &Path) -> PathBuf {
    lock.with_extension("pid")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_second_is_told_who_the_first_is() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("coved.lock");
        let first = InstanceLock::take(&path).unwrap();
        let refused = InstanceLock::take(&path).unwrap_err();
        assert_eq!(refused.to_string(), format!("coved is already running (pid {})", std::process::id()));
        drop(first);
        InstanceLock::take(&path).unwrap();
    }

    #[test]
    fn a_lock_file_left_by_a_dead_process_is_no_obstacle() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("coved.lock");
        fs::write(&path, "").unwrap();
        fs::write(path.with_extension("pid"), "4194303\n").unwrap();
        let _lock = InstanceLock::take(&path).unwrap();
        assert_eq!(holder(&path), Some(std::process::id()));
    }
}
