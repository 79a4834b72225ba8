//! Folders of the host, as the guest's kernel mounts them: by FUSE, whose messages the host answers.
//!
//! One mount for each grant and owner, shared by the containers that run with it; the last of them that ends takes it away.
//!
//! ```text
//!  container ──► kernel ──► /dev/fuse ──► [`device`] ──► [`session`] ──► the daemon's call ──► files of the host
//! ```
//!
//! * [`device`] — a mount's /dev/fuse, and what of its messages is not answered yet.
//! * [`session`] — the call by which the daemon serves, and what happens when it is another.
//! * [`replay`] — what happened on the host is done again, so that programs that watch hear of it.
//! * [`open`] — a container that starts, and one that has ended.
//! * [`keep`] — an agent that ends: PID 1 keeps what is mounted for the next.
//! * [`docker_api`] — what is no folder: Docker's API, at a socket.
//!
//! A daemon that goes leaves its mounts waiting for the next. That one knows none of the nodes that the kernel knows:
//! paths are looked up anew from the top, and what was open says ESTALE.

mod device;
mod docker_api;
mod error;
mod keep;
mod open;
mod replay;
mod session;
#[cfg(test)]
mod tests;

use std::{
    collections::{BTreeSet, HashMap},
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use cove_proto::v1::OpenHostFolder;
use serde::{Deserialize, Serialize};
use tokio::{sync::watch, time::Instant};

pub use self::error::SharesError;
use self::{device::Device, docker_api::Listening, keep::Keep, session::Session};
use crate::host::Host;

/// Where they are mounted, in memory.
pub const FOLDER: &str = "/run/cove.shares";

/// Whose files they are in a container.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Owner {
    /// The user, by the guest's ids.
    pub uid: u32,
    /// The group.
    pub gid: u32,
    /// Whether the container has ids of its own.
    pub user_namespace: bool,
}

/// What a container wants to see.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Wanted {
    /// The grant.
    pub share: String,
    /// Whose its files are.
    pub owner: Owner,
}

/// The folders of the host; clones share them.
#[derive(Debug, Clone)]
pub struct Shares(Arc<State>);

#[derive(Debug)]
struct State {
    folder: PathBuf,
    host: Host,
    keep: Arc<dyn Keep>,
    mounts: Mutex<Mounts>,
    session: watch::Sender<Option<Session>>,
    /// When the last call ended.
    lost: Mutex<Instant>,
    /// Held while one is mounted, so that two containers that start at once make one mount.
    opening: tokio::sync::Mutex<()>,
}

#[derive(Debug, Default)]
struct Mounts {
    next: u64,
    mounted: HashMap<u64, Mounted>,
}

#[derive(Debug)]
struct Mounted {
    wanted: Wanted,
    path: PathBuf,
    served: Served,
    containers: BTreeSet<String>,
}

/// By what it is served.
#[derive(Debug, Clone)]
enum Served {
    /// A file system, by its device.
    Files(Arc<Device>),
    /// A socket, by who accepts there.
    DockerApi {
        /// Dropped with the mount.
        _accepts: Arc<Listening>,
    },
}

impl Shares {
    /// None yet, to be mounted below a folder, and to be kept there for the next agent.
    #[must_use]
    pub fn new(folder: &Path, host: Host, keep: Arc<dyn Keep>) -> Self {
        Self(Arc::new(State {
            folder: folder.to_owned(),
            host,
            keep,
            mounts: Mutex::default(),
            session: watch::Sender::new(None),
            lost: Mutex::new(Instant::now()),
            opening: tokio::sync::Mutex::default(),
        }))
    }

    fn mounts(&self) -> MutexGuard<'_, Mounts> {
        self.0.mounts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn device(&self, mount: u64) -> Option<Arc<Device>> {
        match &self.mounts().mounted.get(&mount)?.served {
            Served::Files(device) => Some(Arc::clone(device)),
            Served::DockerApi { .. } => None,
        }
    }
}

impl Wanted {
    fn to_proto(&self) -> OpenHostFolder {
        let Owner { uid, gid, user_namespace } = self.owner;
        OpenHostFolder { share_id: self.share.clone(), uid, gid, user_namespace }
    }
}
