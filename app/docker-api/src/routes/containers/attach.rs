//! `POST /containers/{id}/attach`.
//!
//! The head goes out when the engine has registered the connection and not before, so that a client that then starts
//! the container misses nothing. Errors are written in the way of dockerd, which has left HTTP by then.

use cove_proto::v1;
use futures::StreamExt as _;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;

use crate::call::Call;
use crate::error::Error;
use crate::frames::Framing;
use crate::hijack::{Hijack, Stdin, head};
use crate::reply::Reply;
use crate::routes::containers::inspect;
use crate::version::ApiVersion;

/// Pieces of standard input that may wait for the engine.
const STDIN_QUEUE: usize = 4;

/// Connects to the standard streams.
pub(in crate::routes) async fn attach(call: Call) -> Result<Reply, Error> {
    let attached = match open(&call).await {
        Ok(attached) => attached,
        Err(error) => return Ok(Reply::Hijack(refusal(&error))),
    };
    let Attached { tty, stdin, output } = attached;
    let multiplexed = !tty && call.wants_upgrade() && call.version >= ApiVersion::MULTIPLEXED_TYPE;
    let head = head(call.wants_upgrade(), content_type(multiplexed), "");
    Ok(Reply::Hijack(Hijack::new(head, move |duplex| duplex.pump(stdin, output, Framing::of_tty(tty)))))
}

struct Attached {
    tty: bool,
    stdin: Option<mpsc::Sender<Stdin>>,
    output: tonic::Streaming<v1::AttachContainerResponse>,
}

async fn open(call: &Call) -> Result<Attached, Error> {
    let container = inspect::get(call, false).await?;
    let open = v1::AttachOpen {
        container: container.id,
        stdin: call.query.flag("stdin"),
        stdout: call.query.flag("stdout"),
        stderr: call.query.flag("stderr"),
        logs: call.query.flag("logs"),
        stream: call.query.flag("stream"),
        detach_keys: call.query.get("detachKeys").to_owned(),
    };
    let with_stdin = open.stdin && open.stream;
    let (stdin, input) = mpsc::channel(STDIN_QUEUE);
    let first = message(v1::attach_container_request::Message::Open(open));
    let input = ReceiverStream::new(input).map(|piece| match piece {
        Stdin::Data(data) => message(v1::attach_container_request::Message::Stdin(data)),
        Stdin::Closed => message(v1::attach_container_request::Message::StdinClosed(v1::StdinClosed {})),
    });
    let requests = futures::stream::once(std::future::ready(first)).chain(input);
    let output = call.containers().attach_container(requests).await?.into_inner();
    let tty = container.spec.is_some_and(|spec| spec.tty);
    Ok(Attached { tty, stdin: with_stdin.then_some(stdin), output })
}

fn message(message: v1::attach_container_request::Message) -> v1::AttachContainerRequest {
    v1::AttachContainerRequest { message: Some(message) }
}

/// Which type a stream is given.
pub(in crate::routes) fn content_type(multiplexed: bool) -> &'static str {
    if multiplexed { "application/vnd.docker.multiplexed-stream" } else { "application/vnd.docker.raw-stream" }
}

/// dockerd writes an error of attach by hand, as text without a length.
fn refusal(error: &Error) -> Hijack {
    let head =
        format!("HTTP/1.1 {}\r\nContent-Type: application/vnd.docker.raw-stream\r\n\r\n{error}\r\n", error.status());
    Hijack::new(head.into_bytes(), |duplex| duplex.finish())
}
