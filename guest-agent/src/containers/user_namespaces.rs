//! Whether a container has a user namespace, and which. Messages are dockerd's, where it has one.
//!
//! It is decided at each start, as files do not depend on it ([`crate::user_namespaces`]). Who shares other namespaces of
//! another container has that one's user namespace, in which those belong.

use std::{
    fs::File,
    io,
    os::{
        fd::{AsFd, OwnedFd},
        unix::fs::MetadataExt,
    },
};

use cove_proto::v1::ContainerSpec;

use super::{
    Engine,
    error::{ContainersError, Kind},
    record::Record,
    spec::SpecError,
};
use crate::processes::launch::Shared;

/// Why a container cannot have the user namespace that it is to have.
#[derive(Debug, thiserror::Error)]
pub enum UserNamespaceError {
    /// Another container, whose namespaces it is to share, has none.
    #[error(
        "cannot share the namespaces of container {0}, which has no user namespace, when user namespaces are enabled"
    )]
    None(String),
    /// Two containers, whose namespaces it is to share, have not the same.
    #[error("cannot share the namespaces of containers with different user namespaces")]
    Different,
    /// The other container's.
    #[error("look at the user namespace of container {container}")]
    Look {
        /// Its id.
        container: String,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The kernel made none.
    #[error("make a user namespace")]
    Make(#[source] io::Error),
}

impl UserNamespaceError {
    pub(super) fn kind(&self) -> Kind {
        match self {
            Self::None(_) | Self::Different => Kind::Conflict,
            Self::Look { .. } | Self::Make(_) => Kind::Internal,
        }
    }
}

/// The user namespace of a container that starts, and a network namespace that belongs to it.
#[derive(Debug, Default)]
pub(super) struct Chosen {
    pub(super) user: Option<OwnedFd>,
    pub(super) network: Option<OwnedFd>,
}

/// Whether a container is to have one, in an engine where all are to have one, or none.
pub(super) fn is_wanted(spec: &ContainerSpec, all: bool) -> bool {
    match spec.userns_mode.as_str() {
        "host" => false,
        "private" => true,
        _ => all,
    }
}

/// Checks what does not go together with one.
pub(super) fn check(spec: &ContainerSpec, all: bool) -> Result<(), SpecError> {
    if is_wanted(spec, all) { check_conflicts(spec) } else { Ok(()) }
}

fn check_conflicts(spec: &ContainerSpec) -> Result<(), SpecError> {
    for (wrong, message) in [
        (
            spec.security.as_ref().is_some_and(|security| security.privileged),
            "privileged mode is incompatible with user namespaces.  You must run the container in the host namespace when \
             running privileged mode",
        ),
        (spec.network_mode == "host", "cannot share the host's network namespace when user namespaces are enabled"),
        (spec.pid_mode == "host", "cannot share the host PID namespace when user namespaces are enabled"),
        // runc would not mount /dev/mqueue then.
        (spec.ipc_mode == "host", "cannot share the host IPC namespace when user namespaces are enabled"),
    ] {
        if wrong {
            return Err(SpecError::Conflict(message));
        }
    }
    Ok(())
}

/// The user namespace of a container that starts. Blocks.
pub(super) fn choose(engine: &Engine, record: &Record, shared: &Shared) -> Result<Chosen, ContainersError> {
    check(&record.spec, engine.user_namespaces)?;
    if record.spec.userns_mode == "host" {
        return Ok(Chosen::default());
    }
    let wanted = is_wanted(&record.spec, engine.user_namespaces);
    let donors: Vec<&str> = shared.containers().collect();
    if !donors.is_empty() {
        let user = of_donors(engine, &donors, wanted)?;
        if user.is_some() {
            check_conflicts(&record.spec)?;
        }
        let network = match &user {
            Some(user) if shared.network.is_none() => {
                let made = engine.launcher.make_network_namespace(user.as_fd());
                Some(made.map_err(UserNamespaceError::Make)?)
            }
            _ => None,
        };
        return Ok(Chosen { user, network });
    }
    if !wanted {
        return Ok(Chosen::default());
    }
    let made = engine.launcher.make_user_namespace().map_err(UserNamespaceError::Make)?;
    Ok(Chosen { user: Some(made.user), network: Some(made.network) })
}

fn of_donors(engine: &Engine, donors: &[&str], wanted: bool) -> Result<Option<OwnedFd>, ContainersError> {
    let mut first: Option<(u64, Option<OwnedFd>)> = None;
    for container in donors {
        let look = |source| UserNamespaceError::Look { container: (*container).to_owned(), source };
        let program = engine.index().find(container)?.running()?;
        let namespace = program.user_namespace().map_err(look)?;
        if namespace.is_none() && wanted {
            return Err(UserNamespaceError::None((*container).to_owned()).into());
        }
        let inode = namespace.as_ref().map_or(Ok(0), inode).map_err(look)?;
        match &first {
            None => first = Some((inode, namespace)),
            Some((of_first, _)) if *of_first == inode => {}
            Some(_) => return Err(UserNamespaceError::Different.into()),
        }
    }
    Ok(first.and_then(|(_, namespace)| namespace))
}

fn inode(namespace: &OwnedFd) -> io::Result<u64> {
    Ok(File::from(namespace.as_fd().try_clone_to_owned()?).metadata()?.ino())
}

#[cfg(test)]
mod tests {
    use super::*;
    use cove_proto::v1::Security;

    fn spec(mode: &str) -> ContainerSpec {
        ContainerSpec { userns_mode: mode.into(), ..ContainerSpec::default() }
    }

    #[test]
    fn the_container_decides_before_the_engine() {
        for (mode, all, wanted) in
            [("", false, false), ("", true, true), ("host", true, false), ("private", false, true)]
        {
            assert_eq!(is_wanted(&spec(mode), all), wanted, "{mode:?} {all}");
        }
    }

    #[test]
    fn what_does_not_go_together_is_refused_in_dockerds_words() {
        let privileged = Some(Security { privileged: true, ..Security::default() });
        let host = || "host".to_owned();
        let conflicts = |mode: &str| {
            [
                (ContainerSpec { security: privileged.clone(), ..spec(mode) }, "privileged mode is incompatible"),
                (ContainerSpec { network_mode: host(), ..spec(mode) }, "cannot share the host's network namespace"),
                (ContainerSpec { pid_mode: host(), ..spec(mode) }, "cannot share the host PID namespace"),
                (ContainerSpec { ipc_mode: host(), ..spec(mode) }, "cannot share the host IPC namespace"),
            ]
        };
        for (spec, words) in conflicts("private") {
            assert!(check(&spec, false).unwrap_err().to_string().starts_with(words), "{words}");
        }
        for (spec, words) in conflicts("host") {
            assert!(check(&spec, true).is_ok(), "{words}");
        }
        for (spec, words) in conflicts("") {
            assert!(check(&spec, true).is_err(), "{words}");
            assert!(check(&spec, false).is_ok(), "{words}");
        }
    }
}
