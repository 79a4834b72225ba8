//! Docker's API as containers find it: a socket that is mounted in those to which it was granted. Each connection becomes a
//! raw stream of the daemon's, which asks each time whether it is granted still; nothing of it is understood here.

use std::{
    os::{
        fd::OwnedFd,
        unix::{fs::chown, net},
    },
    path::Path,
    pin::Pin,
    task::{Context, Poll},
};

use cove_proto::v1::{OpenDockerApi, serve_guest_response::Request};
use tokio::{
    io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, Interest, ReadBuf},
    net::{UnixListener, UnixStream},
    sync::oneshot,
    task::JoinHandle,
};

use super::{Owner, SharesError, error::failed};
use crate::host::{AskError, Host};

/// Read and write for the container's user and group, as dockerd's socket has it.
const MODE: u32 = 0o660;

/// What of a request is read to no purpose before the answer that it gets.
const UNHEARD_BYTES: u64 = 64 << 10;

/// Makes the socket, for the user whose container it is.
pub(super) fn bind(path: &Path, owner: Owner) -> Result<OwnedFd, SharesError> {
    use std::os::unix::fs::PermissionsExt as _;

    if let Some(above) = path.parent() {
        std::fs::create_dir_all(above).map_err(failed("make its folder"))?;
    }
    let listener = net::UnixListener::bind(path).map_err(failed("make its socket"))?;
    listener.set_nonblocking(true).map_err(failed("make its socket"))?;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(MODE)).map_err(failed("open its socket"))?;
    chown(path, Some(owner.uid), Some(owner.gid)).map_err(failed("give its socket away"))?;
    Ok(listener.into())
}

/// Somebody accepts at the socket, until this is dropped; connections that were made end by themselves.
#[derive(Debug)]
pub(super) struct Listening(JoinHandle<()>);

impl Listening {
    /// Within a tokio runtime.
    pub(super) fn on(listener: OwnedFd, host: Host, share: String) -> Result<Self, SharesError> {
        let listener = UnixListener::from_std(listener.into()).map_err(failed("listen at its socket"))?;
        Ok(Self(tokio::spawn(accept(listener, host, share))))
    }
}

impl Drop for Listening {
    fn drop(&mut self) {
        self.0.abort();
    }
}

async fn accept(listener: UnixListener, host: Host, share: String) {
    loop {
        match listener.accept().await {
            Ok((client, _)) => drop(tokio::spawn(connect(client, host.clone(), share.clone()))),
            Err(error) => {
                tracing::warn!(%error, "a connection to Docker's API was not accepted");
                tokio::time::sleep(crate::streams::DESCRIPTOR_PATIENCE).await;
            }
        }
    }
}

async fn connect(client: UnixStream, host: Host, share_id: String) {
    let raw = match host.ask_for_stream(Request::DockerApi(OpenDockerApi { share_id })).await {
        Ok(raw) => raw,
        Err(error) => return refuse(client, &error).await,
    };
    let (at_end, ended) = oneshot::channel();
    let gone = gone(&client, ended);
    let mut client = Client { socket: client, at_end: Some(at_end) };
    tokio::select! {
        _ended = raw.relay(&mut client) => {}
        // The stream is cut: reading alone does not tell the daemon that nobody hears its answer.
        () = gone => {}
    }
}

/// Comes when the client has closed both directions and all that it has said was read.
fn gone(client: &UnixStream, all_read: oneshot::Receiver<()>) -> impl Future<Output = ()> + use<> {
    use std::os::fd::AsFd as _;

    let own = client.as_fd().try_clone_to_owned().map(net::UnixStream::from).and_then(UnixStream::from_std);
    async move {
        let (Ok(()), Ok(watched)) = (all_read.await, own) else { return std::future::pending().await };
        while let Ok(ready) = watched.ready(Interest::WRITABLE).await {
            if ready.is_write_closed() {
                return;
            }
            // That it can be written to is no news; wait for a change.
            let _ = watched.try_io(Interest::WRITABLE, || Err::<(), _>(std::io::ErrorKind::WouldBlock.into()));
        }
    }
}

