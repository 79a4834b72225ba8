//! Whether what is asked of a network makes sense. Pure; messages are moby's.

use std::{collections::BTreeMap, net::IpAddr};

use cove_proto::v1::{AddressPool, CreateNetworkRequest, NetworkAttachment};

use super::{
    NetworksError, is_user_defined,
    record::{Pool, Record, go_bool, options},
    subnet::Subnet,
};

/// What Docker's bridges can have and Cove's cannot yet.
const UNSUPPORTED: [&str; 4] = [
    "com.docker.network.bridge.gateway_mode_ipv4",
    "com.docker.network.bridge.gateway_mode_ipv6",
    "com.docker.network.bridge.inhibit_ipv4",
    "com.docker.network.container_iface_prefix",
];

/// Checks the driver; there is one that networks can be made of.
pub(super) fn driver(driver: &str) -> Result<(), NetworksError> {
    match driver {
        "" | "bridge" => Ok(()),
        "host" | "null" => Err(NetworksError::OneOnly(driver.to_owned())),
        "overlay" => Err(NetworksError::NoSwarm),
        "macvlan" | "ipvlan" => Err(NetworksError::NoCard(driver.to_owned())),
        other => Err(NetworksError::Driver(other.to_owned())),
    }
}

/// Checks the options of a bridge.
pub(super) fn bridge_options(asked: &CreateNetworkRequest) -> Result<(), NetworksError> {
    if let Some(option) = UNSUPPORTED.iter().find(|option| asked.options.contains_key(**option)) {
        return Err(NetworksError::UnsupportedOption((*option).to_owned()));
    }
    let wrong = |option: &'static str, parser: &str| {
        let value = asked.options.get(option).cloned().unwrap_or_default();
        let why = format!("strconv.{parser}: parsing {value:?}: invalid syntax");
        NetworksError::Option { option, value, why }
    };
    if asked.options.get(options::ICC).is_some_and(|icc| go_bool(icc).is_none()) {
        return Err(wrong(options::ICC, "ParseBool"));
    }
    if asked.options.get(options::MTU).is_some_and(|mtu| mtu.parse::<u32>().is_err()) {
        return Err(wrong(options::MTU, "Atoi"));
    }
    Ok(())
}

/// Reads the addresses that a network is to have.
pub(super) fn pools(asked: &[AddressPool]) -> Result<Vec<Pool>, NetworksError> {
    let mut problems = Vec::new();
    let pools: Vec<Pool> = asked.iter().filter_map(|asked| pool(asked, &mut problems)).collect();
    if !problems.is_empty() {
        return Err(NetworksError::Config(problems));
    }
    for is_ipv4 in [true, false] {
        if pools.iter().filter(|pool| pool.subnet.is_ipv4() == is_ipv4).count() > 1 {
            return Err(NetworksError::ManySubnets);
        }
    }
    Ok(pools)
}

fn pool(asked: &AddressPool, problems: &mut Vec<String>) -> Option<Pool> {
    let text = &asked.subnet;
    let Some(subnet) = Subnet::parse(text) else {
        problems.push(format!("invalid subnet {text}: invalid CIDR block notation"));
        return None;
    };
    if subnet != subnet.masked() {
        problems.push(format!("invalid subnet {text}: it should be {}", subnet.masked()));
    }
    let subnet = subnet.masked();
    let range = (!asked.range.is_empty()).then(|| range(subnet, &asked.range)).and_then(|read| keep(read, problems));
    let mut within = |what: String, text: &str| {
        let read = text.parse::<IpAddr>().map_err(|_| format!("invalid {what}: invalid address"));
        let missed = || format!("invalid {what}: parent subnet {subnet} doesn't contain this address");
        keep(read.and_then(|address| subnet.contains(address).then_some(address).ok_or_else(missed)), problems)
    };
    let gateway = &asked.gateway;
    let own = (!gateway.is_empty()).then(|| within(format!("gateway {gateway}"), gateway)).flatten();
    let names: BTreeMap<_, _> = asked.reserved.iter().collect();
    let one =
        |(name, text): (&String, &String)| Some((name.clone(), within(format!("auxiliary address {name}"), text)?));
    let reserved = names.into_iter().filter_map(one).collect();
    Some(Pool { subnet, range, gateway: own, reserved, is_users: true })
}

fn keep<T>(read: Result<T, String>, problems: &mut Vec<String>) -> Option<T> {
    read.map_err(|problem| problems.push(problem)).ok()
}

fn range(subnet: Subnet, text: &str) -> Result<Subnet, String> {
    let wrong = |why: String| Err(format!("invalid ip-range {text}: {why}"));
    let Some(range) = Subnet::parse(text) else { return wrong("invalid CIDR block notation".to_owned()) };
    if range.prefix < subnet.prefix {
        return wrong(format!("CIDR block is bigger than its parent subnet {subnet}"));
    }
    if !subnet.contains(range.base) {
        return wrong(format!("parent subnet {subnet} doesn't contain ip-range"));
    }
    if range != range.masked() {
        return wrong(format!("it should be {}", range.masked()));
    }
    Ok(range)
}

