//! Devices of the guest that a container is given, and limits of block devices: from paths in the guest to numbers.
//! Messages are dockerd's.

use std::{
    fs, io,
    os::unix::fs::{FileTypeExt, MetadataExt},
    path::{Path, PathBuf},
};

use cove_proto::v1::{self, ContainerSpec, DeviceMapping, IoDeviceLimit};

use super::spec::SpecError;
use crate::processes::{
    error::errno_text,
    launch::{DeviceKind, DeviceNode, DeviceRule, IoKind, IoLimit},
};

/// Beginnings of names of what leads to the host: its vsock, and the console on which it waits for lines of PID 1.
const HOST: [&str; 3] = ["hvc", "vport", "vsock"];

/// Why a device cannot be given.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum DeviceError {
    /// It is not there, or is none.
    #[error("error gathering device information while adding custom device {path:?}: {reason}")]
    Gather {
        /// In the guest.
        path: String,
        /// Why.
        reason: String,
    },
    /// The device of a limit is not there.
    #[error("stat {path}: {reason}")]
    Limit {
        /// In the guest.
        path: String,
        /// Why.
        reason: String,
    },
}

/// Checks what needs no guest to be wrong.
pub(super) fn check(spec: &ContainerSpec) -> Result<(), SpecError> {
    for rule in &spec.device_cgroup_rules {
        parse(rule).ok_or_else(|| SpecError::DeviceRule(rule.clone()))?;
    }
    let wrong = |device: &&DeviceMapping| access(&device.permissions).is_none() || device.source.is_empty();
    match spec.devices.iter().find(wrong) {
        Some(device) => Err(SpecError::DevicePermissions(device.source.clone(), device.permissions.clone())),
        None => Ok(()),
    }
}

/// What a container gets, and what it may do with it.
pub(super) fn of(spec: &ContainerSpec) -> Result<(Vec<DeviceNode>, Vec<DeviceRule>), DeviceError> {
    let (mut nodes, mut rules) = (Vec::new(), Vec::new());
    for device in &spec.devices {
        let access = access(&device.permissions).unwrap_or(0);
        for node in gather(device)? {
            let kind = if node.block { DeviceKind::Block } else { DeviceKind::Character };
            rules.push(DeviceRule { kind: Some(kind), major: Some(node.major), minor: Some(node.minor), access });
            nodes.push(node);
        }
    }
    rules.extend(spec.device_cgroup_rules.iter().filter_map(|rule| parse(rule)));
    Ok((nodes, rules))
}

/// A device, or all that are in a folder.
fn gather(device: &DeviceMapping) -> Result<Vec<DeviceNode>, DeviceError> {
    let failed = |reason: String| DeviceError::Gather { path: device.source.clone(), reason };
    let target = if device.target.is_empty() { &device.source } else { &device.target };
    let shut = || failed("it leads to the host, which no container gets".to_owned());
    if leads_to_the_host(Path::new(&device.source)) {
        return Err(shut());
    }
    let place = fs::canonicalize(&device.source).map_err(|error| failed(reason(&error)))?;
    if leads_to_the_host(&place) {
        return Err(shut());
    }
    if let Some(node) = node(&place, target).map_err(|error| failed(reason(&error)))? {
        return Ok(vec![node]);
    }
    let nodes = if place.is_dir() { below(&place, target) } else { Vec::new() };
    if nodes.is_empty() { Err(failed("not a device node".to_owned())) } else { Ok(nodes) }
}

/// What cannot be looked at is left out, as dockerd leaves it.
fn below(folder: &Path, target: &str) -> Vec<DeviceNode> {
    let Ok(entries) = fs::read_dir(folder) else { return Vec::new() };
    let mut found = Vec::new();
    for path in entries.filter_map(|entry| Some(entry.ok()?.path())).filter(|path| !leads_to_the_host(path)) {
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        let target = format!("{}/{name}", target.trim_end_matches('/'));
        if fs::symlink_metadata(&path).is_ok_and(|facts| facts.is_dir()) {
            found.extend(below(&path, &target));
        } else if let Ok(Some(node)) = node(&path, &target) {
            found.push(node);
        }
    }
    found
}

fn leads_to_the_host(path: &Path) -> bool {
    let name = path.file_name().map(|name| name.to_string_lossy()).unwrap_or_default();
    HOST.iter().any(|beginning| name.starts_with(beginning))
}

fn node(path: &Path, target: &str) -> io::Result<Option<DeviceNode>> {
    let facts = fs::symlink_metadata(path)?;
    let (block, character) = (facts.file_type().is_block_device(), facts.file_type().is_char_device());
    Ok((block || character).then(|| DeviceNode {
        path: target.to_owned(),
        block,
        major: rustix::fs::major(facts.rdev()),
        minor: rustix::fs::minor(facts.rdev()),
        mode: facts.mode() & 0o7777,
        owner: (facts.uid(), facts.gid()),
    }))
}

