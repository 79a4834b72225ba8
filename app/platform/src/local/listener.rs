//! Listening on a local endpoint.

use std::{io, path::PathBuf};

use super::{Endpoint, EndpointError, LocalStream, stream};

/// Why an endpoint could not be listened on.
#[derive(Debug, thiserror::Error)]
pub enum BindError {
    /// It cannot exist.
    #[error(transparent)]
    Endpoint(#[from] EndpointError),
    /// Something that is not a socket has its name.
    #[error("{} is in the way of the socket: it is not one", .0.display())]
    InTheWay(PathBuf),
    /// The system refused.
    #[error("listen on {endpoint}")]
    System {
        /// The endpoint.
        endpoint: Endpoint,
        /// What the system said.
        #[source]
        source: io::Error,
    },
}

/// Why a connection was not accepted. The listener goes on after either.
#[derive(Debug, thiserror::Error)]
pub enum AcceptError {
    /// The peer is another user. It was hung up on without a word.
    #[error("refused a connection of another user (id {uid})")]
    Stranger {
        /// Who it is.
        uid: u32,
    },
    /// The system refused, for example for want of descriptors.
    #[error("accept a connection")]
    System(#[source] io::Error),
}

/// Listens on a local endpoint for streams of this user. Dropping it takes the socket away.
#[derive(Debug)]
pub struct LocalListener {
    endpoint: Endpoint,
    inner: imp::Listener,
}

impl LocalListener {
    /// Listens. A socket that a dead process left there is replaced, so the caller must hold a lock that says that no
    /// living one can be there.
    ///
    /// # Errors
    /// If the endpoint cannot exist, is taken by something else, or the system refuses.
    pub fn bind(endpoint: &Endpoint) -> Result<Self, BindError> {
        endpoint.check()?;
        Ok(Self { endpoint: endpoint.clone(), inner: imp::bind(endpoint)? })
    }

    /// Where it listens.
    #[must_use]
    pub fn endpoint(&self) -> &Endpoint {
        &self.endpoint
    }

    /// Waits for a stream of this user. Giving up while waiting loses no connection.
    ///
    /// # Errors
    /// [`AcceptError::Stranger`] for a stream of another user; both kinds leave the listener usable.
    pub async fn accept(&mut self) -> Result<LocalStream, AcceptError> {
        imp::accept(&mut self.inner, &self.endpoint).await.map(LocalStream)
    }
}

#[cfg(unix)]
impl Drop for LocalListener {
    fn drop(&mut self) {
        // If it is gone already, so much the better.
        let _ = std::fs::remove_file(self.endpoint.path());
    }
}

#[cfg(unix)]
mod imp {
    use std::{
        fs, io,
        os::unix::fs::{FileTypeExt, PermissionsExt},
    };

    use super::{AcceptError, BindError, Endpoint, stream::imp::Stream};

    pub(super) type Listener = tokio::net::UnixListener;

    pub(super) fn bind(endpoint: &Endpoint) -> Result<Listener, BindError> {
        let failed = |source| BindError::System { endpoint: endpoint.clone(), source };
        match fs::symlink_metadata(endpoint.path()) {
            Ok(found) if found.file_type().is_socket() => fs::remove_file(endpoint.path()).map_err(failed)?,
            Ok(_) => return Err(BindError::InTheWay(endpoint.path().to_owned())),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(failed(error)),
        }
        let listener = Listener::bind(endpoint.path()).map_err(failed)?;
        fs::set_permissions(endpoint.path(), fs::Permissions::from_mode(0o600)).map_err(failed)?;
        Ok(listener)
    }

    pub(super) async fn accept(listener: &mut Listener, _: &Endpoint) -> Result<Stream, AcceptError> {
        let (stream, _) = listener.accept().await.map_err(AcceptError::System)?;
        let uid = stream.peer_cred().map_err(AcceptError::System)?.uid();
        if uid == nix::unistd::geteuid().as_raw() { Ok(stream) } else { Err(AcceptError::Stranger { uid }) }
    }
}

#[cfg(windows)]
mod imp {
    use std::io;

    use tokio::net::windows::named_pipe::{NamedPipeServer, ServerOptions};

    use super::{AcceptError, BindError, Endpoint, stream::imp::Stream};

    /// The instance of the pipe that the next client gets; `None` after an error, then the next accept makes it.
    pub(super) type Listener = Option<NamedPipeServer>;

    pub(super) fn bind(endpoint: &Endpoint) -> Result<Listener, BindError> {
        // first_pipe_instance: fail if somebody already answers to this name, instead of sharing it with him.
        instance(endpoint, true).map(Some).map_err(|source| BindError::System { endpoint: endpoint.clone(), source })
    }

    pub(super) async fn accept(listener: &mut Listener, endpoint: &Endpoint) -> Result<Stream, AcceptError> {
        if listener.is_none() {
            *listener = Some(instance(endpoint, false).map_err(AcceptError::System)?);
        }
        if let Some(waiting) = listener.as_ref() {
            waiting.connect().await.map_err(AcceptError::System)?;
        }
        // The next instance first, so that there is never a moment without one and nobody else can take the name.
        let next = instance(endpoint, false);
        let connected = listener.take();
        *listener = next.ok();
        connected.map(Stream::Server).ok_or_else(|| AcceptError::System(io::ErrorKind::NotConnected.into()))
    }

