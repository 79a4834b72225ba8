//! The call into the guest by which its kernel gets at the folders that were granted. One is kept open as long as the
//! machine runs; all mounts share it.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use cove_machine::{Machine, State, hypervisor::Vm};
use cove_proto::v1::{
    HostChange, HostChangeKind, ServeHostFoldersRequest, ServeHostFoldersResponse,
    host_folders_client::HostFoldersClient, serve_host_folders_request::News as ToGuest,
    serve_host_folders_response::News as FromGuest,
};
use cove_shares::{
    host::native::NativeFolder,
    server::Server,
    watch::{Notice, Replay},
};
use tokio::sync::{Semaphore, mpsc};
use tokio_stream::wrappers::ReceiverStream;

use super::{
    grants::Grants,
    mounted::{Mounted, News},
};
use crate::{agent::Agent, rpc::error::chain};

/// After a call that ended or did not begin: an agent that is started again needs a moment.
const PAUSE: Duration = Duration::from_millis(200);

/// Answers that may wait for the guest.
const QUEUE: usize = 64;

/// How long the guest may take to do a change again.
const REPLAY: Duration = Duration::from_secs(5);

/// Messages that are answered at once; the guest's kernel sends as many as its programs ask.
const AT_ONCE: usize = 64;

/// The largest message of the guest's kernel, with gRPC's frame.
const LARGEST_MESSAGE: usize = 2 << 20;

/// Serves until the machine's task is gone.
pub async fn keep(machine: Machine, agent: Arc<Agent>, grants: Arc<Grants>) {
    let mut status = machine.status();
    loop {
        if status.wait_for(|status| status.state == State::Running).await.is_err() {
            return;
        }
        let Some(vm) = machine.vm() else {
            // The state is written after the machine is taken away.
            if status.changed().await.is_err() {
                return;
            }
            continue;
        };
        tokio::select! {
            () = serve_running(&agent, &vm, &grants) => {}
            stopped = status.wait_for(|status| status.state != State::Running) => if stopped.is_err() { return },
        }
    }
}

async fn serve_running(agent: &Agent, vm: &Arc<dyn Vm>, grants: &Arc<Grants>) {
    loop {
        if let Err(error) = serve(agent, vm, grants).await {
            tracing::debug!(error, "the call that serves folders of this computer ended");
        }
        tokio::time::sleep(PAUSE).await;
    }
}

/// One call, from beginning to end.
async fn serve(agent: &Agent, vm: &Arc<dyn Vm>, grants: &Arc<Grants>) -> Result<(), String> {
    let connection = agent.dial(vm.clone()).await.map_err(|error| chain(&error))?;
    let (to_guest, from_here) = mpsc::channel(QUEUE);
    let mut client = HostFoldersClient::new(connection).max_decoding_message_size(LARGEST_MESSAGE);
    let answer = client.serve_host_folders(ReceiverStream::new(from_here)).await;
    let mut said = answer.map_err(|status| status.message().to_owned())?.into_inner();
    let call = Call {
        grants: Arc::clone(grants),
        mounted: Arc::default(),
        to_guest,
        at_once: Arc::new(Semaphore::new(AT_ONCE)),
        replaying: Arc::default(),
    };
    while let Some(news) = said.message().await.map_err(|status| status.message().to_owned())? {
        call.hear(news).await;
    }
    Ok(())
}

/// A call under way.
#[derive(Clone)]
struct Call {
    grants: Arc<Grants>,
    mounted: Arc<Mounted>,
    to_guest: mpsc::Sender<ServeHostFoldersRequest>,
    at_once: Arc<Semaphore>,
    /// Who waits for what is done again, by mount.
    replaying: Arc<Mutex<HashMap<u64, std::sync::mpsc::Sender<()>>>>,
}

fn encode(replay: Replay) -> HostChange {
    match replay {
        Replay::Make { path, mode, .. } => {
            HostChange { kind: HostChangeKind::Made.into(), path, mode, ..Default::default() }
        }
        Replay::Remove { path, is_folder: folder } => {
            HostChange { kind: HostChangeKind::Removed.into(), path, folder, ..Default::default() }
        }
        Replay::Move { from: path, to: moved_to } => {
            HostChange { kind: HostChangeKind::Moved.into(), path, moved_to, ..Default::default() }
        }
        Replay::Touch(path) => HostChange { kind: HostChangeKind::Contents.into(), path, ..Default::default() },
        Replay::TouchAttributes(path) => {
            HostChange { kind: HostChangeKind::Attributes.into(), path, ..Default::default() }
        }
    }
}

