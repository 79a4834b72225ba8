//! What the database keeps of a network.

use std::{collections::BTreeMap, net::IpAddr};

use serde::{Deserialize, Serialize};

use super::subnet::Subnet;
use crate::state::Records;

/// The user's networks, by id.
pub(super) const NETWORKS: Records<Record> = Records::new("user-networks");

/// Docker's options of bridges.
pub(super) mod options {
    /// The kernel's name of the bridge.
    pub(crate) const DEVICE: &str = "com.docker.network.bridge.name";
    /// Whether containers on it reach each other.
    pub(crate) const ICC: &str = "com.docker.network.bridge.enable_icc";
    /// Bytes in a packet.
    pub(crate) const MTU: &str = "com.docker.network.driver.mtu";
}

/// Docker's default.
const MTU: u32 = 1500;

/// What the database keeps of a network.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    /// 64 hexadecimal digits.
    pub id: String,
    /// Its name.
    pub name: String,
    /// "bridge", "host", "null".
    pub driver: String,
    /// Nanoseconds since 1970.
    pub created_at: i64,
    /// At most one for each family.
    pub pools: Vec<Pool>,
    /// Options of the driver.
    pub options: BTreeMap<String, String>,
    /// Labels.
    pub labels: BTreeMap<String, String>,
    /// Options about addresses, kept for who asks.
    pub address_options: BTreeMap<String, String>,
    /// Whether it leads nowhere.
    pub internal: bool,
    /// Whether a swarm's services could be on it.
    pub attachable: bool,
    /// Whether containers get IPv4 addresses.
    pub ipv4: bool,
    /// Whether containers get IPv6 addresses.
    pub ipv6: bool,
}

/// Where the addresses of a network come from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pool {
    /// All of them.
    pub subnet: Subnet,
    /// Those that containers get by themselves; all, when there is none.
    pub range: Option<Subnet>,
    /// The network's own, if somebody or something chose it.
    pub gateway: Option<IpAddr>,
    /// Those that nobody gets, by what they are for.
    pub reserved: BTreeMap<String, IpAddr>,
    /// Whether the user chose the subnet.
    pub is_users: bool,
}

impl Pool {
    /// One that the engine chose.
    #[must_use]
    pub fn chosen(subnet: Subnet) -> Self {
        let gateway = Some(subnet.first_host());
        Self { subnet, range: None, gateway, reserved: BTreeMap::new(), is_users: false }
    }

    /// The network's own address; as dockerd has it, the first of the range if nobody chose one.
    #[must_use]
    pub fn gateway(&self) -> IpAddr {
        self.gateway.unwrap_or_else(|| self.range.map_or_else(|| self.subnet.first_host(), |range| range.base))
    }
}

impl Record {
    /// The pool of a family, if containers get addresses of it.
    #[must_use]
    pub fn pool(&self, is_ipv4: bool) -> Option<&Pool> {
        let used = if is_ipv4 { self.ipv4 } else { self.ipv6 };
        self.pools.iter().find(|pool| used && pool.subnet.is_ipv4() == is_ipv4)
    }

    /// The kernel's name of the bridge; empty if it is none.
    #[must_use]
    pub fn device(&self) -> String {
        match self.options.get(options::DEVICE) {
            Some(device) if !device.is_empty() => device.clone(),
            _ if self.driver == super::BRIDGE => format!("br-{}", self.id.get(..12).unwrap_or(&self.id)),
            _ => String::new(),
        }
    }

    /// Bytes in a packet.
    #[must_use]
    pub fn mtu(&self) -> u32 {
        let asked = self.options.get(options::MTU).and_then(|mtu| mtu.parse().ok());
        asked.filter(|mtu| *mtu > 0).unwrap_or(MTU)
    }

    /// Whether containers on it reach each other.
    #[must_use]
    pub fn containers_reach_each_other(&self) -> bool {
        self.options.get(options::ICC).and_then(|icc| go_bool(icc)).unwrap_or(true)
    }

    /// Whether it is always there.
    #[must_use]
    pub fn is_built_in(&self) -> bool {
        super::is_built_in(&self.name)
    }
}

/// Go's strconv.ParseBool.
pub(super) fn go_bool(text: &str) -> Option<bool> {
    match text {
        "1" | "t" | "T" | "true" | "TRUE" | "True" => Some(true),
        "0" | "f" | "F" | "false" | "FALSE" | "False" => Some(false),
        _ => None,
    }
}
