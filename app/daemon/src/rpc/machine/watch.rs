//! `WatchMachine`.

use std::collections::VecDeque;

use cove_machine::{Machine, Status};
use cove_proto::v1::{MachineResources, WatchMachineRequest, WatchMachineResponse};
use futures::{Stream, stream};
use tokio::sync::watch;

use super::{MachineRpc, resources::Meter, status};

impl MachineRpc {
    /// The states after the revision that the client has, and what the machine uses, if that was asked for.
    pub(super) fn watch(
        &self,
        request: &WatchMachineRequest,
    ) -> Result<impl Stream<Item = Result<WatchMachineResponse, tonic::Status>> + use<>, tonic::Status> {
        let meter = request.resources_every.map(|every| Meter::new(every, &self.machine, &self.agent)).transpose()?;
        let watcher = Watcher::of(&self.machine, request.after_revision, meter);
        Ok(stream::unfold(watcher, |mut watcher| async move {
            let answer = match watcher.next().await? {
                News::State(state) => {
                    WatchMachineResponse { status: Some(status::encode(&state)), ..Default::default() }
                }
                News::Resources(resources) => WatchMachineResponse { resources: Some(resources), ..Default::default() },
            };
            Some((Ok(answer), watcher))
        }))
    }
}

/// What a client is told.
#[derive(Debug)]
enum News {
    State(Box<Status>),
    Resources(MachineResources),
}

/// A client that watches.
struct Watcher {
    machine: Machine,
    seen: watch::Receiver<Status>,
    /// The last revision that the client has.
    known: u64,
    /// States that it has not been told yet.
    untold: VecDeque<Status>,
    meter: Option<Meter>,
}

impl Watcher {
    fn of(machine: &Machine, known: u64, meter: Option<Meter>) -> Self {
        Self { machine: machine.clone(), seen: machine.status(), known, untold: VecDeque::new(), meter }
    }

    /// `None` when the machine's task is gone.
    async fn next(&mut self) -> Option<News> {
        loop {
            if let Some(state) = self.untold.pop_front() {
                self.known = state.revision;
                return Some(News::State(Box::new(state)));
            }
            let known = self.known;
            tokio::select! {
                biased;
                // Not every notice is a change: a revision that the client has is not told twice.
                changed = self.seen.wait_for(|status| status.revision != known) => drop(changed.ok()?),
                resources = measured(&mut self.meter) => return Some(News::Resources(resources)),
            }
            self.untold = self.machine.states_after(known).into();
        }
    }
}

async fn measured(meter: &mut Option<Meter>) -> MachineResources {
    match meter {
        Some(meter) => meter.next().await,
        None => std::future::pending().await,
    }
}
