//! The networks that are there without anybody making them.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{addresses::GATEWAY, error::NetworksError};
use crate::{
    clock, names,
    state::{Database, Records},
};

/// Ids and times of the networks, by name.
const NETWORKS: Records<Facts> = Records::new("networks");

/// A network that is there without anybody making it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum BuiltIn {
    /// Containers that reach one another.
    Bridge,
    /// The guest's own.
    Host,
    /// Loopback alone.
    None,
}

/// What differs between two engines.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Facts {
    /// 64 hexadecimal digits.
    pub id: String,
    /// Nanoseconds since 1970.
    pub created_at: i64,
}

impl BuiltIn {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Bridge, Self::Host, Self::None];

    /// The network that a container's mode means; `None` when it has another container's.
    #[must_use]
    pub fn of_mode(mode: &str) -> Option<Self> {
        match mode {
            "" | "default" | "bridge" => Some(Self::Bridge),
            "host" => Some(Self::Host),
            "none" => Some(Self::None),
            _ => None,
        }
    }

    /// Its name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Bridge => "bridge",
            Self::Host => "host",
            Self::None => "none",
        }
    }

    /// dockerd's word for what makes it.
    #[must_use]
    pub fn driver(self) -> &'static str {
        match self {
            Self::Bridge => "bridge",
            Self::Host => "host",
            Self::None => "null",
        }
    }

    /// What dockerd says of its settings.
    #[must_use]
    pub fn options(self) -> Vec<(String, String)> {
        let options: &[(&str, &str)] = match self {
            Self::Host | Self::None => &[],
            Self::Bridge => &[
                ("com.docker.network.bridge.default_bridge", "true"),
                ("com.docker.network.bridge.enable_icc", "true"),
                ("com.docker.network.bridge.enable_ip_masquerade", "true"),
                ("com.docker.network.bridge.host_binding_ipv4", "0.0.0.0"),
                ("com.docker.network.bridge.name", "docker0"),
                ("com.docker.network.driver.mtu", "1500"),
            ],
        };
        options.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    /// Its subnet and the address of its gateway, if it has one.
    #[must_use]
    pub fn subnet(self) -> Option<(String, String)> {
        let subnet = || format!("{}/{}", super::SUBNET, super::PREFIX_LENGTH);
        (self == Self::Bridge).then(|| (subnet(), GATEWAY.to_string()))
    }
}

/// The ids of the networks; made up when they are asked for the first time on this disk.
pub(super) fn facts(database: &Database) -> Result<BTreeMap<BuiltIn, Facts>, NetworksError> {
    let mut facts = BTreeMap::new();
    for network in BuiltIn::ALL {
        let known = match NETWORKS.get(database, network.name())? {
            Some(known) => known,
            None => {
                let made = Facts { id: names::new_id().map_err(NetworksError::Id)?, created_at: clock::now_nanos() };
                database.write_blocking(|changes| NETWORKS.put(changes, network.name(), &made))?;
                made
            }
        };
        facts.insert(network, known);
    }
    Ok(facts)
}
