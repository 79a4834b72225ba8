//! The machine is started by the first call that needs it.

use std::sync::Arc;

use cove_machine::{Machine, Started, State, hypervisor::Vm};
use tokio::sync::watch;
use tonic::Status;

use crate::{image::GuestImage, rpc::error};

/// What starts the machine. A clone is cheap.
#[derive(Clone)]
pub struct Readiness {
    machine: Machine,
    image: GuestImage,
    closing: watch::Receiver<bool>,
}

impl Readiness {
    /// Starts this machine with that image, until `closing` says true: a daemon that stops its machine must not be made
    /// to start it again by a client that is still connected.
    #[must_use]
    pub fn new(machine: Machine, image: GuestImage, closing: watch::Receiver<bool>) -> Self {
        Self { machine, image, closing }
    }

    /// Starts the machine, or joins a start that is under way.
    ///
    /// # Errors
    /// What the host lacks, which phase failed, and what to do.
    pub async fn start(&self) -> Result<Started, Status> {
        if *self.closing.borrow() {
            return Err(error::closing());
        }
        if self.running().is_none() {
            let image = self.image.clone();
            let manifest = tokio::task::spawn_blocking(move || image.manifest()).await;
            manifest
                .map_err(|panic| Status::internal(format!("look at the guest image: {panic}")))?
                .map_err(|missing| error::image(&missing))?;
        }
        self.machine.start().await.map_err(|failed| error::start(&failed))
    }

    /// The machine, running; started if need be.
    ///
    /// # Errors
    /// As [`Readiness::start`].
    pub async fn machine(&self) -> Result<Arc<dyn Vm>, Status> {
        if let Some(vm) = self.running() {
            return Ok(vm);
        }
        self.start().await?;
        self.machine.vm().ok_or_else(|| Status::unavailable("the machine ended as soon as it was up"))
    }

    /// The machine, if it runs.
    #[must_use]
    pub fn running(&self) -> Option<Arc<dyn Vm>> {
        let running = self.machine.status().borrow().state == State::Running;
        running.then(|| self.machine.vm()).flatten()
    }
}
