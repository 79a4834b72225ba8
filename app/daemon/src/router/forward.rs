//! How a call gets to the agent, and its answer back. Bodies pass as they are: nothing is decoded, nothing limited.
//!
//! A client that goes away drops the future of its call, or the body of the answer; either resets the stream to the
//! agent, which cancels the call there.

use std::{
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use cove_machine::hypervisor::Vm;
use cove_proto::NO_WAKE;
use http::{Request, Response};
use tonic::{Status, body::Body};

use super::{
    answer::{Answer, broken},
    methods::{Kind, Methods},
    readiness::Readiness,
};
use crate::{
    agent::{Agent, Connection},
    rpc::error,
};

/// Passes calls on to the agent.
pub struct Forwarder {
    readiness: Readiness,
    agent: Arc<Agent>,
    methods: Methods,
    /// The connection that unary calls share, if there was need for one.
    shared: Mutex<Option<Connection>>,
}

impl fmt::Debug for Forwarder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Forwarder").field("shared", &self.shared).finish_non_exhaustive()
    }
}

impl Forwarder {
    /// Passes calls on to this agent.
    #[must_use]
    pub fn new(readiness: Readiness, agent: Arc<Agent>, methods: Methods) -> Self {
        Self { readiness, agent, methods, shared: Mutex::new(None) }
    }

    /// Passes a call on. Whatever goes wrong on the way is an answer with a gRPC status.
    pub async fn forward(&self, request: Request<Body>) -> Response<Body> {
        match self.pass_on(request).await {
            Ok(answer) => answer,
            Err(status) => status.into_http(),
        }
    }

    async fn pass_on(&self, request: Request<Body>) -> Result<Response<Body>, Status> {
        let path = request.uri().path();
        let kind = self.methods.guest(path).ok_or_else(|| Status::unimplemented(format!("no method {path}")))?;
        // Who only looks on must not wake a machine that its user has stopped a moment ago.
        let vm = match request.headers().contains_key(NO_WAKE) {
            true => self.readiness.running().ok_or_else(error::asleep)?,
            false => self.readiness.machine().await?,
        };
        match kind {
            Kind::Unary => self.unary(vm, request).await,
            Kind::Streaming => call(self.dial(vm).await?, request).await.map_err(Unanswered::into_status),
        }
    }

    async fn unary(&self, vm: Arc<dyn Vm>, request: Request<Body>) -> Result<Response<Body>, Status> {
        let connection = match self.kept(&vm) {
            Some(connection) => connection,
            None => self.renew(vm.clone()).await?,
        };
        match call(connection, request).await {
            Ok(answer) => Ok(answer),
            // The agent was restarted since the last call, and this one found the old connection at its end.
            Err(Unanswered::Unsent(request)) => {
                call(self.renew(vm).await?, *request).await.map_err(Unanswered::into_status)
            }
            Err(Unanswered::Failed(status)) => Err(status),
        }
    }

    fn kept(&self, vm: &Arc<dyn Vm>) -> Option<Connection> {
        let usable = |kept: &&Connection| !kept.is_closed() && Arc::ptr_eq(kept.vm(), vm);
        self.shared().as_ref().filter(usable).cloned()
    }

    /// Two calls at once may make two connections; the one that is not kept ends with its call.
    async fn renew(&self, vm: Arc<dyn Vm>) -> Result<Connection, Status> {
        let connection = self.dial(vm).await?;
        *self.shared() = Some(connection.clone());
        Ok(connection)
    }

    async fn dial(&self, vm: Arc<dyn Vm>) -> Result<Connection, Status> {
        self.agent.dial(vm).await.map_err(|failed| error::dial(&failed))
    }

    fn shared(&self) -> MutexGuard<'_, Option<Connection>> {
        self.shared.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Why a call has no answer.
enum Unanswered {
    /// None of it was sent; it may be tried again.
    Unsent(Box<Request<Body>>),
    /// It is over.
    Failed(Status),
}

impl Unanswered {
    fn into_status(self) -> Status {
        match self {
            Self::Unsent(_) => Status::unavailable("the agent hung up before the call was sent"),
            Self::Failed(status) => status,
        }
    }
}

async fn call(mut connection: Connection, request: Request<Body>) -> Result<Response<Body>, Unanswered> {
    let vm = connection.vm().clone();
    match connection.send(request).await {
        Ok(answer) => Ok(answer.map(|body| Body::new(Answer::new(body, vm)))),
        Err(mut failed) => match failed.take_message() {
            Some(request) => Err(Unanswered::Unsent(Box::new(request))),
            None => Err(Unanswered::Failed(broken(vm, failed.into_error()).await)),
        },
    }
}
