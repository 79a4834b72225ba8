//! `-v` and `--tmpfs` of `cove run`, in docker's syntax.

use cove_proto::v1::{Mount, MountKind};

/// Why a mount cannot be.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum MountError {
    /// Not the syntax.
    #[error("a volume is NAME:/PATH, NAME:/PATH:ro or /PATH; a folder of this computer is FOLDER:/PATH")]
    Syntax,
    /// The present folder is unknown.
    #[error("find the folder {0}")]
    HostFolder(String),
    /// Not a mode.
    #[error("{0:?} is no mode: there are ro, rw and nocopy")]
    Mode(String),
    /// Not a path.
    #[error("memory is mounted at a path that begins with /")]
    Memory,
}

/// Reads "NAME:/PATH:MODE", "FOLDER:/PATH:MODE", or "/PATH" for a volume without a name.
pub(super) fn volume(text: &str) -> Result<Mount, MountError> {
    // The drive of a Windows path is no source of its own.
    let drive = matches!(text.as_bytes(), [letter, b':', b'\\' | b'/', ..] if letter.is_ascii_alphabetic());
    let skipped = if drive { 2 } else { 0 };
    let mut parts: Vec<&str> = text[skipped..].split(':').collect();
    parts[0] = &text[..skipped + parts[0].len()];
    let (source, target, modes) = match parts[..] {
        [path] if path.starts_with('/') => ("", path, ""),
        [source, target] => (source, target, ""),
        [source, target, modes] => (source, target, modes),
        _ => return Err(MountError::Syntax),
    };
    if text.starts_with(':') || !target.starts_with('/') {
        return Err(MountError::Syntax);
    }
    let mut mount = Mount { source: source.to_owned(), target: target.to_owned(), ..Default::default() };
    mount.set_kind(MountKind::Volume);
    if source.starts_with(['/', '.']) || source.contains('\\') {
        let folder = std::path::absolute(source).map_err(|_| MountError::HostFolder(source.to_owned()))?;
        mount.source = folder.display().to_string();
        mount.set_kind(MountKind::Bind);
    }
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
        for host in ["/home:/x", "./a:/x:ro", "C:\\a:/x"] {
            let mount = volume(host).unwrap();
            assert_eq!((mount.kind(), mount.target.as_str()), (MountKind::Bind, "/x"), "{host}");
        }
        let here = std::env::current_dir().unwrap().join("a").display().to_string();
        assert_eq!(volume("./a:/x").unwrap().source, here);
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
