//! Kernel parameters of a container's namespaces, written through a /proc of which nobody else has the descriptor. Which
//! ones a container may set is decided when it is started, in `containers`.

use std::os::fd::{AsFd, OwnedFd};

use rustix::{
    fs::{Mode, OFlags, ResolveFlags, openat2},
    io::Errno,
};

use crate::processes::error::LaunchFailure;

/// Writes parameters: path below /proc/sys, value.
pub(super) fn set(proc: &OwnedFd, parameters: &[(String, String)]) -> Result<(), LaunchFailure> {
    for (path, value) in parameters {
        write(proc, path, value)
            .map_err(|errno| LaunchFailure::Sysctl { path: path.clone(), errno: errno.raw_os_error() })?;
    }
    Ok(())
}

/// Nothing below /proc/sys leads out of it, and nothing may: the path is the user's.
fn write(proc: impl AsFd, path: &str, value: &str) -> Result<(), Errno> {
    let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_XDEV;
    let sys = openat2(proc, "sys", OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty(), resolve)?;
    let file = openat2(sys, path, OFlags::WRONLY | OFlags::CLOEXEC, Mode::empty(), resolve)?;
    rustix::io::write(file, value.as_bytes()).map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_parameter_stays_below_sys() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(folder.path().join("sys/net")).unwrap();
        std::fs::write(folder.path().join("sys/net/x"), "").unwrap();
        std::fs::write(folder.path().join("secret"), "").unwrap();
        let proc = rustix::fs::open(folder.path(), OFlags::PATH | OFlags::DIRECTORY, Mode::empty()).unwrap();
        set(&proc, &[("net/x".into(), "7".into())]).unwrap();
        assert_eq!(std::fs::read_to_string(folder.path().join("sys/net/x")).unwrap(), "7");
        let refused = set(&proc, &[("net/../../secret".into(), "7".into())]).unwrap_err();
        assert_eq!(refused, LaunchFailure::Sysctl { path: "net/../../secret".into(), errno: libc::EXDEV });
        let missing = set(&proc, &[("net/nosuch".into(), "7".into())]).unwrap_err();
        assert_eq!(missing.to_string(), "open /proc/sys/net/nosuch: no such file or directory");
    }
}
