//! The daemon's call. There is one at a time; a newer one takes over all that is mounted.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use cove_proto::v1::{
    CloseHostFolder, HostChange, HostChangeReplayed, HostFolderOpened, ServeHostFoldersRequest,
    ServeHostFoldersResponse, serve_host_folders_request::News as FromHost,
    serve_host_folders_response::News as ToHost,
};
use tokio::{
    sync::{mpsc, oneshot},
    time::{Instant, timeout, timeout_at},
};

use super::{Served, Shares, SharesError, Wanted, replay};

/// Messages that may be on their way to the daemon.
const QUEUE: usize = 256;

/// How long a daemon may be away: long enough for one that is started again, short enough for a program that waits.
const AWAY: Duration = Duration::from_secs(15);

/// How long the daemon may take to open a folder.
const OPENING: Duration = Duration::from_secs(30);

type Outcome = Result<HostFolderOpened, String>;

/// A call.
#[derive(Debug, Clone)]
pub(super) struct Session {
    to_host: mpsc::Sender<ServeHostFoldersResponse>,
    opening: Arc<Mutex<HashMap<u64, oneshot::Sender<Outcome>>>>,
}

impl Session {
    fn is_of(&self, to_host: &mpsc::Sender<ServeHostFoldersResponse>) -> bool {
        self.to_host.same_channel(to_host)
    }

    /// Nobody answers any more who waits for a folder to be opened.
    fn forsake(&self) {
        self.opening.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }
}

impl Shares {
    /// A daemon serves from now on. What is said to it comes out of the receiver.
    pub fn serve(&self) -> (mpsc::Sender<ServeHostFoldersResponse>, mpsc::Receiver<ServeHostFoldersResponse>) {
        self.cut();
        let mounts = self.mounts();
        let (to_host, from_here) = mpsc::channel(QUEUE + mounts.mounted.len());
        // Before anything else: the daemon is to know of a mount before it hears its messages.
        for (number, mounted) in &mounts.mounted {
            let news = Some(ToHost::Open(mounted.wanted.to_proto()));
            // There is room for all.
            let _room = to_host.try_send(ServeHostFoldersResponse { mount: *number, news });
        }
        if !mounts.mounted.is_empty() {
            tracing::warn!(
                mounts = mounts.mounted.len(),
                "another daemon serves the folders of this computer: files that containers had open there say ESTALE (stale \
                 file handle) and are to be opened again"
            );
        }
        let session = Session { to_host: to_host.clone(), opening: Arc::default() };
        if let Some(older) = self.0.session.send_replace(Some(session)) {
            older.forsake();
        }
        (to_host, from_here)
    }

    /// A daemon's call has ended.
    pub fn served(&self, to_host: &mpsc::Sender<ServeHostFoldersResponse>) {
        let was_last = self.0.session.send_if_modified(|session| {
            let last = session.as_ref().is_some_and(|session| session.is_of(to_host));
            if last && let Some(ended) = session.take() {
                ended.forsake();
            }
            last
        });
        if was_last {
            *self.0.lost.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now();
            self.cut();
        }
    }

    fn cut(&self) {
        for mounted in self.mounts().mounted.values() {
            if let Served::Files(device) = &mounted.served {
                device.cut();
            }
        }
    }

    /// The daemon says something.
    pub fn from_host(&self, to_host: &mpsc::Sender<ServeHostFoldersResponse>, said: ServeHostFoldersRequest) {
        let mount = said.mount;
        match said.news {
            Some(FromHost::Message(bytes)) => self.message(mount, bytes),
            Some(FromHost::Opened(opened)) => self.opened(to_host, mount, Ok(opened)),
            Some(FromHost::Refused(why)) => self.opened(to_host, mount, Err(why)),
            Some(FromHost::Change(change)) => self.replay(to_host.clone(), mount, change),
            None => {}
        }
    }