/// A client's socket that says when it was read to its end.
struct Client {
    socket: UnixStream,
    at_end: Option<oneshot::Sender<()>>,
}

impl AsyncRead for Client {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, room: &mut ReadBuf<'_>) -> Poll<std::io::Result<()>> {
        let before = room.filled().len();
        let read = Pin::new(&mut self.socket).poll_read(cx, room);
        if matches!(read, Poll::Ready(Ok(())))
            && room.filled().len() == before
            && let Some(at_end) = self.at_end.take()
        {
            // Who waits for it has ended with the connection.
            let _ = at_end.send(());
        }
        read
    }
}

impl AsyncWrite for Client {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, data: &[u8]) -> Poll<std::io::Result<usize>> {
        Pin::new(&mut self.socket).poll_write(cx, data)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.socket).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.socket).poll_shutdown(cx)
    }
}

/// Says why not, in a form that Docker's clients show.
async fn refuse(mut client: UnixStream, error: &AskError) {
    let status = match error {
        AskError::Refused { .. } => "403 Forbidden",
        AskError::Absent | AskError::Left => "503 Service Unavailable",
    };
    let body = serde_json::json!({ "message": error.to_string() }).to_string();
    let length = body.len();
    let answer = format!(
        "HTTP/1.1 {status}\r\nContent-Type: application/json\r\nConnection: close\r\nContent-Length: {length}\r\n\r\n{body}"
    );
    // A client that has left does not need it. One whose words nobody took would see a reset instead of it.
    let _ = client.write_all(answer.as_bytes()).await;
    let _ = client.shutdown().await;
    let _ = tokio::io::copy(&mut client.take(UNHEARD_BYTES), &mut tokio::io::sink()).await;
}

#[cfg(test)]
mod tests {
    use cove_proto::v1::{HostRefusal, ServeGuestRequest, serve_guest_request::Answer};
    use tokio::sync::mpsc;
    use tokio_stream::wrappers::ReceiverStream;

    use super::*;

    #[tokio::test]
    async fn who_was_not_granted_it_reads_why() {
        let host = Host::default();
        let (answers, given) = mpsc::channel::<Result<ServeGuestRequest, String>>(1);
        let mut asked = host.serve(ReceiverStream::new(given));
        let (mut client, theirs) = UnixStream::pair().unwrap();
        let connecting = tokio::spawn(connect(theirs, host, "a grant".to_owned()));
        let request = asked.recv().await.unwrap();
        assert_eq!(request.request, Some(Request::DockerApi(OpenDockerApi { share_id: "a grant".to_owned() })));
        let refused = Answer::Refused(HostRefusal { errno: 13, message: "not \"you\"".to_owned() });
        answers.send(Ok(ServeGuestRequest { id: request.id, answer: Some(refused) })).await.unwrap();
        client.write_all(b"GET /version HTTP/1.1\r\nHost: docker\r\n\r\n").await.unwrap();
        client.shutdown().await.unwrap();
        let mut said = String::new();
        client.read_to_string(&mut said).await.unwrap();
        assert!(said.starts_with("HTTP/1.1 403 Forbidden\r\n"), "{said}");
        assert!(said.ends_with("\r\n\r\n{\"message\":\"not \\\"you\\\"\"}"), "{said}");
        connecting.await.unwrap();
    }

    #[tokio::test]
    async fn a_client_that_only_sends_no_more_is_not_gone_and_one_that_closes_is() {
        let (mut client, theirs) = UnixStream::pair().unwrap();
        let (at_end, ended) = oneshot::channel();
        let gone = tokio::spawn(super::gone(&theirs, ended));
        let mut socket = Client { socket: theirs, at_end: Some(at_end) };
        client.write_all(b"all").await.unwrap();
        client.shutdown().await.unwrap();
        let mut said = String::new();
        socket.read_to_string(&mut said).await.unwrap();
        assert_eq!(said, "all");
        // The other direction is open.
        socket.write_all(b"heard").await.unwrap();
        let mut heard = [0; 5];
        client.read_exact(&mut heard).await.unwrap();
        assert!(!gone.is_finished());
        drop(client);
        gone.await.unwrap();
    }
}
