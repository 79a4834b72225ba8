//! Watching the machine.

use cove_client::Engine;
use cove_proto::v1::{GetMachineRequest, WatchMachineRequest};
use tokio::task::JoinHandle;
use tonic::Status;

use super::{Link, containers};
use crate::wire::failure::Failure;

/// Tells of each state of the machine, and has its containers watched while it runs. Comes back when the daemon is gone.
pub(super) async fn watch(link: &Link, engine: &Engine) -> Failure {
    let mut watching = None;
    match follow(link, engine, &mut watching).await {
        Ok(()) => Failure {
            fix: "Connect again, which starts it".to_owned(),
            ..Failure::new("the engine has ended").because(&Status::unavailable("coved was stopped or died"))
        },
        Err(status) => Failure {
            fix: "Connect again, which starts it if it does not run".to_owned(),
            ..Failure::of("the engine was lost", &status)
        },
    }
}

async fn follow(link: &Link, engine: &Engine, watching: &mut Option<AbortOnDrop>) -> Result<(), Status> {
    let mut client = engine.machine();
    let mut states = client.watch_machine(WatchMachineRequest { after_revision: 0 }).await?.into_inner();
    while states.message().await?.is_some() {
        let machine = client.get_machine(GetMachineRequest {}).await?.into_inner();
        let machine = crate::wire::machine::Machine::from(machine);
        let runs = machine.status.state == "running";
        link.0.machine.send_replace(Some(machine));
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
