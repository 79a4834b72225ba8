//! The root file system of a container, from unpacked layers to what its processes see.
//!
//! One rule holds in all of this: a path of the container reaches a system call only as a descriptor of its root and a
//! name that cannot leave it ([`target`]).
//!
//! * [`overlay`] — layers and the writable one, as a mount that is attached nowhere. Made by the agent.
//! * [`mounts`] — the mount API, in the few forms used here.
//! * [`target`] — finding and making places below a root.
//! * [`system`] — /proc, /sys and cgroups. [`devices`] — /dev. [`etc`] — the files that the engine writes.
//! * [`beside`] — volumes, memory and images that its creator asks for; [`tmpfs`] — the options of such memory.
//! * [`masked_paths`] — what is hidden, and what is read-only.
//! * [`pivot`] — making it the root.

pub mod beside;
pub mod devices;
pub mod etc;
pub mod masked_paths;
pub mod mounts;
pub mod overlay;
pub mod pivot;
pub mod system;
pub mod target;
pub mod tmpfs;

use rustix::io::Errno;

/// A step of putting the root file system together that failed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{step}")]
pub struct RootfsError {
    /// What was tried: "mount proc".
    pub step: String,
    /// Why it failed.
    #[source]
    pub errno: Errno,
}

/// Names the step that a call belongs to.
pub(crate) trait Step<T> {
    fn step(self, step: impl Into<String>) -> Result<T, RootfsError>;
}

impl<T> Step<T> for Result<T, Errno> {
    fn step(self, step: impl Into<String>) -> Result<T, RootfsError> {
        self.map_err(|errno| RootfsError { step: step.into(), errno })
    }
}