    /// Does again what happened on the host, and says so.
    fn replay(&self, to_host: mpsc::Sender<ServeHostFoldersResponse>, mount: u64, change: HostChange) {
        let path = self.mounts().mounted.get(&mount).map(|found| found.path.clone());
        let place = path.zip(self.device(mount));
        tokio::task::spawn_blocking(move || {
            if let Some((path, device)) = place
                && let Err(errno) = replay::again(&device, &path, &change)
            {
                tracing::debug!(error = %std::io::Error::from(errno), "a change of the host is not seen by who watches");
            }
            let news = Some(ToHost::Replayed(HostChangeReplayed {}));
            // A daemon that does not hear it has ended.
            let _ended = to_host.blocking_send(ServeHostFoldersResponse { mount, news });
        });
    }

    fn message(&self, mount: u64, bytes: Vec<u8>) {
        let Some(device) = self.device(mount) else { return };
        let is_notice = bytes.get(8..16).is_some_and(|unique| unique == [0; 8]);
        if is_notice {
            tokio::task::spawn_blocking(move || device.tell(&bytes));
        } else {
            device.answer(&bytes);
        }
    }

    fn opened(&self, to_host: &mpsc::Sender<ServeHostFoldersResponse>, mount: u64, outcome: Outcome) {
        let session = self.0.session.borrow().clone();
        let Some(session) = session.filter(|session| session.is_of(to_host)) else { return };
        let waiting = session.opening.lock().unwrap_or_else(PoisonError::into_inner).remove(&mount);
        match (waiting, outcome) {
            (Some(waiting), outcome) => drop(waiting.send(outcome)),
            // A mount that was there before this daemon.
            (None, Err(why)) => {
                tracing::warn!(why, "a folder of this computer that containers see is there no more");
            }
            (None, Ok(_)) => {}
        }
    }

    /// The present call; waits for one until then.
    async fn session(&self, until: Instant) -> Option<Session> {
        let mut session = self.0.session.subscribe();
        let found = timeout_at(until, session.wait_for(Option::is_some)).await;
        found.ok()?.ok()?.clone()
    }

    /// Until when a daemon that is away is waited for.
    fn patience(&self) -> Instant {
        *self.0.lost.lock().unwrap_or_else(PoisonError::into_inner) + AWAY
    }

    /// Passes a message on; gives it back when nobody takes it.
    pub(super) async fn ask_host(&self, mount: u64, message: Vec<u8>) -> Result<(), Vec<u8>> {
        let Some(session) = self.session(self.patience()).await else { return Err(message) };
        let said = ServeHostFoldersResponse { mount, news: Some(ToHost::Message(message)) };
        session.to_host.send(said).await.map_err(|unsent| match unsent.0.news {
            Some(ToHost::Message(message)) => message,
            _ => Vec::new(),
        })
    }

    /// Asks the daemon to open a folder.
    pub(super) async fn ask_to_open(&self, mount: u64, wanted: &Wanted) -> Result<HostFolderOpened, SharesError> {
        let session = self.session(Instant::now() + AWAY).await.ok_or(SharesError::NoHost)?;
        let (tell, told) = oneshot::channel();
        session.opening.lock().unwrap_or_else(PoisonError::into_inner).insert(mount, tell);
        let said = ServeHostFoldersResponse { mount, news: Some(ToHost::Open(wanted.to_proto())) };
        session.to_host.send(said).await.map_err(|_| SharesError::NoHost)?;
        match timeout(OPENING, told).await {
            Ok(Ok(outcome)) => outcome.map_err(SharesError::Refused),
            Ok(Err(_ended)) => Err(SharesError::NoHost),
            Err(_late) => Err(SharesError::Silent),
        }
    }

    /// Tells the daemon that something is not mounted any more. Where its queue is full it does not hear it, and what it
    /// keeps for the mount goes with its call.
    pub(super) fn tell_closed(&self, mount: u64) {
        if let Some(session) = &*self.0.session.borrow() {
            let news = Some(ToHost::Close(CloseHostFolder {}));
            let _full = session.to_host.try_send(ServeHostFoldersResponse { mount, news });
        }
    }
}