/// What is wrong with how a container wants to be on a network; `record` is that of the network, if it is there.
pub(super) fn attachment(name: &str, record: Option<&Record>, asked: &NetworkAttachment) -> Vec<String> {
    let addresses = [("IPv4", &asked.ipv4_address), ("IPv6", &asked.ipv6_address)];
    let has_addresses = addresses.iter().any(|(_, text)| !text.is_empty());
    let mut problems = Vec::new();
    if !is_user_defined(name) {
        if has_addresses {
            problems.push("user specified IP address is supported on user defined networks only".to_owned());
        }
        if !asked.aliases.is_empty() {
            problems.push("network-scoped alias is supported only for containers in user defined networks".to_owned());
        }
    }
    for (family, text) in addresses {
        if !text.is_empty() && parse(family == "IPv4", text).is_none() {
            problems.push(format!("invalid {family} address: {text}"));
        }
    }
    let wrong = asked.link_local_addresses.iter().find(|text| text.parse::<IpAddr>().is_err());
    problems.extend(wrong.map(|text| format!("invalid link-local IP address: {text}")));
    if let Some(record) = record {
        let out = addresses.iter().filter_map(|(family, text)| out_of_range(record, *family == "IPv4", text));
        problems.extend(out);
    }
    if !asked.mac_address.is_empty() && hardware(&asked.mac_address).is_none() {
        problems.push(format!("invalid MAC address: address {}: invalid MAC address", asked.mac_address));
    }
    problems
}

fn out_of_range(record: &Record, is_ipv4: bool, text: &str) -> Option<String> {
    if text.is_empty() {
        return None;
    }
    const UNCONFIGURED: &str =
        "user specified IP address is supported only when connecting to networks with user configured subnets";
    let pool = record.pool(is_ipv4).filter(|pool| pool.is_users || record.name == super::BRIDGE);
    let Some(pool) = pool else { return Some(UNCONFIGURED.to_owned()) };
    let within = text.parse().is_ok_and(|address| pool.subnet.contains(address));
    (!within).then(|| format!("no configured subnet or ip-range contain the IP address {text}"))
}

/// An address of a family.
pub(super) fn parse(is_ipv4: bool, text: &str) -> Option<IpAddr> {
    text.parse::<IpAddr>().ok().filter(|address| address.is_ipv4() == is_ipv4)
}

/// A hardware address, as it is written.
pub(super) fn hardware(text: &str) -> Option<[u8; 6]> {
    let bytes: Vec<u8> =
        text.split([':', '-']).map(|byte| u8::from_str_radix(byte, 16)).collect::<Result<_, _>>().ok()?;
    bytes.try_into().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(subnet: &str, range: &str, gateway: &str, reserved: &[(&str, &str)]) -> AddressPool {
        let own = |(name, address): &(&str, &str)| ((*name).to_owned(), (*address).to_owned());
        AddressPool {
            subnet: subnet.into(),
            range: range.into(),
            gateway: gateway.into(),
            reserved: reserved.iter().map(own).collect(),
        }
    }

    #[test]
    fn addresses_that_make_no_sense_are_refused_in_mobys_words() {
        let problems = |asked: AddressPool| pools(&[asked]).unwrap_err().to_string();
        for (pool, expected) in [
            (asked("10.78.0.0", "", "", &[]), "invalid subnet 10.78.0.0: invalid CIDR block notation"),
            (asked("", "", "", &[]), "invalid subnet : invalid CIDR block notation"),
            (asked("10.78.0.5/24", "", "", &[]), "invalid subnet 10.78.0.5/24: it should be 10.78.0.0/24"),
            (
                asked("10.61.0.0/24", "", "10.62.0.1", &[]),
                "invalid gateway 10.62.0.1: parent subnet 10.61.0.0/24 doesn't contain this address",
            ),
            (
                asked("10.61.0.0/24", "10.61.0.5/25", "", &[]),
                "invalid ip-range 10.61.0.5/25: it should be 10.61.0.0/25",
            ),
            (
                asked("10.61.0.0/24", "10.61.0.0/23", "", &[]),
                "invalid ip-range 10.61.0.0/23: CIDR block is bigger than its parent subnet 10.61.0.0/24",
            ),
            (
                asked("10.61.0.0/24", "10.62.0.0/25", "foo", &[("x", "10.63.0.1"), ("y", "bad")]),
                "* invalid ip-range 10.62.0.0/25: parent subnet 10.61.0.0/24 doesn't contain ip-range\n\
                 * invalid gateway foo: invalid address\n\
                 * invalid auxiliary address x: parent subnet 10.61.0.0/24 doesn't contain this address\n\
                 * invalid auxiliary address y: invalid address",
            ),
        ] {
            assert_eq!(problems(pool), format!("invalid network config:\n{expected}"));
        }
        let two = [asked("10.90.0.0/24", "", "", &[]), asked("10.91.0.0/24", "", "", &[])];
        assert!(matches!(pools(&two), Err(NetworksError::ManySubnets)));
        let both = [asked("10.90.0.0/24", "", "", &[]), asked("fd00::/64", "", "fd00::9", &[])];
        assert_eq!(pools(&both).unwrap()[1].gateway().to_string(), "fd00::9");
    }

    #[test]
    fn hardware_addresses_have_six_bytes() {
        assert_eq!(hardware("02:42:0a:3c:00:99"), Some([2, 0x42, 10, 60, 0, 0x99]));
        assert_eq!(hardware("02-42-0a-3c-00-99"), Some([2, 0x42, 10, 60, 0, 0x99]));
        assert_eq!([hardware("foo"), hardware("02:42:0a:3c:00"), hardware("")], [None; 3]);
    }

    #[test]
    fn drivers_that_cannot_be_say_why() {
        let why = |name: &str| driver(name).map_err(|error| error.to_string());
        assert_eq!([why(""), why("bridge")], [Ok(()), Ok(())]);
        assert_eq!(why("host").unwrap_err(), r#"only one instance of "host" network is allowed"#);
        assert_eq!(why("nosuch").unwrap_err(), r#"plugin "nosuch" not found"#);
        assert!(why("macvlan").unwrap_err().starts_with("macvlan networks need a network card"));
        assert!(why("overlay").unwrap_err().starts_with("This node is not a swarm manager."));
    }
}