    fn instance(endpoint: &Endpoint, first: bool) -> io::Result<NamedPipeServer> {
        ServerOptions::new().first_pipe_instance(first).reject_remote_clients(true).create(endpoint.path())
    }
}

#[cfg(unix)]
#[cfg(test)]
mod tests {
    use std::{
        fs,
        os::unix::{
            fs::{MetadataExt, PermissionsExt},
            process::CommandExt,
        },
        process::Command,
    };

    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;

    fn endpoint(folder: &tempfile::TempDir) -> Endpoint {
        Endpoint::in_folder(folder.path(), "test")
    }

    #[tokio::test]
    async fn both_ways_and_half_closed() {
        let folder = tempfile::tempdir().unwrap();
        let mut listener = LocalListener::bind(&endpoint(&folder)).unwrap();
        let (client, server) = tokio::join!(LocalStream::connect(listener.endpoint()), async {
            LocalListener::bind(&Endpoint::in_folder(folder.path(), "other")).unwrap()
        });
        drop(server);
        let mut client = client.unwrap();
        let mut server = listener.accept().await.unwrap();
        client.write_all(b"question").await.unwrap();
        client.shutdown().await.unwrap();
        let mut heard = Vec::new();
        server.read_to_end(&mut heard).await.unwrap();
        assert_eq!(heard, b"question");
        server.write_all(b"answer").await.unwrap();
        drop(server);
        heard.clear();
        client.read_to_end(&mut heard).await.unwrap();
        assert_eq!(heard, b"answer");
    }

    #[tokio::test]
    async fn a_client_that_only_sends_no_more_is_not_gone_and_one_that_ended_is() {
        let folder = tempfile::tempdir().unwrap();
        let mut listener = LocalListener::bind(&endpoint(&folder)).unwrap();
        let mut client = LocalStream::connect(listener.endpoint()).await.unwrap();
        let mut server = listener.accept().await.unwrap();
        let mut gone = tokio::spawn(server.gone());
        client.shutdown().await.unwrap();
        assert_eq!(server.read(&mut [0]).await.unwrap(), 0);
        server.write_all(b"quiet from here").await.unwrap();
        client.read_exact(&mut [0; 15]).await.unwrap();
        let early = tokio::time::timeout(std::time::Duration::from_millis(50), &mut gone).await;
        assert!(early.is_err(), "it can still read");
        drop(client);
        gone.await.unwrap();
    }

    #[tokio::test]
    async fn the_socket_is_private_replaces_a_dead_one_and_goes_away() {
        let folder = tempfile::tempdir().unwrap();
        let endpoint = endpoint(&folder);
        drop(std::os::unix::net::UnixListener::bind(endpoint.path()).unwrap());
        let listener = LocalListener::bind(&endpoint).unwrap();
        assert_eq!(fs::metadata(endpoint.path()).unwrap().mode() & 0o777, 0o600);
        drop(listener);
        assert!(!endpoint.path().exists());
    }

    #[tokio::test]
    async fn a_file_of_that_name_is_not_removed() {
        let folder = tempfile::tempdir().unwrap();
        let endpoint = endpoint(&folder);
        fs::write(endpoint.path(), "precious").unwrap();
        assert!(matches!(LocalListener::bind(&endpoint), Err(BindError::InTheWay(_))));
        assert_eq!(fs::read_to_string(endpoint.path()).unwrap(), "precious");
    }

    /// The wall behind the walls: folder and socket are opened to all, only the uid check is left.
    #[tokio::test]
    async fn another_user_is_hung_up_on_even_if_the_modes_let_it_in() {
        if !nix::unistd::geteuid().is_root() {
            // Becoming another user takes root. CI runs as root, where this check is never skipped.
            return;
        }
        let folder = tempfile::tempdir().unwrap();
        let endpoint = endpoint(&folder);
        let mut listener = LocalListener::bind(&endpoint).unwrap();
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).unwrap();
        fs::set_permissions(endpoint.path(), fs::Permissions::from_mode(0o666)).unwrap();
        // perl is on every Debian; a stranger may be unable to run what lies in our own folders.
        let mut child = Command::new("/usr/bin/perl")
            .args(["-MSocket", "-e"])
            .arg("socket(S,AF_UNIX,SOCK_STREAM,0) && connect(S,sockaddr_un($ARGV[0])) || die $!; exit(sysread(S,$b,1))")
            .arg(endpoint.path())
            .uid(65534)
            .gid(65534)
            .spawn()
            .unwrap();
        let accepted = tokio::time::timeout(std::time::Duration::from_secs(20), listener.accept()).await;
        assert!(matches!(accepted, Ok(Err(AcceptError::Stranger { uid: 65534 }))), "{accepted:?}");
        assert_eq!(child.wait().unwrap().code(), Some(0), "the stranger read something");
    }
}
