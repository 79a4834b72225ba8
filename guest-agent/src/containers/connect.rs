//! Putting a container on a network and taking it off: at once if it runs, and at its next start if not.

use std::sync::Arc;

use cove_proto::v1::NetworkAttachment;

use super::{
    Containers, ContainersError,
    actor::{Actor, Command},
    blocking, detached, etc, namespaces, start,
};
use crate::networks::{HOST, NONE, NetworksError, Record as Network};

impl Containers {
    /// Puts a container on a network. Goes on when the caller leaves.
    ///
    /// # Errors
    /// If one of them is not there, or it cannot be on it.
    pub async fn connect(&self, container: &str, asked: NetworkAttachment) -> Result<(), ContainersError> {
        self.0.networks.find(&asked.network)?;
        let entry = self.find(container)?;
        detached(async move { entry.ask(|reply| Command::Connect(Box::new(asked), reply)).await }).await
    }

    /// Takes a container off a network. Goes on when the caller leaves.
    ///
    /// # Errors
    /// If one of them is not there, or it is not on it.
    pub async fn disconnect(&self, container: &str, network: &str, force: bool) -> Result<(), ContainersError> {
        let network = self.0.networks.find(network)?.id.clone();
        let entry = self.find(container).map_err(|error| match error {
            // By force also those that the engine does not know are taken off; it has none.
            ContainersError::NoSuchContainer(name) if force => NetworksError::NoEndpoint(name).into(),
            error => error,
        })?;
        detached(async move { entry.ask(|reply| Command::Disconnect(network, reply)).await }).await
    }
}

impl Actor {
    pub(super) async fn connect(&mut self, mut asked: NetworkAttachment) -> Result<(), ContainersError> {
        let network = self.engine.networks.find(&asked.network)?;
        self.check_connect(&network)?;
        network.name.clone_into(&mut asked.network);
        self.engine.networks.check(&asked).map_err(NetworksError::without_network)?;
        let before = self.record.spec.networks.clone().unwrap_or_default();
        let mut after = before.clone();
        after.attachments.retain(|one| one.network != asked.network);
        if after.attachments.len() < before.attachments.len() && self.running.is_some() {
            let (container, network) = (self.record.name.clone(), network.name.clone());
            return Err(NetworksError::AlreadyOn { container, network }.into());
        }
        if self.running.is_some() {
            network.id.clone_into(&mut asked.network_id);
        }
        after.attachments.push(asked.clone());
        self.record.spec.networks = Some(after);
        let connected = match self.save().await {
            Ok(()) => self.connect_now(&network, asked).await,
            Err(error) => Err(error),
        };
        if connected.is_err() {
            self.record.spec.networks = Some(before);
            self.save_as_it_was().await;
        }
        self.publish();
        connected
    }

    /// Who shares a network has no other, and who has none has none beside.
    fn check_connect(&self, network: &Network) -> Result<(), NetworksError> {
        let spec = &self.record.spec;
        let is_on = |name: &str| namespaces::attachments(spec).iter().any(|one| one.network == name);
        if network.name == HOST {
            return Err(NetworksError::ConnectHost);
        }
        if namespaces::network_donor(spec).is_some() || is_on(HOST) {
            return Err(NetworksError::ConnectShared);
        }
        let others = namespaces::attachments(spec).iter().any(|one| one.network != NONE);
        if is_on(NONE) && network.name != NONE || network.name == NONE && others {
            return Err(NetworksError::ConnectNone);
        }
        Ok(())
    }

    async fn connect_now(&self, network: &Network, asked: NetworkAttachment) -> Result<(), ContainersError> {
        let Some(running) = &self.running else { return Ok(()) };
        let (engine, record, pid) = (Arc::clone(&self.engine), self.record.clone(), running.program.pid());
        blocking(move || {
            let place = engine.networks.connect(start::owner(&record), pid, &asked)?;
            let folder = engine.folders.of(&record.id);
            etc::add_place(&folder, &record.spec, &place)?;
            if etc::has_names(&engine.networks.sandbox(&record.id).unwrap_or_default()) {
                etc::answer_names(&folder, &record.spec)?;
            }
            Ok(())
        })
        .await?;
        self.tell_network("connect", &network.id);
        Ok(())
    }

    pub(super) async fn disconnect(&mut self, network: &str) -> Result<(), ContainersError> {
        let network = self.engine.networks.find(network)?;
        let before = self.record.spec.networks.clone().unwrap_or_default();
        let mut after = before.clone();
        after.attachments.retain(|one| one.network != network.name);
        if after.attachments.len() == before.attachments.len() {
            let (container, network) = (self.record.id.clone(), network.name.clone());
            return Err(NetworksError::NotOn { container, network }.into());
        }
        if network.name == HOST {
            return Err(NetworksError::DisconnectHost.into());
        }
        self.record.spec.networks = Some(after);
        if let Err(error) = self.save().await {
            self.record.spec.networks = Some(before);
            return Err(error);
        }
        let disconnected = self.disconnect_now(&network).await;
        self.publish();
        disconnected
    }

    async fn disconnect_now(&self, network: &Network) -> Result<(), ContainersError> {
        let Some(running) = &self.running else { return Ok(()) };
        self.tell_network("disconnect", &network.id);
        let (engine, record, pid) = (Arc::clone(&self.engine), self.record.clone(), running.program.pid());
        let id = network.id.clone();
        blocking(move || {
            let place = engine.networks.disconnect(&record.id, pid, &id)?;
            etc::remove_place(&engine.folders.of(&record.id), &record.spec, &place)
        })
        .await
    }

    async fn save_as_it_was(&self) {
        if let Err(error) = self.save().await {
            tracing::error!(container = %self.record.id, error = &error as &dyn std::error::Error,
                "a network that a container could not be put on is still written down");
        }
    }
}
