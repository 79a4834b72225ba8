//! Why something cannot be done with a network, in moby's words.

use std::{io, path::PathBuf};

use crate::{host::AskError, names::NoRandomness, state::StateError};

/// What callers branch on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// There is no such thing.
    NotFound,
    /// What was asked for makes no sense.
    Invalid,
    /// It makes sense, and is not allowed.
    Forbidden,
    /// The name is in use.
    NameInUse,
    /// It makes sense, and this version cannot do it.
    Unsupported,
    /// The data disk is full.
    Full,
    /// Cove failed.
    Internal,
}

/// Why something cannot be done with a network.
#[derive(Debug, thiserror::Error)]
pub enum NetworksError {
    /// Neither a name nor an id nor the beginning of an id.
    #[error("network {0} not found")]
    NotFound(String),
    /// The beginning of several ids.
    #[error("network {0} is ambiguous ({1} matches found based on ID prefix)")]
    Ambiguous(String, usize),
    /// A network without a name.
    #[error("invalid name: name is empty")]
    NoName,
    /// There is one of that name.
    #[error("network with name {0} already exists")]
    Exists(String),
    /// One of that name is always there.
    #[error("operation is not permitted on predefined {0} network ")]
    MakeBuiltIn(String),
    /// It is always there.
    #[error("{0} is a pre-defined network and cannot be removed")]
    RemoveBuiltIn(String),
    /// Containers are on it.
    #[error("error while removing network: network {network} has active endpoints ({endpoints})")]
    InUse {
        /// The network.
        network: String,
        /// Who: `name:"web" id:"0123456789ab"`.
        endpoints: String,
    },
    /// Addresses that make no sense.
    #[error("invalid network config:\n{}", listed(.0))]
    Config(Vec<String>),
    /// What a container wants of a network makes no sense.
    #[error("{}invalid endpoint settings:\n{}", of(.network.as_deref()), listed(.problems))]
    Endpoint {
        /// The network, if it is not clear which.
        network: Option<String>,
        /// Each.
        problems: Vec<String>,
    },
    /// A value that an option cannot have.
    #[error("failed to parse {option} value: {value} ({why})")]
    Option {
        /// The option.
        option: &'static str,
        /// The value.
        value: String,
        /// What Go's parser would say.
        why: String,
    },
    /// An option that this version lacks.
    #[error("the option {0} of a network is not supported by this version of Cove yet")]
    UnsupportedOption(String),
    /// Somebody has these addresses.
    #[error("invalid pool request: Pool overlaps with other one on this address space")]
    Overlap,
    /// Everybody has one.
    #[error("all predefined address pools have been fully subnetted")]
    NoPool,
    /// Several subnets of a family.
    #[error("bridge driver doesn't support multiple subnets")]
    ManySubnets,
    /// No addresses at all.
    #[error("IPv4 or IPv6 must be enabled")]
    NoFamily,
    /// There is one, and can be no other.
    #[error("only one instance of {0:?} network is allowed")]
    OneOnly(String),
    /// No such driver.
    #[error("plugin {0:?} not found")]
    Driver(String),
    /// It needs a swarm.
    #[error(
        "This node is not a swarm manager. Use \"docker swarm init\" or \"docker swarm join\" to connect this node to \
         swarm and try again."
    )]
    NoSwarm,
    /// It needs a network card.
    #[error("{0} networks need a network card, and the machine that containers run in has none: use the driver bridge")]
    NoCard(String),
    /// The kernel's name of the bridge is another network's.
    #[error(
        "cannot create network {id} ({device}): conflicts with network {other} ({device}): networks have same bridge name"
    )]
    SameDevice {
        /// Id of the one that is not made.
        id: String,
        /// The name.
        device: String,
        /// Id of the one that has it.
        other: String,
    },
    /// It is on it already.
    #[error("endpoint with name {container} already exists in network {network}")]
    AlreadyOn {
        /// Name of the container.
        container: String,
        /// Name of the network.
        network: String,
    },
    /// It is not on it.
    #[error("container {container} is not connected to network {network}")]
    NotOn {
        /// Id of the container.
        container: String,
        /// Name of the network.
        network: String,
    },
    /// There is nobody to take off.
    #[error("endpoint {0} not found")]
    NoEndpoint(String),
    /// The guest's own network is had from the beginning or never.
    #[error("cannot connect container to host network - container must be created in host network mode")]
    ConnectHost,
    /// And to the end.
    #[error("cannot disconnect container from host network - container was created in host network mode")]
    DisconnectHost,
    /// Who has no network has no other.
    #[error("container cannot be connected to multiple networks with one of the networks in private (none) mode")]
    ConnectNone,
    /// It has somebody else's network.
    #[error(
        "container sharing network namespace with another container or host cannot be connected to any other network"
    )]
    ConnectShared,
    /// Somebody has that address.
    #[error("Address already in use")]
    AddressInUse,
    /// All addresses are taken.
    #[error("no available {family} addresses on this network's address pools: {network} ({id})")]
    NoAddress {
        /// "IPv4" or "IPv6".
        family: &'static str,
        /// Name of the network.
        network: String,
        /// Its id.
        id: String,
    },
    /// Its ports cannot be opened.
    #[error("driver failed programming external connectivity on endpoint {name} ({endpoint})")]
    External {
        /// The container's name.
        name: String,
        /// Id of its place.
        endpoint: String,
        /// Why.
        #[source]
        source: AskError,
    },
    /// A container gets no network.
    #[error("failed to set up container networking")]
    SetUp(#[source] Box<NetworksError>),
    /// No such filter.
    #[error("invalid filter '{0}'")]
    Filter(String),
    /// A value that a filter cannot have.
    #[error("invalid filter: '{key}'='{value}'")]
    FilterValue {
        /// The filter.
        key: String,
        /// The value.
        value: String,
    },
    /// The kernel made no namespace or link.
    #[error("make an interface on {0}")]
    Link(String, #[source] io::Error),
    /// The kernel made no bridge.
    #[error("make the bridge {0}")]
    Bridge(String, #[source] io::Error),
    /// The rules that keep networks apart.
    #[error("set the rules that keep networks apart")]
    Rules(#[source] io::Error),
    /// The kernel's half of the way out.
    #[error("open the way out of the guest")]
    WayOut(#[source] io::Error),
    /// Who answers for names.
    #[error("set up the container's name server")]
    NameServer(#[source] io::Error),
    /// A thread that was wanted.
    #[error("start a thread")]
    Thread(#[source] io::Error),
    /// What a container has cannot be noted.
    #[error("write {}", .path.display())]
    Note {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The database.
    #[error(transparent)]
    State(#[from] StateError),
    /// An id.
    #[error(transparent)]
    Random(#[from] NoRandomness),
}

impl NetworksError {
    /// What callers branch on.
    #[must_use]
    pub fn kind(&self) -> Kind {
        match self {
            Self::NotFound(_) | Self::Driver(_) | Self::NoEndpoint(_) => Kind::NotFound,
            Self::NoName
            | Self::Ambiguous(..)
            | Self::Config(_)
            | Self::Endpoint { .. }
            | Self::Option { .. }
            | Self::NoFamily
            | Self::ConnectHost
            | Self::DisconnectHost
            | Self::ConnectNone
            | Self::ConnectShared
            | Self::Filter(_)
            | Self::FilterValue { .. } => Kind::Invalid,
            Self::MakeBuiltIn(_)
            | Self::RemoveBuiltIn(_)
            | Self::InUse { .. }
            | Self::Overlap
            | Self::ManySubnets
            | Self::OneOnly(_)
            | Self::NoSwarm
            | Self::SameDevice { .. }
            | Self::AddressInUse
            | Self::AlreadyOn { .. } => Kind::Forbidden,
            Self::Exists(_) => Kind::NameInUse,
            Self::UnsupportedOption(_) | Self::NoCard(_) => Kind::Unsupported,
            Self::State(error) if error.is_disk_full() => Kind::Full,
            Self::SetUp(source) => source.kind(),
            Self::NoPool
            | Self::NoAddress { .. }
            // dockerd has no kind for it.
            | Self::NotOn { .. }
            | Self::External { .. }
            | Self::Link(..)
            | Self::Bridge(..)
            | Self::Rules(_)
            | Self::WayOut(_)
            | Self::NameServer(_)
            | Self::Thread(_)
            | Self::Note { .. }
            | Self::State(_)
            | Self::Random(_) => Kind::Internal,
        }
    }
}

impl NetworksError {
    /// The same where it is clear which network is meant.
    #[must_use]
    pub fn without_network(self) -> Self {
        match self {
            Self::Endpoint { problems, .. } => Self::Endpoint { network: None, problems },
            other => other,
        }
    }
}

/// As moby joins several errors.
fn listed(problems: &[String]) -> String {
    match problems {
        [problem] => problem.clone(),
        problems => problems.iter().map(|problem| format!("* {problem}")).collect::<Vec<_>>().join("\n"),
    }
}

fn of(network: Option<&str>) -> String {
    network.map(|network| format!("invalid config for network {network}: ")).unwrap_or_default()
}
