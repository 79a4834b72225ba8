//! `POST /exec/{id}/start`.
//!
//! An exec that cannot run is no HTTP error unless it is detached: dockerd has answered 101 by then, and the message
//! goes into the stream. The exit code at inspect tells.

use cove_proto::v1;
use futures::StreamExt as _;
use http::StatusCode;
use serde::Deserialize;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;

use crate::call::{Call, invalid_json};
use crate::dialled::Dialled;
use crate::error::{Error, chain};
use crate::frames::Framing;
use crate::hijack::{Duplex, Hijack, Stdin, head};
use crate::reply::Reply;
use crate::routes::containers::attach::content_type;
use crate::shapes::exec::DETACH_KEYS;
use crate::spec::terminal_size;
use crate::version::ApiVersion;

/// Pieces of standard input that may wait for the engine.
const STDIN_QUEUE: usize = 4;

/// Since this version a start may name the size of the terminal.
const CONSOLE_SIZE: ApiVersion = ApiVersion::new(1, 42);

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct Body {
    detach: Option<bool>,
    tty: Option<bool>,
    console_size: Option<[u32; 2]>,
}

/// Starts an exec.
pub(in crate::routes) async fn start(mut call: Call) -> Result<Reply, Error> {
    let body: Body = serde_json::from_value(call.json().await?).map_err(invalid_json)?;
    let id = call.name();
    let exec = call.execs().get_exec(v1::GetExecRequest { exec: id.clone() }).await?.into_inner();
    let tty = body.tty.unwrap_or(false);
    let terminal = body.console_size.filter(|_| tty && call.version >= CONSOLE_SIZE).and_then(terminal_size);
    let spec = exec.exec.and_then(|exec| exec.spec).unwrap_or_default();
    let detach_keys = spec.client_data.get(DETACH_KEYS).cloned().unwrap_or_default();
    let open = v1::ExecOpen { exec: id, detach: body.detach.unwrap_or(false), terminal, detach_keys };
    if open.detach {
        return detached(&call, open).await;
    }
    let with_stdin = spec.stdin;
    let head = stream_head(&call, tty);
    let execs = call.execs();
    Ok(Reply::Hijack(Hijack::new(head, move |duplex| connected(execs, open, with_stdin, duplex, Framing::of_tty(tty)))))
}

/// dockerd writes its usual headers into the head of an exec, and not into that of an attach.
fn stream_head(call: &Call, tty: bool) -> Vec<u8> {
    let multiplexed = !tty && call.wants_upgrade() && call.version >= ApiVersion::MULTIPLEXED_TYPE;
    let more = format!(
        "Api-Version: {}\r\nDocker-Experimental: false\r\nOstype: linux\r\nServer: Cove/{} (linux)\r\n",
        ApiVersion::MAX,
        call.shared.host.daemon_version
    );
    head(call.wants_upgrade(), content_type(multiplexed), &more)
}

async fn detached(call: &Call, open: v1::ExecOpen) -> Result<Reply, Error> {
    let requests = futures::stream::once(std::future::ready(message(v1::start_exec_request::Message::Open(open))));
    let mut output = call.execs().start_exec(requests).await?.into_inner();
    // The call ends when the program has been executed.
    while output.message().await?.is_some() {}
    Ok(Reply::empty(StatusCode::OK))
}

async fn connected(
    mut execs: v1::execs_client::ExecsClient<Dialled>,
    open: v1::ExecOpen,
    with_stdin: bool,
    duplex: Duplex,
    framing: Framing,
) -> std::io::Result<()> {
    let (stdin, input) = mpsc::channel(STDIN_QUEUE);
    let first = message(v1::start_exec_request::Message::Open(open));
    let input = ReceiverStream::new(input).map(|piece| match piece {
        Stdin::Data(data) => message(v1::start_exec_request::Message::Stdin(data)),
        Stdin::Closed => message(v1::start_exec_request::Message::StdinClosed(v1::StdinClosed {})),
    });
    let requests = futures::stream::once(std::future::ready(first)).chain(input);
    match execs.start_exec(requests).await {
        Ok(output) => duplex.pump(with_stdin.then_some(stdin), output.into_inner(), framing).await,
        Err(status) => duplex.say(framing, &chain(&status)).await,
    }
}

fn message(message: v1::start_exec_request::Message) -> v1::StartExecRequest {
    v1::StartExecRequest { message: Some(message) }
}
