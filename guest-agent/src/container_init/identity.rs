//! As whom the program runs, and what it may do: user, groups, capabilities, filter.
//!
//! The order matters. The bounding set and, without no_new_privs, the filter need capabilities, so they come before these
//! are given up; with no_new_privs the filter comes last of all, right before the program. Docker's profile allows what
//! is still to be done behind it.

use std::io::Read;

use rustix::{
    fs::{FileType, Mode, OFlags, fstat, open},
    io::Errno,
    process::{Gid, Uid},
    thread,
};

use super::{Newcomer, Step};
use crate::{
    capabilities,
    processes::error::LaunchFailure,
    sys::filter,
    users::{self, User},
};

/// /etc/passwd and /etc/group are read up to here; longer ones are not what they seem.
const MAX_FILE_BYTES: u64 = 8 << 20;

/// Looks the user and further groups up in the container's own files.
pub(super) fn find(spec: &str, more: &[String]) -> Result<User, LaunchFailure> {
    let passwd = read("/etc/passwd").step("read /etc/passwd")?;
    let group = read("/etc/group").step("read /etc/group")?;
    let mut user = users::find(spec, &passwd, &group)?;
    user.groups.extend(users::group_ids(more, &group)?);
    Ok(user)
}

/// A file of the container, which may be anything: only a regular one is read. One that is missing is empty.
fn read(path: &str) -> std::io::Result<String> {
    let file = match open(path, OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC, Mode::empty()) {
        Err(Errno::NOENT | Errno::NOTDIR) => return Ok(String::new()),
        file => file?,
    };
    if FileType::from_raw_mode(fstat(&file)?.st_mode) != FileType::RegularFile {
        return Err(Errno::INVAL.into());
    }
    let mut bytes = Vec::new();
    std::fs::File::from(file).take(MAX_FILE_BYTES).read_to_end(&mut bytes)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// Becomes the root of the user namespace that the process has come to, where the guest's root is nobody.
pub(super) fn become_root() -> Result<(), LaunchFailure> {
    thread::set_thread_groups(&[]).step("setgroups to none")?;
    thread::set_thread_res_gid(Gid::ROOT, Gid::ROOT, Gid::ROOT).step("setgid to the container's root")?;
    thread::set_thread_res_uid(Uid::ROOT, Uid::ROOT, Uid::ROOT).step("setuid to the container's root")
}

/// Sets what the process can never get back, and the filter if that needs a capability.
pub(super) fn bound(newcomer: &Newcomer) -> Result<(), LaunchFailure> {
    capabilities::bound(newcomer.process.capabilities).step("set the capabilities that it is bounded by")?;
    if newcomer.process.no_new_privileges {
        return thread::set_no_new_privs(true).step("set no_new_privs");
    }
    filter::set(&newcomer.filter).step("set the system call filter")
}

/// Becomes the user. Root has the capabilities, everybody else has none and may gain those that it is bounded by.
pub(super) fn become_user(newcomer: &Newcomer, user: &User) -> Result<(), LaunchFailure> {
    let groups: Vec<Gid> = user.groups.iter().map(|group| Gid::from_raw(*group)).collect();
    let (uid, gid) = (Uid::from_raw(user.uid), Gid::from_raw(user.gid));
    thread::set_thread_groups(&groups).step("setgroups")?;
    thread::set_thread_res_gid(gid, gid, gid).step("setgid")?;
    thread::set_thread_res_uid(uid, uid, uid).step("setuid")?;
    let kept = if user.uid == 0 { newcomer.process.capabilities } else { 0 };
    capabilities::keep(kept).step("set capabilities")
}

/// Sets the filter if that was not done before.
pub(super) fn confine(newcomer: &Newcomer) -> Result<(), LaunchFailure> {
    if newcomer.process.no_new_privileges {
        return filter::set(&newcomer.filter).step("set the system call filter");
    }
    Ok(())
}
