//! `-v` and `--tmpfs` of `cove run`, in docker's syntax.

use cove_proto::v1::{Mount, MountKind};

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

/// Reads "NAME:/PATH:MODE", or "/PATH" for a volume without a name.
pub(super) fn volume(text: &str) -> Result<Mount, MountError> {
    let parts: Vec<&str> = text.split(':').collect();
    let (source, target, modes) = match parts[..] {
        [path] if path.starts_with('/') => ("", path, ""),
        [source, target] => (source, target, ""),
        [source, target, modes] => (source, target, modes),
        _ => return Err(MountError::Syntax),
    };
    if source.starts_with(['/', '.', '~']) || source.contains('\\') {
        return Err(MountError::HostFolder(source.to_owned()));
    }
    if text.starts_with(':') || !target.starts_with('/') {
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
    Ok(mount)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn volumes_are_written_as_for_docker() {
        let nameless = volume("/data").unwrap();
        assert_eq!((nameless.source.as_str(), nameless.target.as_str()), ("", "/data"));
        let mount = volume("v1:/data:ro,nocopy").unwrap();
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
    }
}
