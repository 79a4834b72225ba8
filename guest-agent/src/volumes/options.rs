//! Options of the local driver: dockerd's, of which a tmpfs is what can be made here.

use std::collections::BTreeMap;

use rustix::mount::MountAttrFlags;

use crate::rootfs::tmpfs::{self, Tmpfs, TmpfsError};

/// Why an option cannot be.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum OptionError {
    /// No such option.
    #[error("invalid option: {0:?}")]
    Unknown(String),
    /// One option needs another.
    #[error("missing required option: {0:?}")]
    Missing(&'static str),
    /// The data disk counts no quotas.
    #[error("quota size requested but no quota support")]
    Quota,
    /// Of another kind than tmpfs.
    #[error("{0} not supported by this version of Cove yet")]
    Unsupported(String),
    /// The tmpfs cannot be so.
    #[error(transparent)]
    Tmpfs(#[from] TmpfsError),
}

/// Checks options.
pub(super) fn check(options: &BTreeMap<String, String>) -> Result<(), OptionError> {
    tmpfs(options).map(drop)
}

/// The tmpfs that options ask for; none without options.
pub(super) fn tmpfs(options: &BTreeMap<String, String>) -> Result<Option<Tmpfs>, OptionError> {
    if options.is_empty() {
        return Ok(None);
    }
    if let Some(unknown) = options.keys().find(|key| !matches!(key.as_str(), "type" | "o" | "device" | "size")) {
        return Err(OptionError::Unknown(unknown.clone()));
    }
    if options.contains_key("size") {
        return Err(OptionError::Quota);
    }
    let given = |key: &str| options.get(key).map(String::as_str);
    let (kind, device, words) = (given("type"), given("device"), given("o").unwrap_or_default());
    let kind = kind.ok_or(OptionError::Missing("type"))?;
    device.ok_or(OptionError::Missing("device"))?;
    if words.split(',').any(|word| matches!(word, "bind" | "rbind")) || matches!(kind, "none" | "bind") {
        return Err(OptionError::Unsupported("a volume that is a folder of the host (o=bind) is".to_owned()));
    }
    if kind != "tmpfs" {
        return Err(OptionError::Unsupported(format!("volumes of type {kind:?} are")));
    }
    let words = words.split(',').filter(|word| !word.is_empty());
    Ok(Some(tmpfs::parse(words, MountAttrFlags::empty())?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
        pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
    }

    #[test]
    fn a_tmpfs_is_what_there_is() {
        assert!(check(&options(&[])).is_ok());
        assert!(check(&options(&[("type", "tmpfs"), ("device", "tmpfs"), ("o", "size=10m,uid=1000")])).is_ok());
        for (asked, words) in [
            (options(&[("foo", "bar")]), "invalid option: \"foo\""),
            (options(&[("type", "tmpfs")]), "missing required option: \"device\""),
            (options(&[("o", "size=1m")]), "missing required option: \"type\""),
            (options(&[("size", "1g")]), "quota size requested but no quota support"),
            (
                options(&[("type", "nfs"), ("device", ":/x"), ("o", "addr=1.2.3.4")]),
                "volumes of type \"nfs\" are not supported by this version of Cove yet",
            ),
            (
                options(&[("type", "none"), ("device", "/home"), ("o", "bind")]),
                "a volume that is a folder of the host (o=bind) is not supported by this version of Cove yet",
            ),
            (options(&[("type", "tmpfs"), ("device", "tmpfs"), ("o", "zork")]), "invalid tmpfs option \"zork\""),
        ] {
            assert_eq!(check(&asked).unwrap_err().to_string(), words);
        }
    }
}
