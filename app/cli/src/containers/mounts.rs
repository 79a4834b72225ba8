//! `-v` and `--tmpfs` of `cove run`, in docker's syntax.

use cove_proto::v1::{Mount, MountKind};

/// What one `-v` asks for.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Mounted {
    /// A volume with a name.
    Named(Mount),
    /// A volume without a name, at this path.
    Nameless(String),
}

/// Why a mount cannot be.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum MountError {
    /// Not the syntax.
    #[error("a volume is NAME:/PATH, NAME:/PATH:ro or /PATH")]
    Syntax,
    /// A folder of this computer.
    #[error("{0} is a folder of this computer, which this version of Cove cannot mount yet: name a volume instead")]
    HostFolder(String),
    /// Not a mode.
    #[error("{0:?} is no mode: there are ro, rw and nocopy")]
    Mode(String),
    /// Not a path.
    #[error("memory is mounted at a path that begins with /")]
    Memory,
}

/// Reads "NAME:/PATH:MODE" or "/PATH".
pub(super) fn volume(text: &str) -> Result<Mounted, MountError> {
    let parts: Vec<&str> = text.split(':').collect();
    let (source, target, modes) = match parts[..] {
        [path] if path.starts_with('/') => return Ok(Mounted::Nameless(path.to_owned())),
        [source, target] => (source, target, ""),
        [source, target, modes] => (source, target, modes),
        _ => return Err(MountError::Syntax),
    };
    if source.starts_with(['/', '.', '~']) || source.contains('\\') {
        return Err(MountError::HostFolder(source.to_owned()));
    }
    if source.is_empty() || !target.starts_with('/') {
        return Err(MountError::Syntax);
    }
    let (source, target) = (source.to_owned(), target.to_owned());
    let mut mount = Mount { kind: MountKind::Volume.into(), source, target, ..Default::default() };
    for mode in modes.split(',').filter(|mode| !mode.is_empty()) {
        match mode {
            "rw" => mount.read_only = false,
            "ro" => mount.read_only = true,
            "nocopy" => mount.no_copy = true,
            mode => return Err(MountError::Mode(mode.to_owned())),
        }
    }
    Ok(Mounted::Named(mount))
}

/// Reads "/PATH:OPTIONS".
pub(super) fn tmpfs(text: &str) -> Result<Mount, MountError> {
    let (target, options) = text.split_once(':').unwrap_or((text, ""));
    if !target.starts_with('/') {
        return Err(MountError::Memory);
    }
    let tmpfs_options = options.split(',').filter(|option| !option.is_empty()).map(str::to_owned).collect();
    Ok(Mount { kind: MountKind::Tmpfs.into(), target: target.to_owned(), tmpfs_options, ..Default::default() })
}

/// The mounts, and the paths of volumes without a name.
pub(super) fn all(volumes: Vec<Mounted>, tmpfs: Vec<Mount>) -> (Vec<Mount>, Vec<String>) {
    let (mut mounts, mut nameless) = (Vec::new(), Vec::new());
    for volume in volumes {
        match volume {
            Mounted::Named(mount) => mounts.push(mount),
            Mounted::Nameless(path) => nameless.push(path),
        }
    }
    mounts.extend(tmpfs);
    (mounts, nameless)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn volumes_are_written_as_for_docker() {
        assert_eq!(volume("/data"), Ok(Mounted::Nameless("/data".into())));
        let Ok(Mounted::Named(mount)) = volume("v1:/data:ro,nocopy") else { panic!("no volume") };
        assert_eq!((mount.source.as_str(), mount.target.as_str()), ("v1", "/data"));
        assert!(mount.read_only && mount.no_copy);
        for host in ["/home:/x", "./a:/x", "~/a:/x"] {
            assert!(matches!(volume(host), Err(MountError::HostFolder(_))), "{host}");
        }
        for wrong in ["data", "v1:x", ":/x", "a:/b:ro:c"] {
            assert_eq!(volume(wrong), Err(MountError::Syntax), "{wrong}");
        }
        assert_eq!(volume("v1:/x:zz"), Err(MountError::Mode("zz".into())));
    }

    #[test]
    fn memory_has_options() {
        let mount = tmpfs("/run:size=1m,exec").unwrap();
        assert_eq!((mount.target.as_str(), mount.tmpfs_options.len()), ("/run", 2));
        assert_eq!(tmpfs("run"), Err(MountError::Memory));
        let (mounts, nameless) = all(vec![volume("/a").unwrap(), volume("v1:/b").unwrap()], vec![mount]);
        assert_eq!((mounts.len(), nameless), (2, vec!["/a".to_owned()]));
    }
}
