//! The body of an answer that ends well when the machine does not.
//!
//! A client that sees its stream reset knows nothing; one that gets trailers with UNAVAILABLE and a sentence knows what
//! happened and that trying again makes sense.

use std::{
    convert::Infallible,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
    time::Duration,
};

use bytes::Bytes;
use cove_machine::hypervisor::Vm;
use http::HeaderMap;
use hyper::body::{Body, Frame, Incoming, SizeHint};
use tonic::Status;

use crate::rpc::error;

/// How long the news of a machine's end may come after the end of its streams.
const NEWS: Duration = Duration::from_secs(1);

/// The agent's answer.
pub(super) struct Answer {
    body: Incoming,
    vm: Arc<dyn Vm>,
    state: State,
}

enum State {
    /// The agent sends.
    Open,
    /// The connection broke; the future finds out why.
    Broken(Pin<Box<dyn Future<Output = Status> + Send>>),
    /// All is said.
    Done,
}

impl Answer {
    pub(super) fn new(body: Incoming, vm: Arc<dyn Vm>) -> Self {
        Self { body, vm, state: State::Open }
    }
}

impl Body for Answer {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Self::Data>, Self::Error>>> {
        let this = &mut *self;
        let status = loop {
            match &mut this.state {
                State::Done => return Poll::Ready(None),
                State::Broken(why) => break ready!(why.as_mut().poll(cx)),
                State::Open => match ready!(Pin::new(&mut this.body).poll_frame(cx)) {
                    Some(Ok(frame)) => {
                        if frame.is_trailers() {
                            this.state = State::Done;
                        }
                        return Poll::Ready(Some(Ok(frame)));
                    }
                    None => this.state = State::Done,
                    Some(Err(error)) => this.state = State::Broken(Box::pin(broken(this.vm.clone(), error))),
                },
            }
        };
        this.state = State::Done;
        Poll::Ready(Some(Ok(Frame::trailers(trailers(&status)))))
    }

    fn is_end_stream(&self) -> bool {
        matches!(self.state, State::Done) || self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        // A broken answer gets trailers in place of the rest, so nothing is promised.
        SizeHint::default()
    }
}

/// Why the connection broke: because the machine ended, which is known a little later, or by itself.
pub(super) async fn broken(vm: Arc<dyn Vm>, cause: hyper::Error) -> Status {
    match tokio::time::timeout(NEWS, cove_machine::lifecycle::ended(vm.state())).await {
        Ok(exit) => error::ended(&exit),
        Err(_) => error::broken(&cause),
    }
}

fn trailers(status: &Status) -> HeaderMap {
    let mut trailers = HeaderMap::new();
    if status.add_header(&mut trailers).is_err() {
        // A text that no header can carry; the code alone is still the truth.
        trailers.insert(Status::GRPC_STATUS, http::HeaderValue::from(i32::from(status.code())));
    }
    trailers
}
