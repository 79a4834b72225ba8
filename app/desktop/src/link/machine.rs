//! Watching the machine.

use std::error::Error;

use cove_client::Engine;
use cove_proto::v1::{GetMachineRequest, WatchMachineRequest};
use tokio::task::JoinHandle;
use tonic::Status;

use super::{Connection, Link, Loss, containers};
use crate::wire::{failure::Failure, machine::Machine};

/// Tells of each state of the machine, and has its containers watched while it runs. Comes back when the daemon is gone, or
/// cannot be understood.
pub(super) async fn watch(link: &Link, engine: &Engine) -> Loss {
    let mut watching = None;
    let details = match follow(link, engine, &mut watching).await {
        // What the daemon itself says against a watch, it will say again.
        Err(status) if status.source().is_none() => {
            return Loss { failure: Failure::of("the engine cannot be used", &status), is_there: true };
        }
        Err(status) => Failure::of("", &status).details,
        Ok(()) => String::new(),
    };
    let failure = Failure {
        what: "the engine has ended".to_owned(),
        why: "coved was stopped or died".to_owned(),
        fix: "Connect again, which starts it".to_owned(),
        details,
    };
    Loss { failure, is_there: false }
}

async fn follow(link: &Link, engine: &Engine, watching: &mut Option<AbortOnDrop>) -> Result<(), Status> {
    let mut client = engine.machine();
    let mut states =
        client.watch_machine(WatchMachineRequest { after_revision: 0, resources_every: None }).await?.into_inner();
    while states.message().await?.is_some() {
        let machine = client.get_machine(GetMachineRequest {}).await?.into_inner();
        let machine = Machine::from(machine).seen_by(env!("CARGO_PKG_VERSION"));
        let runs = machine.status.state == "running";
        link.0.machine.send_replace(Some(machine));
        link.0.connection.send_if_modified(|connection| {
            let news = !matches!(connection, Connection::Connected(_));
            if news {
                *connection = Connection::Connected(engine.clone());
            }
            news
        });
        if !runs {
            *watching = None;
            link.0.containers.send_replace(Vec::new());
        } else if watching.is_none() {
            *watching = Some(AbortOnDrop(tokio::spawn(containers::watch(link.clone(), engine.clone()))));
        }
    }
    Ok(())
}

/// A task that ends with its owner.
struct AbortOnDrop(JoinHandle<()>);

impl Drop for AbortOnDrop {
    fn drop(&mut self) {
        self.0.abort();
    }
}
