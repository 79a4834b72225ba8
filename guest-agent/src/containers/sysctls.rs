//! Which kernel parameters a container may set: those of namespaces that it has for itself. The rules and the words are
//! runc's.

use cove_proto::v1::ContainerSpec;

/// Why a parameter cannot be set.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum SysctlError {
    /// The IPC namespace is the guest's.
    #[error("sysctl {0:?} is not allowed in the hosts ipc namespace")]
    GuestIpc(String),
    /// The network namespace is the guest's.
    #[error("sysctl {0:?} not allowed in host network namespace")]
    GuestNetwork(String),
    /// There is another way to say it.
    #[error("sysctl {0:?} is not allowed as it conflicts with the OCI \"hostname\" field")]
    Hostname(String),
    /// It counts for all users of the guest.
    #[error("setting ucounts without a user namespace not allowed: {0}")]
    Counts(String),
    /// It is the whole kernel's.
    #[error("sysctl {0:?} is not in a separate kernel namespace")]
    Kernel(String),
}

const IPC: [&str; 8] = [
    "kernel.msgmax",
    "kernel.msgmnb",
    "kernel.msgmni",
    "kernel.sem",
    "kernel.shmall",
    "kernel.shmmax",
    "kernel.shmmni",
    "kernel.shm_rmid_forced",
];

/// The parameters of a container that is about to start: path below /proc/sys, value. In the order of their names, so that
/// a start fails at the same one each time.
pub(super) fn parameters(spec: &ContainerSpec) -> Result<Vec<(String, String)>, SysctlError> {
    let mut parameters = Vec::with_capacity(spec.sysctls.len());
    for (name, value) in &spec.sysctls {
        let dotted = dotted(name);
        check(spec, &dotted)?;
        let path = swapped(&dotted);
        // "net/../kernel/core_pattern" begins like one of the network's and is not.
        if path.split('/').any(|part| matches!(part, "" | "." | "..")) {
            return Err(SysctlError::Kernel(name.clone()));
        }
        parameters.push((path, value.clone()));
    }
    // Docker's way to set the domain name is a parameter as well, and meets the same rules.
    if !spec.domainname.is_empty() {
        check(spec, "kernel.domainname")?;
    }
    parameters.sort_unstable();
    Ok(parameters)
}

fn check(spec: &ContainerSpec, name: &str) -> Result<(), SysctlError> {
    let refused = |error: fn(String) -> SysctlError| Err(error(name.to_owned()));
    if IPC.contains(&name) || name.starts_with("fs.mqueue.") {
        return if spec.ipc_mode == "host" { refused(SysctlError::GuestIpc) } else { Ok(()) };
    }
    if name.starts_with("net.") {
        return if spec.network_mode == "host" { refused(SysctlError::GuestNetwork) } else { Ok(()) };
    }
    match name {
        "kernel.domainname" if spec.uts_mode != "host" => Ok(()),
        "kernel.hostname" if spec.uts_mode != "host" => refused(SysctlError::Hostname),
        name if name.starts_with("user.") => refused(SysctlError::Counts),
        _ => refused(SysctlError::Kernel),
    }
}

/// The name with dots between its parts, as sysctl(8) has it: where the first separator is a slash, dots are part of names
/// ("net/ipv4/conf/eth0.1/forwarding").
fn dotted(name: &str) -> String {
    if name.chars().find(|c| matches!(c, '.' | '/')) == Some('/') { swapped(name) } else { name.to_owned() }
}

fn swapped(name: &str) -> String {
    let swap = |c| match c {
        '.' => '/',
        '/' => '.',
        other => other,
    };
    name.chars().map(swap).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(name: &str, change: impl FnOnce(&mut ContainerSpec)) -> Result<Vec<(String, String)>, String> {
        let mut spec =
            ContainerSpec { sysctls: [(name.to_owned(), "1".to_owned())].into(), ..ContainerSpec::default() };
        change(&mut spec);
        parameters(&spec).map_err(|error| error.to_string())
    }

    #[test]
    fn what_belongs_to_a_namespace_may_be_set() {
        for (name, path) in [
            ("net.ipv4.ip_forward", "net/ipv4/ip_forward"),
            ("net/ipv4/ip_forward", "net/ipv4/ip_forward"),
            ("net/ipv4/conf/eth0.1/forwarding", "net/ipv4/conf/eth0.1/forwarding"),
            ("kernel.shmmax", "kernel/shmmax"),
            ("fs.mqueue.msg_max", "fs/mqueue/msg_max"),
            ("kernel.domainname", "kernel/domainname"),
        ] {
            assert_eq!(set(name, |_| {}), Ok(vec![(path.to_owned(), "1".to_owned())]));
        }
    }

    #[test]
    fn the_rest_is_refused_in_runcs_words() {
        let refused = |name: &str, change: fn(&mut ContainerSpec)| set(name, change).unwrap_err();
        let host = |spec: &mut ContainerSpec| {
            for mode in [&mut spec.ipc_mode, &mut spec.network_mode, &mut spec.uts_mode] {
                "host".clone_into(mode);
            }
        };
        assert_eq!(refused("kernel.panic", |_| {}), r#"sysctl "kernel.panic" is not in a separate kernel namespace"#);
        assert_eq!(
            refused("kernel.shmmax", host),
            r#"sysctl "kernel.shmmax" is not allowed in the hosts ipc namespace"#
        );
        assert_eq!(
            refused("net.core.somaxconn", host),
            r#"sysctl "net.core.somaxconn" not allowed in host network namespace"#
        );
        assert!(refused("kernel.hostname", |_| {}).contains("conflicts with the OCI \"hostname\" field"));
        assert!(refused("user.max_user_namespaces", |_| {}).starts_with("setting ucounts"));
        assert!(refused("kernel.domainname", host).ends_with("is not in a separate kernel namespace"));
    }

    #[test]
    fn no_spelling_leads_out_of_a_namespace() {
        for name in [
            "kernel/../kernel/core_pattern",
            "net/../kernel/core_pattern",
            "net...kernel.core_pattern",
            "net.",
            "net/./x",
        ] {
            let error = set(name, |_| {}).unwrap_err();
            assert!(error.ends_with("is not in a separate kernel namespace"), "{error}");
        }
    }
}
