//! What a container sees beside its root file system: volumes, memory, files of images. The agent has made the mounts
//! ([`crate::processes`]); here they are attached, each where its path leads within the container's root.
//!
//! A volume may be in use by others, who exchange folders of it for links while this looks for a place below it. Places are
//! descriptors that nothing leads out of the root from ([`target`]), so the worst is a mount at another place of the same
//! container (CVE-2021-30465); and at no place of /proc, which the engine itself relies on.

use std::os::fd::{AsFd, OwnedFd};

use rustix::{
    fs::{FileType, Mode, OFlags, RawMode, fchmod, fstat, fstatfs, openat},
    io::Errno,
    mount::{MountAttrFlags, UnmountFlags, unmount},
    process::fchdir,
};

use super::{
    RootfsError, Step, mounts,
    target::{self, Make},
};
use crate::{
    init::protocol::MountSetup,
    sys::mount::{make_shared, set_attributes},
};

/// statfs(2): the type of procfs.
const PROC_SUPER_MAGIC: u64 = 0x9fa0;

/// Attaches mounts in their order. What is missing on the way to a place is made.
///
/// # Errors
/// When something of the container is in the way.
pub fn mount(root: impl AsFd, setups: &[MountSetup], mounts: Vec<OwnedFd>) -> Result<(), RootfsError> {
    for (setup, mount) in setups.iter().zip(mounts) {
        // runc's words.
        let step = || format!("error mounting {:?} to rootfs at {:?}", setup.source, setup.target);
        let refuse = |why: &str| {
            let step = format!("{}: {:?} {why}", step(), setup.target);
            Err(RootfsError { step, errno: Errno::PERM })
        };
        if is_below_proc(&setup.target) {
            if setup.target.trim_matches('/') == "proc" {
                return refuse("cannot be mounted because it is not of type proc");
            }
            return refuse("cannot be mounted because it is inside /proc");
        }
        let place = Place::find(&root, &setup.target, &mount).step(step())?;
        if is_proc(&place.descriptor).step(step())? {
            return refuse("cannot be mounted because it is inside /proc");
        }
        if is_same(&root, &place.descriptor).step(step())? {
            return refuse("leads to /, which nothing can be mounted over");
        }
        // move_mount says EINVAL of it, which nobody would understand.
        let is_folder = |place: &OwnedFd| Ok(target::kind(place)? == FileType::Directory);
        if is_folder(&mount).step(step())? != is_folder(&place.descriptor).step(step())? {
            return Err(RootfsError { step: step(), errno: Errno::NOTDIR });
        }
        attach(&root, setup, mount, &place).step(step())?;
    }
    Ok(())
}

/// Where a mount goes.
struct Place {
    descriptor: OwnedFd,
    /// The mode of a folder that was there.
    mode: Option<RawMode>,
}

impl Place {
    fn find(root: impl AsFd, path: &str, mount: impl AsFd) -> Result<Self, Errno> {
        match target::find(&root, path) {
            Ok(descriptor) => {
                let mode = fstat(&descriptor)?.st_mode;
                Ok(Self { descriptor, mode: Some(mode & 0o7777) })
            }
            Err(Errno::NOENT) => {
                let make = if target::kind(mount)? == FileType::Directory { Make::Folder } else { Make::File };
                Ok(Self { descriptor: target::find_or_make(root, path, make)?, mode: None })
            }
            Err(errno) => Err(errno),
        }
    }
}

fn attach(root: impl AsFd, setup: &MountSetup, mount: OwnedFd, place: &Place) -> Result<(), Errno> {
    if let (true, Some(mode)) = (setup.takes_mode, place.mode) {
        // As runc has it: memory that hides a folder of the image has its mode.
        let folder = openat(&mount, ".", OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())?;
        fchmod(folder, Mode::from_raw_mode(mode))?;
    }
    let mount = if setup.part.is_empty() { mount } else { part(root, &setup.part, mount, place)? };
    if setup.read_only {
        set_attributes(&mount, MountAttrFlags::MOUNT_ATTR_RDONLY, true)?;
    }
    mounts::attach(&mount, &place.descriptor)?;
    if setup.shared { make_shared(&mount, true) } else { Ok(()) }
}

/// A part of a mount. Only of one that is attached can a part be copied (before Linux 6.15), so it is, for this moment.
fn part(root: impl AsFd, path: &str, mount: OwnedFd, place: &Place) -> Result<OwnedFd, Errno> {
    mounts::attach(&mount, &place.descriptor)?;
    let part = mounts::detached_copy(target::find_beneath(&mount, path)?)?;
    fchdir(&mount)?;
    unmount(".", UnmountFlags::DETACH)?;
    fchdir(root)?;
    Ok(part)
}

fn is_proc(place: impl AsFd) -> Result<bool, Errno> {
    Ok(u64::try_from(fstatfs(place)?.f_type).is_ok_and(|kind| kind == PROC_SUPER_MAGIC))
}

fn is_same(a: impl AsFd, b: impl AsFd) -> Result<bool, Errno> {
    let (a, b) = (fstat(a)?, fstat(b)?);
    Ok((a.st_dev, a.st_ino) == (b.st_dev, b.st_ino))
}

fn is_below_proc(path: &str) -> bool {
    path.split('/').find(|part| !part.is_empty() && *part != ".") == Some("proc")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_below_proc_is_told_by_its_name_and_by_what_it_is() {
        for path in ["/proc", "/proc/", "//proc/self", "/./proc/sys"] {
            assert!(is_below_proc(path), "{path}");
        }
        for path in ["/processes", "/srv/proc", "/"] {
            assert!(!is_below_proc(path), "{path}");
        }
        let open = |path: &str| rustix::fs::open(path, OFlags::PATH, Mode::empty()).unwrap();
        assert!(is_proc(open("/proc/self")).unwrap());
        assert!(!is_proc(open("/")).unwrap());
    }
}
