//! Images between registries and the agent. The host fetches and sends the bytes, because its are the proxies, the
//! certificates and the credentials; the agent keeps them.
//!
//! * [`Transfers`] — what all of them need.
//! * [`pull`] — from a registry to the agent. [`push`] — the way back.
//! * [`progress`] — how far one of them is, for all who look on.
//! * `agent` — the agent's services, in process.

mod agent;
pub mod progress;
pub mod pull;
pub mod push;

use std::{
    collections::HashMap,
    path::PathBuf,
    sync::{Arc, Mutex, PoisonError, Weak},
};

use cove_names::{Digest, Reference};
use cove_proto::v1;
use cove_registry::{Credentials, Registries, RegistryError, RegistrySettings, manifests::platform::Platform};
use tonic::{Code, Status};

use self::{agent::Agent, pull::Pull};
use crate::{image::GuestImage, router::forward::Forwarder, rpc::error};

/// What all transfers need.
pub struct Transfers {
    registries: Registries,
    agent: Agent,
    image: GuestImage,
    /// The user's settings, read at each use.
    settings: PathBuf,
    /// Pulls that are under way.
    pulls: Mutex<HashMap<pull::Wanted, Weak<Pull>>>,
    /// Layers as they were sent last, by the digest of their tar: what is there already need not be made to be known.
    sent: Mutex<HashMap<String, (Digest, u64)>>,
}

impl Transfers {
    /// Between these registries and the agent behind the forwarder.
    #[must_use]
    pub fn new(registries: Registries, forwarder: Arc<Forwarder>, image: GuestImage, settings: PathBuf) -> Arc<Self> {
        Arc::new(Self {
            registries,
            agent: Agent::behind(forwarder),
            image,
            settings,
            pulls: Mutex::default(),
            sent: Mutex::default(),
        })
    }

    /// The registries.
    #[must_use]
    pub fn registries(&self) -> &Registries {
        &self.registries
    }

    /// Where the settings are kept.
    #[must_use]
    pub fn settings_file(&self) -> &PathBuf {
        &self.settings
    }

    /// The settings as they are now.
    ///
    /// # Errors
    /// The file cannot be used.
    pub fn settings(&self) -> Result<RegistrySettings, Status> {
        RegistrySettings::load(&self.settings).map_err(|failed| Status::failed_precondition(error::chain(&failed)))
    }

    /// Who asks: who the caller says, or else whom `docker login` has left.
    ///
    /// # Errors
    /// Docker's configuration or a helper for credentials cannot be used.
    pub async fn credentials(
        &self,
        given: Option<v1::RegistryCredentials>,
        name: &Reference,
    ) -> Result<Credentials, RegistryError> {
        let Some(given) = given else { return self.registries.kept_credentials(name.domain()).await };
        let v1::RegistryCredentials { username, password, identity_token, registry_token } = given;
        Ok(Credentials { username, password, identity_token, registry_token })
    }

    /// The guest's platform.
    ///
    /// # Errors
    /// There is no usable guest image.
    pub fn platform(&self) -> Result<Platform, Status> {
        let manifest = self.image.manifest().map_err(|missing| error::image(&missing))?;
        Ok(Platform::linux(&manifest.arch))
    }

    /// An image that the agent has, if it does.
    async fn local(&self, image: &str) -> Result<Option<v1::Image>, Status> {
        match self.agent.images().get_image(v1::GetImageRequest { image: image.to_owned() }).await {
            Ok(found) => Ok(found.into_inner().image),
            Err(status) if status.code() == Code::NotFound => Ok(None),
            Err(status) => Err(status),
        }
    }

    /// Joins a pull of the same that is under way, or begins one.
    pub fn pull(self: &Arc<Self>, wanted: pull::Wanted) -> Arc<Pull> {
        let mut pulls = self.pulls.lock().unwrap_or_else(PoisonError::into_inner);
        pulls.retain(|_, pull| pull.strong_count() > 0);
        if let Some(pull) = pulls.get(&wanted).and_then(Weak::upgrade).filter(|pull| !pull.is_over()) {
            return pull;
        }
        let pull = pull::begin(Arc::clone(self), wanted.clone());
        pulls.insert(wanted, Arc::downgrade(&pull));
        pull
    }
}
