//! Commands about networks: `cove network ls` and so on.

mod connect;
mod create;
mod inspect;
mod list;
mod prune;
mod remove;

use std::collections::BTreeMap;

use cove_proto::v1::Network;
use serde::Serialize;

use crate::{failure::Outcome, output::Format};

/// `cove network`.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Command {
    /// List networks.
    #[command(visible_alias = "list")]
    Ls,
    /// Make a network and print its id.
    Create(create::Arguments),
    /// Say all about networks.
    Inspect(inspect::Arguments),
    /// Put a container on a network.
    Connect(connect::Connect),
    /// Take a container off a network.
    Disconnect(connect::Disconnect),
    /// Remove networks.
    #[command(visible_alias = "remove")]
    Rm(remove::Arguments),
    /// Remove the networks that no running container is on.
    Prune(prune::Arguments),
}

impl Command {
    /// Does it.
    pub(crate) async fn run(self, format: Format) -> Outcome {
        match self {
            Self::Ls => list::run(format).await,
            Self::Create(arguments) => create::run(arguments).await,
            Self::Inspect(arguments) => inspect::run(arguments).await,
            Self::Connect(arguments) => connect::connect(arguments).await,
            Self::Disconnect(arguments) => connect::disconnect(arguments).await,
            Self::Rm(arguments) => remove::run(arguments).await,
            Self::Prune(arguments) => prune::run(&arguments, format).await,
        }
    }
}

/// A network, for programs.
#[derive(Serialize)]
struct Row<'a> {
    name: &'a str,
    id: &'a str,
    driver: &'a str,
    subnets: Vec<&'a str>,
    internal: bool,
    labels: BTreeMap<&'a String, &'a String>,
    options: BTreeMap<&'a String, &'a String>,
    containers: Vec<Place<'a>>,
}

/// A container on it.
#[derive(Serialize)]
struct Place<'a> {
    name: &'a str,
    id: &'a str,
    ipv4_address: &'a str,
    ipv6_address: &'a str,
    mac_address: &'a str,
}

impl<'a> From<&'a Network> for Row<'a> {
    fn from(network: &'a Network) -> Self {
        let place = |container: &'a cove_proto::v1::NetworkContainer| Place {
            name: &container.name,
            id: &container.id,
            ipv4_address: &container.ipv4_address,
            ipv6_address: &container.ipv6_address,
            mac_address: &container.mac_address,
        };
        Self {
            name: &network.name,
            id: &network.id,
            driver: &network.driver,
            subnets: subnets(network),
            internal: network.internal,
            labels: network.labels.iter().collect(),
            options: network.options.iter().collect(),
            containers: network.containers.iter().map(place).collect(),
        }
    }
}

/// Its subnets, as they are written.
fn subnets(network: &Network) -> Vec<&str> {
    network.pools.iter().map(|pool| pool.subnet.as_str()).collect()
}