/// "rwm" as bits; all for none said.
fn access(permissions: &str) -> Option<u8> {
    if permissions.is_empty() {
        return Some(DeviceRule::MAKE | DeviceRule::READ | DeviceRule::WRITE);
    }
    let bit = |c: char| match c {
        'r' => Some(DeviceRule::READ),
        'w' => Some(DeviceRule::WRITE),
        'm' => Some(DeviceRule::MAKE),
        _ => None,
    };
    permissions.chars().map(bit).try_fold(0, |sum, bit| Some(sum | bit?))
}

/// A rule of cgroups: "c 1:3 rwm", with "a" for both kinds and "*" for any number.
fn parse(rule: &str) -> Option<DeviceRule> {
    let mut words = rule.split(' ');
    let (kind, device, permissions) = (words.next()?, words.next()?, words.next()?);
    let (major, minor) = device.split_once(':')?;
    let number = |text: &str| match text {
        "*" => Some(None),
        digits if digits.bytes().all(|byte| byte.is_ascii_digit()) => digits.parse().ok().map(Some),
        _ => None,
    };
    let kind = match kind {
        "a" => None,
        "b" => Some(DeviceKind::Block),
        "c" => Some(DeviceKind::Character),
        _ => return None,
    };
    let short = (1..=3).contains(&permissions.len()) && words.next().is_none();
    let rule = DeviceRule { kind, major: number(major)?, minor: number(minor)?, access: access(permissions)? };
    short.then_some(rule)
}

/// The limits of block devices, by their numbers.
pub(super) fn io(asked: &v1::Resources) -> Result<Vec<IoLimit>, DeviceError> {
    let mut limits = Vec::new();
    for (what, list) in [
        (IoKind::ReadBytes, &asked.io_read_bytes_per_second),
        (IoKind::WrittenBytes, &asked.io_write_bytes_per_second),
        (IoKind::Reads, &asked.io_reads_per_second),
        (IoKind::Writes, &asked.io_writes_per_second),
    ] {
        for IoDeviceLimit { path, limit } in list {
            let facts = fs::metadata(PathBuf::from(path));
            let failed = |error: &io::Error| DeviceError::Limit { path: path.clone(), reason: reason(error) };
            let device = facts.map(|facts| facts.rdev()).map_err(|error| failed(&error))?;
            let device = (rustix::fs::major(device), rustix::fs::minor(device));
            limits.push(IoLimit { device, what, limit: *limit });
        }
    }
    Ok(limits)
}

fn reason(error: &io::Error) -> String {
    errno_text(error.raw_os_error().unwrap_or(libc::EIO))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn device(source: &str, target: &str, permissions: &str) -> DeviceMapping {
        DeviceMapping { source: source.into(), target: target.into(), permissions: permissions.into() }
    }

    fn given(device: DeviceMapping) -> Result<(Vec<DeviceNode>, Vec<DeviceRule>), DeviceError> {
        of(&ContainerSpec { devices: vec![device], ..ContainerSpec::default() })
    }

    #[test]
    fn a_device_becomes_a_node_and_a_rule() {
        let (nodes, rules) = given(device("/dev/zero", "/dev/nothing", "r")).unwrap();
        let [DeviceNode { path, block: false, major: 1, minor: 5, .. }] = nodes.as_slice() else { panic!("{nodes:?}") };
        assert_eq!(path, "/dev/nothing");
        let kind = Some(DeviceKind::Character);
        assert_eq!(rules, [DeviceRule { kind, major: Some(1), minor: Some(5), access: DeviceRule::READ }]);
        assert_eq!(given(device("/dev/full", "", "")).unwrap().0[0].path, "/dev/full");
    }

    #[test]
    fn what_is_no_device_is_refused_in_dockers_words() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
        fs::write(at("file"), "").unwrap();
        fs::write(at("vsock"), "").unwrap();
        for (name, reason) in [
            ("nosuch", "no such file or directory"),
            ("file", "not a device node"),
            ("vsock", "it leads to the host, which no container gets"),
        ] {
            let error = given(device(&at(name), "", "")).unwrap_err().to_string();
            let expected =
                format!("error gathering device information while adding custom device {:?}: {reason}", at(name));
            assert_eq!(error, expected);
        }
        let limit = IoDeviceLimit { path: at("nosuch"), limit: 1 };
        let asked = v1::Resources { io_reads_per_second: vec![limit], ..v1::Resources::default() };
        assert_eq!(io(&asked).unwrap_err().to_string(), format!("stat {}: no such file or directory", at("nosuch")));
    }

    #[test]
    fn rules_are_dockers() {
        let all = DeviceRule::MAKE | DeviceRule::READ | DeviceRule::WRITE;
        assert_eq!(parse("a *:* rwm"), Some(DeviceRule { kind: None, major: None, minor: None, access: all }));
        let fuse = DeviceRule {
            kind: Some(DeviceKind::Character),
            major: Some(10),
            minor: Some(229),
            access: DeviceRule::READ | DeviceRule::WRITE,
        };
        assert_eq!(parse("c 10:229 rw"), Some(fuse));
        for wrong in ["", "c", "x 1:1 r", "c 1 r", "c 1:1", "c 1:1 rwmr", "c 1:1 x", "c +1:1 r", "c :1 r", "c 1:1 r x"]
        {
            assert_eq!(parse(wrong), None, "{wrong:?}");
        }
    }
}
