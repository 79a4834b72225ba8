//! What a container may do.

use cove_proto::v1::{SeccompProfile, Security, StringList};

use crate::error::Error;
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
        security.options.push(option);
    }
    Ok(security)
}

fn apply(security: &mut Security, option: &str) -> Result<(), Error> {
    match option {
        "no-new-privileges" => security.no_new_privileges = true,
        "writable-cgroups" => security.writable_cgroups = Some(true),
        // Short for label=disable.
        "disable" => {}
        _ => apply_pair(security, option)?,
    }
    Ok(())
}

fn apply_pair(security: &mut Security, option: &str) -> Result<(), Error> {
    // Both separators are Docker's; the colon is the older one.
    let separator = if option.contains('=') { '=' } else { ':' };
    let wrong = |which: u8| Error::BadRequest(format!("invalid --security-opt {which}: {option:?}"));
    let (key, value) = option.split_once(separator).ok_or_else(|| wrong(1))?;
    match key {
        "no-new-privileges" => security.no_new_privileges = go_bool(value).ok_or_else(|| wrong(2))?,
        "writable-cgroups" => security.writable_cgroups = Some(go_bool(value).ok_or_else(|| wrong(2))?),
        // The guest's kernel has neither SELinux nor AppArmor; there dockerd takes any label and profile, and no notice.
        "label" | "apparmor" => {}
        "seccomp" => apply_seccomp(security, value),
        _ => return Err(wrong(2)),
    }
    Ok(())
}

fn apply_seccomp(security: &mut Security, value: &str) {
    security.seccomp_json.clear();
    match value {
        "unconfined" => security.seccomp = SeccompProfile::Unconfined.into(),
        "builtin" | "" => security.seccomp = SeccompProfile::Default.into(),
        json => json.clone_into(&mut security.seccomp_json),
    }
}

/// As Go's strconv.ParseBool.
fn go_bool(text: &str) -> Option<bool> {
    match text {
        "1" | "t" | "T" | "true" | "TRUE" | "True" => Some(true),
        "0" | "f" | "F" | "false" | "FALSE" | "False" => Some(false),
        _ => None,
    }
}
