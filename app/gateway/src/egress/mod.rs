//! The way out: what containers connect to, the host connects to, with its own routes, VPN and proxy; what the host is
//! refused, they are refused.
//!
//! * [`policy`] — where nobody gets. [`settings`] — what the user has said about both.
//! * [`connect`] — TCP, directly or by a [`proxy`]. [`datagrams`] — UDP. [`ping`] — ICMP echo.
//! * [`flows`] — who is connected to what, and why others are not.
//! * [`refusal`] — the host's errors, in words that the guest can repeat.

pub mod connect;
pub mod datagrams;
pub mod flows;
pub mod ping;
pub mod policy;
pub mod proxy;
pub mod refusal;
pub mod settings;

use std::{
    net::SocketAddr,
    path::PathBuf,
    sync::{Arc, Mutex, PoisonError},
};

pub use self::{
    flows::{Counted, Failure, Flow, Flows, Protocol},
    policy::Policy,
    proxy::Proxy,
    refusal::Refusal,
    settings::{Settings, SettingsError},
};

/// Whom a container wants to reach.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Target {
    /// The host itself, at its loopback.
    Host {
        /// Port.
        port: u16,
    },
    /// Somebody at an address.
    Address(SocketAddr),
}

impl std::fmt::Display for Target {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Host { port } => write!(f, "host.docker.internal:{port}"),
            Self::Address(address) => address.fmt(f),
        }
    }
}

/// The way out of all containers; clones share it.
#[derive(Debug, Clone)]
pub struct Egress(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    flows: Flows,
    file: PathBuf,
    /// What holds now, and the settings that it was made of.
    rules: Mutex<Arc<Rules>>,
}

/// What is looked at before anything is connected.
#[derive(Debug)]
pub(crate) struct Rules {
    pub(crate) policy: Policy,
    pub(crate) proxy: Option<Proxy>,
}

impl Egress {
    /// With the settings in a file, which need not be there, and the environment's `ALL_PROXY` and `NO_PROXY`.
    ///
    /// # Errors
    /// If the file is not what it should be: what was to be denied would be allowed.
    pub fn open(file: PathBuf) -> Result<Self, SettingsError> {
        let rules = Mutex::new(Arc::new(Settings::load(&file)?.rules(environment)?));
        Ok(Self(Arc::new(Inner { flows: Flows::default(), file, rules })))
    }

    /// Who is connected to what.
    #[must_use]
    pub fn flows(&self) -> &Flows {
        &self.0.flows
    }

    /// What the user has said, and where it is kept.
    ///
    /// # Errors
    /// If the file is not what it should be.
    pub fn settings(&self) -> Result<(Settings, &std::path::Path), SettingsError> {
        Ok((Settings::load(&self.0.file)?, &self.0.file))
    }

    /// Keeps new settings; they hold for what is connected from now on.
    ///
    /// # Errors
    /// If they make no sense, or cannot be kept; what held goes on to hold.
    pub fn change(&self, settings: &Settings) -> Result<(), SettingsError> {
        let rules = settings.rules(environment)?;
        settings.save(&self.0.file)?;
        *self.0.rules.lock().unwrap_or_else(PoisonError::into_inner) = Arc::new(rules);
        Ok(())
    }

    pub(crate) fn rules(&self) -> Arc<Rules> {
        Arc::clone(&self.0.rules.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// A variable of the environment, by its name in capital letters or in small ones, as curl reads them.
fn environment(name: &str) -> Option<String> {
    let value = std::env::var(name.to_ascii_lowercase()).or_else(|_| std::env::var(name)).ok()?;
    (!value.is_empty()).then_some(value)
}
