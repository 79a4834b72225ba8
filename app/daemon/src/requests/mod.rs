//! What the agent asks of the host: a call of `cove.v1.Host` that is kept open as long as the machine runs.
//!
//! Each call has a [`Gateway`] of its own: what was done for the agent on it ends with it, and the
//! agent asks the next one again.

mod answer;
mod docker;

use std::{sync::Arc, time::Duration};

use cove_gateway::way_out::WayOut;
use cove_machine::{Machine, State, hypervisor::Vm};
use cove_proto::v1::{ServeGuestRequest, ServeGuestResponse, host_client::HostClient, serve_guest_response::Request};
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;

pub use self::{answer::Gateway, docker::DockerRelay};
use crate::{agent::Agent, rpc::error::chain};

/// Before a call that ended is made again: an agent that starts again gives no event.
const AGAIN: Duration = Duration::from_millis(100);

/// Answers that may be on their way at once; further ones wait.
const ON_THEIR_WAY: usize = 64;

/// Serves the agent of each machine until the machine's task is gone.
pub async fn serve(machine: Machine, agent: Arc<Agent>, way_out: WayOut, docker: DockerRelay) {
    let mut status = machine.status();
    loop {
        if status.wait_for(|status| status.state == State::Running).await.is_err() {
            return;
        }
        if let Some(vm) = machine.vm() {
            tokio::select! {
                () = serve_running(&agent, &vm, &way_out, &docker) => {}
                stopped = status.wait_for(|status| status.state != State::Running) => if stopped.is_err() { return },
            }
        }
        // The state is written after the machine is taken away; wait for the state.
        if status.wait_for(|status| status.state != State::Running).await.is_err() {
            return;
        }
    }
}

async fn serve_running(agent: &Arc<Agent>, vm: &Arc<dyn Vm>, way_out: &WayOut, docker: &DockerRelay) {
    loop {
        match serve_once(agent, vm, way_out, docker).await {
            Ok(()) => tracing::debug!("the agent asks no more"),
            Err(error) => tracing::debug!(error, "the agent cannot ask"),
        }
        tokio::time::sleep(AGAIN).await;
    }
}

async fn serve_once(
    agent: &Arc<Agent>,
    vm: &Arc<dyn Vm>,
    way_out: &WayOut,
    docker: &DockerRelay,
) -> Result<(), String> {
    let connection = agent.dial(vm.clone()).await.map_err(|error| chain(&error))?;
    let (answers, given) = mpsc::channel(ON_THEIR_WAY);
    // The head of the agent's answer may wait for the first message.
    answers.try_send(ServeGuestRequest::default()).map_err(|error| error.to_string())?;
    let asked = HostClient::new(connection).serve_guest(ReceiverStream::new(given)).await;
    let mut asked = asked.map_err(|status| status.message().to_owned())?.into_inner();
    let gateway = Arc::new(Gateway::new(agent.streams(vm), way_out.clone(), docker.clone()));
    let ended = loop {
        match asked.message().await {
            Ok(Some(ServeGuestResponse { id, request })) => {
                tokio::spawn(answer_one(Arc::clone(&gateway), id, request, answers.clone()));
            }
            Ok(None) => break Ok(()),
            Err(status) => break Err(status.message().to_owned()),
        }
    };
    // The next call finds all free.
    gateway.close().await;
    ended
}

async fn answer_one(
    gateway: Arc<Gateway>,
    id: u64,
    request: Option<Request>,
    answers: mpsc::Sender<ServeGuestRequest>,
) {
    if let Some(answer) = gateway.answer(id, request).await {
        // An agent that has left does not need it.
        let _ = answers.send(ServeGuestRequest { id, answer: Some(answer) }).await;
    }
}
