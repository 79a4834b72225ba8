//! What a guest has mounted: a server for each number that it chose.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use cove_proto::v1::{HostFolderOpened, OpenHostFolder};
use cove_shares::{
    errno::Errno,
    host::native::{self, NativeFolder, Words},
    ownership::Ownership,
    server::{Server, Shared},
    watch::Notice,
};

use super::grants::{Grant, Grants};
use crate::rpc::error::chain;

/// How long the guest believes what it was told of names and attributes. What it has opened or read is checked by time and
/// size besides.
const VALID: Duration = Duration::from_secs(1);

/// Why a folder cannot be mounted.
#[derive(Debug, thiserror::Error)]
enum OpenError {
    /// The system.
    #[error("open {path}")]
    Open {
        /// The path.
        path: String,
        /// Why not.
        #[source]
        source: Errno,
    },
}

/// What happens on the host to what is mounted, as the guest is to hear it.
#[derive(Debug)]
pub(super) struct News {
    server: Weak<Server<NativeFolder>>,
    words: Words,
}

impl News {
    /// What happened next; nothing once it is not mounted any more. Blocks.
    pub(super) fn next(&mut self) -> Option<(Vec<Notice>, Arc<Server<NativeFolder>>)> {
        let word = self.words.hear()?;
        let server = self.server.upgrade()?;
        Some((server.news(word), server))
    }
}

/// What is mounted.
#[derive(Debug, Default)]
pub(super) struct Mounted(Mutex<HashMap<u64, Arc<Server<NativeFolder>>>>);

impl Mounted {
    fn servers(&self) -> MutexGuard<'_, HashMap<u64, Arc<Server<NativeFolder>>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Opens what a grant is of; else why not, for people. Docker's API has no files, and nothing happens to it. Blocks.
    pub(super) fn open(
        &self,
        mount: u64,
        grants: &Grants,
        asked: &OpenHostFolder,
    ) -> Result<(HostFolderOpened, Option<News>), String> {
        let grant = grants.find(&asked.share_id).map_err(|error| chain(&error))?;
        if grant.docker_api {
            return Ok((HostFolderOpened { docker_api: true, ..HostFolderOpened::default() }, None));
        }
        let (server, opened, words) = server(&grant, asked).map_err(|error| chain(&error))?;
        let server = Arc::new(server);
        let news = News { server: Arc::downgrade(&server), words };
        self.servers().insert(mount, server);
        Ok((opened, Some(news)))
    }

    pub(super) fn close(&self, mount: u64) {
        self.servers().remove(&mount);
    }

    /// The server of a mount.
    pub(super) fn server(&self, mount: u64) -> Option<Arc<Server<NativeFolder>>> {
        self.servers().get(&mount).cloned()
    }
}

fn server(grant: &Grant, asked: &OpenHostFolder) -> Result<(Server<NativeFolder>, HostFolderOpened, Words), OpenError> {
    let path = &grant.path;
    let failed = |source| OpenError::Open { path: path.display().to_string(), source };
    let is_file = path.is_file();
    let (folder, file) = match (path.parent(), path.file_name()) {
        (Some(parent), Some(name)) if is_file => (parent, Some(name.as_encoded_bytes().into())),
        _ => (path.as_path(), None),
    };
    let ownership = if native::keeps_owners() && !asked.user_namespace {
        Ownership::AsTheyAre
    } else {
        Ownership::Mapped { host: native::own_ids(), guest: (asked.uid, asked.gid) }
    };
    let (watcher, words) = native::watcher();
    let shared = Shared {
        folder: native::open(folder).map_err(failed)?,
        file,
        read_only: grant.read_only,
        ownership,
        valid: VALID,
        first_node: first_node(),
        watcher,
    };
    let opened = HostFolderOpened { folder: !is_file, check_permissions: ownership.is_the_hosts(), docker_api: false };
    Ok((Server::new(shared).map_err(failed)?, opened, words))
}

/// Beyond what a daemon before this one counted to: 16 million nodes for every second.
fn first_node() -> u64 {
    let seconds = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |time| time.as_secs());
    seconds << 24
}
