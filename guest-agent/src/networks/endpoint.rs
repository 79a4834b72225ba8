//! A container's places on networks: what it has there, and the note of it by which the next agent of this boot knows.

use std::{
    fs, io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
    path::Path,
};

use serde::{Deserialize, Serialize};

/// A container's place on a network.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Endpoint {
    /// 64 hexadecimal digits.
    pub id: String,
    /// Id of the network.
    pub network: String,
    /// Its name.
    pub network_name: String,
    /// Its address.
    pub ipv4: Option<Ipv4Addr>,
    /// Its address.
    pub ipv6: Option<Ipv6Addr>,
    /// Its hardware address; none where there is no link.
    pub hardware: Option<[u8; 6]>,
    /// What the others on the network call it.
    pub names: Vec<String>,
    /// What it calls others on the network: a name, and theirs.
    pub links: Vec<(String, String)>,
    /// The highest is the way out.
    pub priority: i64,
    /// The outer end of its link; empty without one.
    pub(super) link: String,
    /// The inner end of its link.
    pub(super) interface: String,
}

impl Endpoint {
    /// Its hardware address, written: "02:42:ac:11:00:02".
    #[must_use]
    pub fn hardware_text(&self) -> String {
        let text = |bytes: [u8; 6]| bytes.map(|byte| format!("{byte:02x}")).join(":");
        self.hardware.map(text).unwrap_or_default()
    }

    /// Its addresses, IPv4 first.
    pub fn addresses(&self) -> impl Iterator<Item = IpAddr> {
        self.ipv4.map(IpAddr::V4).into_iter().chain(self.ipv6.map(IpAddr::V6))
    }
}

/// Docker's hardware address for an address.
pub(super) fn hardware_of(address: IpAddr) -> [u8; 6] {
    let octets = match address {
        IpAddr::V4(address) => address.octets(),
        IpAddr::V6(address) => {
            let [.., a, b, c, d] = address.octets();
            [a, b, c, d]
        }
    };
    let [a, b, c, d] = octets;
    [0x02, 0x42, a, b, c, d]
}

/// All that a container that runs has of networks.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sandbox {
    /// 64 hexadecimal digits.
    pub id: String,
    /// Its places, in the order of its interfaces.
    pub endpoints: Vec<Endpoint>,
    /// Whom its questions for names of the outside go to; the host's own servers if there is none.
    #[serde(default)]
    pub name_servers: Vec<IpAddr>,
    /// Whether the user has said how many dots a name has that is asked outside first.
    #[serde(default)]
    pub knows_dots: bool,
    /// Ports of the host that lead to it.
    #[serde(default)]
    pub ports: Vec<Port>,
}

/// A port of the host that leads to a container.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Port {
    /// Whether it is UDP's; else TCP's.
    pub is_udp: bool,
    /// The port in the container.
    pub container: u16,
    /// The address of the host.
    pub host_ip: IpAddr,
    /// The port of the host.
    pub host: u16,
}

impl Sandbox {
    /// A note that was written whole; nothing if a start was cut off.
    pub(super) fn read(path: &Path) -> io::Result<Option<Self>> {
        Ok(serde_json::from_slice(&fs::read(path)?).ok())
    }

    pub(super) fn write(&self, path: &Path) -> io::Result<()> {
        fs::write(path, serde_json::to_vec(self)?)
    }

    /// Whether it has an address of IPv4 anywhere; who has none, and is on the guest's own network, has that one's.
    pub(super) fn has_ipv4(&self) -> bool {
        self.endpoints.iter().any(|place| place.ipv4.is_some() || place.ipv6.is_none())
    }

    /// The first free name for an interface.
    pub(super) fn free_interface(&self) -> String {
        let taken = |name: &String| self.endpoints.iter().any(|endpoint| endpoint.interface == *name);
        let mut names = (0_u32..).map(|number| format!("eth{number}"));
        names.find(|name| !taken(name)).unwrap_or_default()
    }
}
