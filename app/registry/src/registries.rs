//! All registries, as this user reaches them: what is remembered between two calls.

use std::{
    collections::HashMap,
    path::PathBuf,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use cove_names::Reference;

use crate::{
    auth::{Credentials, challenge::Challenge, docker_config, tokens::Tokens},
    endpoints::{self, Endpoint},
    error::RegistryError,
    repository::{Access, Repository},
    settings::RegistrySettings,
    transport::{Http, Transport, proxies::Proxies},
};

/// Where things lie on this computer.
#[derive(Debug, Clone, Default)]
pub struct Surroundings {
    /// Docker's own folder, `~/.docker`.
    pub docker_folder: PathBuf,
    /// Folders like docker's `certs.d`, unless the settings name one.
    pub certificates: Vec<PathBuf>,
    /// What the environment says of proxies.
    pub proxies: Proxies,
}

/// How much is borne.
#[derive(Debug, Clone, Copy)]
pub struct Patience {
    /// How often in a row nothing comes before it is given up.
    pub attempts: u32,
    /// What is waited after the first failure; it doubles with each more.
    pub first_wait: Duration,
    /// What is waited at most, whatever a registry asks for.
    pub longest_wait: Duration,
    /// How long a connection may say nothing.
    pub stall: Duration,
}

impl Default for Patience {
    /// Five attempts, as dockerd makes them.
    fn default() -> Self {
        Self {
            attempts: 5,
            first_wait: Duration::from_secs(1),
            longest_wait: Duration::from_secs(60),
            stall: Duration::from_secs(60),
        }
    }
}

impl Patience {
    /// What is waited after so many failures in a row; the registry's own wish goes first.
    #[must_use]
    pub fn wait(&self, failures: u32, wish: Option<Duration>) -> Duration {
        let doubled = self.first_wait.saturating_mul(2u32.saturating_pow(failures.saturating_sub(1)));
        wish.unwrap_or(doubled).min(self.longest_wait)
    }
}

/// The registries. A clone is cheap and remembers the same.
#[derive(Debug, Clone)]
pub struct Registries(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    surroundings: Surroundings,
    patience: Patience,
    transport: Transport,
    tokens: Arc<Tokens>,
    /// What each address demanded when it was last asked.
    demands: Mutex<HashMap<String, Vec<Challenge>>>,
}

impl Registries {
    /// Nothing is known of any yet.
    #[must_use]
    pub fn new(surroundings: Surroundings, patience: Patience) -> Self {
        let transport = Transport::new(patience.stall);
        Self(Arc::new(Inner { surroundings, patience, transport, tokens: Arc::default(), demands: Mutex::default() }))
    }

    /// How much is borne.
    #[must_use]
    pub fn patience(&self) -> Patience {
        self.0.patience
    }

    /// What `docker login` has left for a registry.
    ///
    /// # Errors
    /// If docker's configuration or a helper cannot be used.
    pub async fn kept_credentials(&self, domain: &str) -> Result<Credentials, RegistryError> {
        docker_config::credentials(&self.0.surroundings.docker_folder, domain).await
    }

    /// Does something with the first place that has the repository: a mirror that fails is passed over, and an insecure
    /// registry without TLS is asked without.
    ///
    /// # Errors
    /// That of the last place.
    pub async fn first_that<T, F>(
        &self,
        name: &Reference,
        access: Access,
        credentials: &Credentials,
        settings: &RegistrySettings,
        mut ask: impl FnMut(Repository) -> F,
    ) -> Result<T, RegistryError>
    where
        F: Future<Output = Result<T, RegistryError>>,
    {
        let places = match access {
            Access::Pull => endpoints::to_pull(name.domain(), settings)?,
            Access::Push => endpoints::to_push(name.domain(), settings),
        };
        let mut last = None;
        for place in places {
            let is_mirror = place.mirror;
            // A mirror has credentials of its own.
            let known = if is_mirror { self.kept_credentials(&place.host).await? } else { credentials.clone() };
            match self.at(&place, name, access, known, settings).await {
                Ok(repository) => match ask(repository).await {
                    Err(error) => {
                        // It may have moved, or been replaced by another.
                        self.forget(&place.base);
                        if !is_mirror {
                            return Err(error);
                        }
                        last = Some(error);
                    }
                    done => return done,
                },
                Err(error) => last = Some(error),
            }
        }
        Err(last.unwrap_or_else(|| RegistryError::Malformed("no place to ask".to_owned())))
    }

    /// A repository at one place, which has been found to answer.
    async fn at(
        &self,
        place: &Endpoint,
        name: &Reference,
        access: Access,
        credentials: Credentials,
        settings: &RegistrySettings,
    ) -> Result<Repository, RegistryError> {
        let client = self.client(place, settings)?;
        let known = self.demands().get(&place.base).cloned();
        let (was_known, challenges) = match known {
            Some(challenges) => (true, challenges),
            None => (false, crate::repository::ping(&client.usual, &place.base).await?),
        };
        if !was_known {
            self.demands().insert(place.base.clone(), challenges.clone());
        }
        Ok(Repository::new(client, place.clone(), name, access, credentials, challenges, Arc::clone(&self.0.tokens))
            .patient(self.0.patience))
    }

    /// HTTP as this place is trusted.
    pub(crate) fn client(&self, place: &Endpoint, settings: &RegistrySettings) -> Result<Http, RegistryError> {
        let folders = match &settings.certificates {
            Some(folder) => std::slice::from_ref(folder),
            None => self.0.surroundings.certificates.as_slice(),
        };
        self.0.transport.client(place, folders, &self.0.surroundings.proxies.unless(settings))
    }

    /// Forgets what an address demanded: it does not answer any more, or otherwise.
    fn forget(&self, base: &str) {
        self.demands().remove(base);
    }

    fn demands(&self) -> std::sync::MutexGuard<'_, HashMap<String, Vec<Challenge>>> {
        self.0.demands.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
