//! A container in the foreground: its streams here, this terminal's size and signals there, until it ends.

use cove_proto::v1::{
    AttachContainerRequest, AttachContainerResponse, AttachOpen, KillContainerRequest, ResizeContainerRequest,
    StdinClosed, attach_container_request::Message,
};
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Code, Streaming};

use super::spec::Streams;
use crate::{
    engine::Engine,
    failure::Failure,
    stdio::{self, Screen},
    terminal::{self, RawMode, Resizes, Signals},
};

/// How being attached ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Left {
    /// The container's streams ended.
    AtTheEnd,
    /// The user typed the keys that let go; it runs on.
    ByKeys,
}

/// An attached container.
pub(super) struct Attachment {
    output: Streaming<AttachContainerResponse>,
    input: mpsc::Sender<AttachContainerRequest>,
    streams: Streams,
    container: String,
}

impl Attachment {
    /// Attaches; when this answers, nothing that the container writes will be missed.
    pub(super) async fn open(
        engine: &Engine,
        container: &str,
        streams: Streams,
        detach_keys: String,
    ) -> Result<Self, Failure> {
        let (input, messages) = mpsc::channel(stdio::PIECES_AHEAD);
        let open = AttachOpen {
            container: container.to_owned(),
            stdin: streams.stdin,
            stdout: true,
            stderr: !streams.tty,
            logs: false,
            stream: true,
            detach_keys,
        };
        // There is room: the channel is new.
        let _ = input.try_send(AttachContainerRequest { message: Some(Message::Open(open)) });
        let output = engine.containers().attach_container(ReceiverStream::new(messages)).await?.into_inner();
        Ok(Self { output, input, streams, container: container.to_owned() })
    }

    /// Connects the streams until the container's have ended, or the user lets go.
    pub(super) async fn connect(mut self, engine: &Engine) -> Result<Left, Failure> {
        let _raw = if self.streams.tty && self.streams.stdin { Some(raw_mode()?) } else { None };
        let _input = self.streams.stdin.then(|| {
            let messages = self.input.clone();
            tokio::spawn(stdio::send(tokio::io::stdin(), messages, piece, closed))
        });
        // A terminal sends its keys, Ctrl+C among them; without one, signals to this program are meant for the container.
        let passing_on = match self.streams.tty {
            true => tokio::spawn(pass_on_resizes(engine.clone(), self.container.clone(), Resizes::watch()?)),
            false => tokio::spawn(pass_on_signals(engine.clone(), self.container.clone(), Signals::take()?)),
        };
        let shown = self.show().await;
        passing_on.abort();
        shown
    }

    async fn show(&mut self) -> Result<Left, Failure> {
        let mut screen = Screen::take();
        loop {
            match self.output.message().await {
                Ok(Some(piece)) => screen.write(piece.stream(), &piece.data).await?,
                Ok(None) => return Ok(Left::AtTheEnd),
                Err(status) if status.code() == Code::Aborted => return Ok(Left::ByKeys),
                Err(status) => return Err(status.into()),
            }
        }
    }
}

fn raw_mode() -> Result<RawMode, Failure> {
    RawMode::enter().map_err(|error| Failure::new("set up the terminal").because(error))
}

fn piece(data: Vec<u8>) -> AttachContainerRequest {
    AttachContainerRequest { message: Some(Message::Stdin(data)) }
}

fn closed() -> AttachContainerRequest {
    AttachContainerRequest { message: Some(Message::StdinClosed(StdinClosed {})) }
}

/// The size may have changed between the making of the container and its start, so it is sent once at first.
async fn pass_on_resizes(engine: Engine, container: String, mut resizes: Resizes) {
    loop {
        if let Some(size) = terminal::size() {
            let request = ResizeContainerRequest { container: container.clone(), size: Some(size) };
            // A container that has ended has no size; its end is told elsewhere.
            let _ = engine.containers().resize_container(request).await;
        }
        resizes.next().await;
    }
}

async fn pass_on_signals(engine: Engine, container: String, mut signals: Signals) {
    loop {
        let request = KillContainerRequest { container: container.clone(), signal: signals.next().await.to_owned() };
        // As above.
        let _ = engine.containers().kill_container(request).await;
    }
}
