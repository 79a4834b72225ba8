//! Ports of this computer that lead to a container: `-p`, and how they are shown.

use std::{collections::BTreeMap, net::IpAddr};

use cove_proto::v1::{PortProtocol, PortRequest, PublishedPort};

/// Reads "[[ADDRESS:][PORT[-PORT]]:]PORT[-PORT][/udp]", docker's form: a range in the container needs none or one as long
/// on this computer.
pub(super) fn published(text: &str) -> Result<Published, String> {
    let (ports, protocol) = text.rsplit_once('/').unwrap_or((text, "tcp"));
    let protocol = match protocol.to_ascii_lowercase().as_str() {
        "tcp" => PortProtocol::Tcp,
        "udp" => PortProtocol::Udp,
        other => return Err(format!("{other:?} is no protocol with ports: tcp or udp")),
    };
    let (host, container) = ports.rsplit_once(':').unwrap_or(("", ports));
    let (address, host) = host.rsplit_once(':').unwrap_or(("", host));
    let address = address.trim_start_matches('[').trim_end_matches(']');
    if !address.is_empty() && address.parse::<IpAddr>().is_err() {
        return Err(format!("{address:?} is no address of this computer"));
    }
    let (first, last) = range(container)?.ok_or("a port of the container is missing")?;
    let host = if host.is_empty() { None } else { range(host)? };
    let request = |container_port: u32, host_port, host_port_end| PortRequest {
        protocol: protocol.into(),
        container_port,
        host_ip: address.to_owned(),
        host_port,
        host_port_end,
    };
    match host {
        None => Ok(Published((first..=last).map(|port| request(port, 0, 0)).collect())),
        Some((from, to)) if to - from == last - first => {
            Ok(Published((first..=last).zip(from..).map(|(port, host)| request(port, host, host)).collect()))
        }
        Some((from, to)) if first == last => Ok(Published(vec![request(first, from, to)])),
        Some(_) => Err("the two ranges of ports differ in length".to_owned()),
    }
}

/// What one `-p` asks for.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Published(pub(super) Vec<PortRequest>);

fn range(text: &str) -> Result<Option<(u32, u32)>, String> {
    if text.is_empty() {
        return Ok(None);
    }
    let (first, last) = text.split_once('-').unwrap_or((text, text));
    let number = |digits: &str| match digits.parse::<u16>() {
        Ok(number) if number > 0 => Ok(u32::from(number)),
        _ => Err(format!("{digits:?} is no port")),
    };
    let (first, last) = (number(first)?, number(last)?);
    if last < first { Err(format!("{text:?} is no range of ports")) } else { Ok(Some((first, last))) }
}

/// "0.0.0.0:8080->80/tcp, [::]:8080->80/tcp".
pub(super) fn shown(ports: &[PublishedPort]) -> String {
    let mut sorted = BTreeMap::new();
    for port in ports {
        let address = if port.host_ip.contains(':') { format!("[{}]", port.host_ip) } else { port.host_ip.clone() };
        let protocol = if port.protocol() == PortProtocol::Udp { "udp" } else { "tcp" };
        let key = (port.container_port, protocol, port.host_ip.contains(':'), port.host_port, address.clone());
        sorted.insert(key, format!("{address}:{}->{}/{protocol}", port.host_port, port.container_port));
    }
    sorted.into_values().collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Vec<(u32, String, u32, u32)>, String> {
        let all = published(text)?.0;
        Ok(all.into_iter().map(|one| (one.container_port, one.host_ip, one.host_port, one.host_port_end)).collect())
    }

    #[test]
    fn ports_are_written_as_for_docker() {
        let one = |port, ip: &str, first, last| (port, ip.to_owned(), first, last);
        assert_eq!(read("80"), Ok(vec![one(80, "", 0, 0)]));
        assert_eq!(read("8080:80/tcp"), Ok(vec![one(80, "", 8080, 8080)]));
        assert_eq!(read("127.0.0.1::80"), Ok(vec![one(80, "127.0.0.1", 0, 0)]));
        assert_eq!(read("[::1]:8080:80"), Ok(vec![one(80, "::1", 8080, 8080)]));
        assert_eq!(read("8080-8090:80"), Ok(vec![one(80, "", 8080, 8090)]));
        assert_eq!(read("8080-8081:80-81"), Ok(vec![one(80, "", 8080, 8080), one(81, "", 8081, 8081)]));
        assert_eq!(published("53:53/UDP").unwrap().0[0].protocol(), PortProtocol::Udp);
        for wrong in ["", "x", "80/sctp", "8080:", "0:80", "8080-8082:80-81", "1.2.3:80:80", "90-80", "99999"] {
            assert!(read(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn ports_are_shown_as_docker_shows_them() {
        let port = |host_ip: &str, container_port, host_port| PublishedPort {
            protocol: PortProtocol::Tcp.into(),
            container_port,
            host_ip: host_ip.into(),
            host_port,
        };
        let ports = [port("::", 80, 8080), port("0.0.0.0", 80, 8080), port("127.0.0.1", 7, 9)];
        assert_eq!(shown(&ports), "127.0.0.1:9->7/tcp, 0.0.0.0:8080->80/tcp, [::]:8080->80/tcp");
    }
}