impl Call {
    /// The order is the guest's: a folder is open before its first message is looked at.
    async fn hear(&self, said: ServeHostFoldersResponse) {
        let mount = said.mount;
        match said.news {
            Some(FromGuest::Message(message)) => self.message(mount, message).await,
            Some(FromGuest::Open(asked)) => {
                let call = self.clone();
                let opened = tokio::task::spawn_blocking(move || call.mounted.open(mount, &call.grants, &asked)).await;
                let news = match opened {
                    Ok(Ok((opened, news))) => {
                        if let Some(news) = news {
                            self.tell_news(mount, news);
                        }
                        ToGuest::Opened(opened)
                    }
                    Ok(Err(why)) => ToGuest::Refused(why),
                    Err(panic) => ToGuest::Refused(format!("open a folder: {panic}")),
                };
                self.tell(mount, news).await;
            }
            Some(FromGuest::Close(_)) => self.mounted.close(mount),
            Some(FromGuest::Replayed(_)) => {
                if let Some(waiting) = self.replaying().remove(&mount) {
                    // Who waited may have left.
                    let _left = waiting.send(());
                }
            }
            None => {}
        }
    }

    fn replaying(&self) -> MutexGuard<'_, HashMap<u64, std::sync::mpsc::Sender<()>>> {
        self.replaying.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Tells the guest what happens on the host, on a thread of its own that ends with the mount.
    fn tell_news(&self, mount: u64, mut news: News) {
        let call = self.clone();
        let tell = move || {
            while let Some((notices, server)) = news.next() {
                for notice in notices {
                    if !call.tell_notice(mount, &server, notice) {
                        return;
                    }
                }
            }
        };
        if let Err(error) = std::thread::Builder::new().name("shares".to_owned()).spawn(tell) {
            tracing::warn!(%error, "what happens to a shared folder is not told to containers at once");
        }
    }

    /// Tells it; false if nobody hears it.
    fn tell_notice(&self, mount: u64, server: &Server<NativeFolder>, notice: Notice) -> bool {
        let replay = match notice {
            Notice::Message(message) => return self.tell_blocking(mount, ToGuest::Message(message)),
            Notice::Replay(replay) => replay,
        };
        let (done, told) = std::sync::mpsc::channel();
        self.replaying().insert(mount, done);
        server.replays(Some(replay.clone()));
        let heard = self.tell_blocking(mount, ToGuest::Change(encode(replay)));
        // A guest that has too much to do hears of the next change only after this one.
        let _late = told.recv_timeout(REPLAY);
        server.replays(None);
        heard
    }

    fn tell_blocking(&self, mount: u64, news: ToGuest) -> bool {
        self.to_guest.blocking_send(ServeHostFoldersRequest { mount, news: Some(news) }).is_ok()
    }

    /// Answers a message beside the others.
    async fn message(&self, mount: u64, message: Vec<u8>) {
        let Some(server) = self.mounted.server(mount) else { return };
        let Ok(permit) = Arc::clone(&self.at_once).acquire_owned().await else { return };
        let call = self.clone();
        tokio::task::spawn_blocking(move || {
            let answer = server.answer(&message);
            drop(permit);
            match answer {
                Ok(Some(answer)) => {
                    let news = Some(ToGuest::Message(answer));
                    // A guest that does not hear it has ended its call.
                    let _ended = call.to_guest.blocking_send(ServeHostFoldersRequest { mount, news });
                }
                Ok(None) => {}
                Err(malformed) => {
                    tracing::warn!(%malformed, "a guest sends what no kernel sends; its mount is closed");
                    call.mounted.close(mount);
                }
            }
        });
    }

    async fn tell(&self, mount: u64, news: ToGuest) {
        let _ended = self.to_guest.send(ServeHostFoldersRequest { mount, news: Some(news) }).await;
    }
}
