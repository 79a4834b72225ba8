//! `cove.v1.Execs`.

use futures::{StreamExt, stream, stream::BoxStream};
use tokio::sync::watch;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Request, Response, Status, Streaming};

use cove_proto::v1::{
    self, CreateExecRequest, CreateExecResponse, GetExecRequest, GetExecResponse, ResizeExecRequest,
    ResizeExecResponse, StartExecRequest, StartExecResponse, start_exec_request::Message,
};

use super::{containers::stream_of, error::missing};
use crate::{
    detach_keys::{DetachKeys, Typed},
    execs::{Execs, ExecsError, Started, input::Input},
};

/// `cove.v1.Execs`.
#[derive(Debug, Clone)]
pub struct ExecsService {
    execs: Execs,
}

impl ExecsService {
    /// The service of these execs.
    #[must_use]
    pub fn new(execs: Execs) -> Self {
        Self { execs }
    }
}

#[tonic::async_trait]
impl v1::execs_server::Execs for ExecsService {
    type StartExecStream = BoxStream<'static, Result<StartExecResponse, Status>>;

    async fn create_exec(&self, request: Request<CreateExecRequest>) -> Result<Response<CreateExecResponse>, Status> {
        let CreateExecRequest { container, spec } = request.into_inner();
        let id = self.execs.create(&container, spec.ok_or_else(|| missing("a spec"))?)?;
        Ok(Response::new(CreateExecResponse { id }))
    }

    async fn start_exec(
        &self,
        request: Request<Streaming<StartExecRequest>>,
    ) -> Result<Response<Self::StartExecStream>, Status> {
        let mut sent = request.into_inner();
        let Some(StartExecRequest { message: Some(Message::Open(open)) }) = sent.message().await? else {
            return Err(missing("which exec to start, as its first message"));
        };
        let keys = DetachKeys::parse(&open.detach_keys).ok_or(ExecsError::DetachKeys(open.detach_keys))?;
        let tty = self.execs.inspect(&open.exec)?.spec.is_some_and(|spec| spec.tty);
        let (execs, exec) = (self.execs.clone(), open.exec.clone());
        let Started { output, input } = self.execs.start(&open.exec, open.detach, open.terminal).await?;
        let (let_go, left) = watch::channel(false);
        if let Some(input) = input {
            tokio::spawn(feed(sent, input, Some(keys).filter(|_| tty), let_go));
        }
        let output = match output {
            None => stream::empty().boxed(),
            Some(output) => ReceiverStream::new(output)
                .map(|(stream, data)| Ok(StartExecResponse { stream: stream_of(stream), data: data.into() }))
                .take_until(until_let_go(left.clone()))
                .chain(
                    stream::once(async move { left.borrow().then(|| execs.let_go(&exec)) })
                        .filter_map(|told| async move { told.map(|()| Err(ExecsError::Detached.into())) }),
                )
                .boxed(),
        };
        Ok(Response::new(output))
    }

    async fn get_exec(&self, request: Request<GetExecRequest>) -> Result<Response<GetExecResponse>, Status> {
        let exec = Some(self.execs.inspect(&request.into_inner().exec)?);
        Ok(Response::new(GetExecResponse { exec }))
    }

    async fn resize_exec(&self, request: Request<ResizeExecRequest>) -> Result<Response<ResizeExecResponse>, Status> {
        let ResizeExecRequest { exec, size } = request.into_inner();
        let size = size.ok_or_else(|| missing("a size"))?;
        self.execs.resize(&exec, size.rows, size.columns)?;
        Ok(Response::new(ResizeExecResponse {}))
    }
}

fn find(keys: &mut Option<DetachKeys>, data: Vec<u8>) -> Typed {
    match keys {
        Some(keys) => keys.find(&data),
        None => Typed::Input(data),
    }
}

/// Comes true when the client has typed the keys that let go.
async fn until_let_go(mut left: watch::Receiver<bool>) {
    if left.wait_for(|left| *left).await.is_err() {
        // The input has ended without them.
        std::future::pending::<()>().await;
    }
}

/// Carries a client's input to a program until either ends. A client that is lost has ended its input.
async fn feed(
    mut sent: Streaming<StartExecRequest>,
    input: Input,
    mut keys: Option<DetachKeys>,
    let_go: watch::Sender<bool>,
) {
    let mut takes_more = true;
    while let Ok(Some(StartExecRequest { message: Some(message) })) = sent.message().await {
        match message {
            // What it does not take is read all the same: a client that is not read cannot say that it leaves.
            Message::Stdin(data) => match find(&mut keys, data) {
                Typed::Input(data) => takes_more = takes_more && input.write(&data).await,
                Typed::LetGo(data) => {
                    // What it says of the rest is nobody's business any more.
                    let _ = takes_more && input.write(&data).await;
                    let_go.send_replace(true);
                    return;
                }
            },
            Message::StdinClosed(_) => break,
            // Opened twice: the second means nothing.
            Message::Open(_) => {}
        }
    }
    if takes_more {
        input.finish().await;
    }
}
