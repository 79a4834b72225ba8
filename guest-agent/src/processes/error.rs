//! Why a process could not be started, in Docker's words.
//!
//! The texts are those that runc's users know, without the prefix that the place gives them ("failed to create task for
//! container: ..."). [`LaunchFailure`] is what the process itself found on its way to its program; it crosses two sockets
//! and is therefore plain data.

use std::{io, path::PathBuf};

use serde::{Deserialize, Serialize};

use crate::cgroups::CgroupError;

/// What a process found on its way to its program.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error, Serialize, Deserialize)]
pub enum LaunchFailure {
    /// A program named without a slash that no folder of PATH has.
    #[error("exec: {program:?}: executable file not found in $PATH")]
    NotFound {
        /// As asked for.
        program: String,
    },
    /// A program named with a slash that cannot be looked at.
    #[error("exec: {program:?}: stat {program}: {}", errno_text(*.errno))]
    NoEntry {
        /// As asked for.
        program: String,
        /// ENOENT, ENOTDIR, ELOOP, ...
        errno: i32,
    },
    /// A program that may not be executed.
    #[error("exec: {program:?}: permission denied")]
    Permission {
        /// As asked for.
        program: String,
    },
    /// A folder.
    #[error("exec: {program:?}: is a directory")]
    IsDirectory {
        /// As asked for.
        program: String,
    },
    /// A user that /etc/passwd does not have.
    #[error("unable to find user {user}: no matching entries in passwd file")]
    UnknownUser {
        /// As asked for.
        user: String,
    },
    /// A group that /etc/group does not have.
    #[error("unable to find group {group}: no matching entries in group file")]
    UnknownGroup {
        /// As asked for.
        group: String,
    },
    /// A number that is no user or group id.
    #[error("uids and gids must be in range 0-2147483647")]
    IdOutOfRange,
    /// The folder to start in.
    #[error("chdir to cwd ({path:?}) set in config.json failed: {}", errno_text(*.errno))]
    WorkingDir {
        /// As asked for.
        path: String,
        /// Why.
        errno: i32,
    },
    /// A kernel parameter.
    #[error("open /proc/sys/{path}: {}", errno_text(*.errno))]
    Sysctl {
        /// Below /proc/sys.
        path: String,
        /// Why.
        errno: i32,
    },
    /// Another step.
    #[error("{step}: {}", errno_text(*.errno))]
    Step {
        /// What was tried, "mask /proc/keys".
        step: String,
        /// Why it failed.
        errno: i32,
    },
}

/// Why a process could not be started.
#[derive(Debug, thiserror::Error)]
pub enum LaunchError {
    /// The process itself gave up before its program was executed.
    #[error(transparent)]
    Process(#[from] LaunchFailure),
    /// It ended before its program was executed, without saying why.
    #[error("the process ended before its program was executed")]
    Vanished,
    /// The cgroup could not be made or limited.
    #[error(transparent)]
    Cgroup(#[from] CgroupError),
    /// The root file system could not be put together.
    #[error("{what}")]
    Rootfs {
        /// What was tried.
        what: String,
        /// Why it failed.
        #[source]
        source: io::Error,
    },
    /// A file of the guest that belongs into the container could not be opened.
    #[error("open {path}")]
    EtcFile {
        /// Which one.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// What a container is to see at a path lies elsewhere. moby's words.
    #[error("path concatenation escapes the base directory, base: {}, subpath: {subpath}", .base.display())]
    Escape {
        /// The folder that it is to be in.
        base: PathBuf,
        /// As asked for.
        subpath: String,
    },
    /// What a container is to see at a path could not be opened.
    #[error("{what}: {}", errno_text(*.errno))]
    Mount {
        /// What was tried.
        what: String,
        /// Why it failed.
        errno: i32,
    },
    /// This program could not be made ready to be a container's init.
    #[error("prepare the init of a container")]
    Init(#[source] io::Error),
    /// The container of an exec, or one whose namespaces are to be shared, does not run (any more).
    #[error("container {container_id} is not running")]
    NotRunning {
        /// Which one.
        container_id: String,
    },
    /// There is no program to execute.
    #[error("no command specified")]
    NoProgram,
    /// An argument, a variable or a path holds a NUL byte.
    #[error("{what} contains a NUL byte")]
    Nul {
        /// Which one.
        what: &'static str,
    },
    /// PID 1 could not be asked.
    #[error("ask PID 1")]
    Control(#[source] io::Error),
    /// The agent has lost its connection to PID 1, or is about to end.
    #[error("PID 1 does not answer")]
    Gone,
}

impl LaunchError {
    /// The exit code that Docker gives such a start: 127 when there is no such program, 126 when it cannot be executed,
    /// else 128.
    #[must_use]
    pub fn exit_code(&self) -> i32 {
        match self {
            Self::Process(LaunchFailure::NoEntry { errno: libc::EACCES, .. }) => 126,
            Self::Process(
                LaunchFailure::NotFound { .. }
                | LaunchFailure::NoEntry { .. }
                | LaunchFailure::Sysctl { errno: libc::ENOENT, .. },
            ) => 127,
            Self::Process(LaunchFailure::Permission { .. } | LaunchFailure::IsDirectory { .. }) => 126,
            _ => 128,
        }
    }
}

/// What an errno means, in the words of Go's runtime, which Docker's users read: "no such file or directory".
#[must_use]
pub fn errno_text(errno: i32) -> String {
    let text = io::Error::from_raw_os_error(errno).to_string();
    let text = text.split(" (os error").next().unwrap_or_default();
    let mut chars = text.chars();
    chars.next().map_or_else(String::new, |first| first.to_lowercase().chain(chars).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_texts_are_dockers() {
        let program = "nosuch".to_owned();
        let found = LaunchFailure::NotFound { program: program.clone() };
        assert_eq!(found.to_string(), r#"exec: "nosuch": executable file not found in $PATH"#);
        let stat = LaunchFailure::NoEntry { program: "/nosuch".into(), errno: libc::ENOENT };
        assert_eq!(stat.to_string(), r#"exec: "/nosuch": stat /nosuch: no such file or directory"#);
        let cwd = LaunchFailure::WorkingDir { path: "/x".into(), errno: libc::ENOTDIR };
        assert_eq!(cwd.to_string(), r#"chdir to cwd ("/x") set in config.json failed: not a directory"#);
        assert_eq!(LaunchError::from(found).exit_code(), 127);
        assert_eq!(LaunchError::from(LaunchFailure::Permission { program }).exit_code(), 126);
        assert_eq!(LaunchError::Vanished.exit_code(), 128);
    }
}
