//! What a container may do.

use cove_proto::v1::{SeccompProfile, Security, StringList};

use crate::error::{Error, unsupported};
use crate::spec::body::HostConfig;

/// Docker's options as the engine's.
pub(super) fn security(host: HostConfig) -> Result<Security, Error> {
    let mut security = Security {
        privileged: host.privileged.unwrap_or(false),
        cap_add: host.cap_add.unwrap_or_default(),
        cap_drop: host.cap_drop.unwrap_or_default(),
        no_new_privileges: false,
        seccomp: SeccompProfile::Default.into(),
        read_only_rootfs: host.readonly_rootfs.unwrap_or(false),
        masked_paths: host.masked_paths.map(|values| StringList { values }),
        read_only_paths: host.readonly_paths.map(|values| StringList { values }),
        ..Default::default()
    };
    for option in host.security_opt.unwrap_or_default() {
        apply(&mut security, &option)?;
    }
    Ok(security)
}

fn apply(security: &mut Security, option: &str) -> Result<(), Error> {
    // Both separators are Docker's; the colon is the older one.
    let (key, value) = option.split_once(['=', ':']).unwrap_or((option, ""));
    match (key, value) {
        ("no-new-privileges", "" | "true") => security.no_new_privileges = true,
        ("no-new-privileges", "false") => security.no_new_privileges = false,
        ("seccomp", "unconfined") => security.seccomp = SeccompProfile::Unconfined.into(),
        ("seccomp", "builtin") => security.seccomp = SeccompProfile::Default.into(),
        // The guest has neither SELinux nor AppArmor, so that their "off" is how it is.
        ("label", "disable") | ("apparmor", "unconfined") => {}
        ("seccomp", _) => return Err(unsupported("--security-opt seccomp= with a profile of your own")),
        ("label" | "apparmor" | "systempaths" | "writable-cgroups", _) => {
            return Err(unsupported(&format!("--security-opt {option}")));
        }
        _ => return Err(Error::BadRequest(format!("invalid --security-opt 1: {option:?}"))),
    }
    Ok(())
}
