//! Ports of the host for a container: `PortBindings` and `PublishAllPorts`.

use std::{collections::BTreeMap, net::IpAddr};

use cove_proto::v1::{PortProtocol, PortRequest};
use serde::Deserialize;

use crate::error::{Error, unsupported};

/// Docker's `PortMap`: what is asked for, by "80/tcp".
pub(super) type PortBindings = BTreeMap<String, Option<Vec<PortBinding>>>;

/// Docker's `PortBinding`.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(crate) struct PortBinding {
    host_ip: String,
    host_port: String,
}

/// Reads what is asked for.
pub(super) fn requests(bindings: &PortBindings) -> Result<Vec<PortRequest>, Error> {
    let each = bindings.iter().flat_map(|(port, all)| all.iter().flatten().map(move |one| (port, one)));
    each.map(|(port, binding)| request(port, binding)).collect()
}

fn request(port: &str, binding: &PortBinding) -> Result<PortRequest, Error> {
    let (number, protocol) = port.split_once('/').unwrap_or((port, "tcp"));
    let protocol = match protocol.to_ascii_lowercase().as_str() {
        "" | "tcp" => PortProtocol::Tcp,
        "udp" => PortProtocol::Udp,
        "sctp" => return Err(unsupported("publishing ports of SCTP (-p)")),
        other => return Err(Error::BadRequest(format!("invalid proto: {other}"))),
    };
    let container_port = self::number(number, number)?;
    if container_port == 0 {
        return Err(invalid(number));
    }
    let (host_port, host_port_end) = range(&binding.host_port)?;
    let address = binding.host_ip.trim_start_matches('[').trim_end_matches(']');
    if !address.is_empty() && address.parse::<IpAddr>().is_err() {
        return Err(Error::BadRequest(format!("invalid IP address: {}", binding.host_ip)));
    }
    let protocol = protocol.into();
    Ok(PortRequest { protocol, container_port, host_ip: address.to_owned(), host_port, host_port_end })
}

/// "8080", "8080-8090", or nothing, which is any.
fn range(text: &str) -> Result<(u32, u32), Error> {
    if text.is_empty() {
        return Ok((0, 0));
    }
    let (first, last) = text.split_once('-').unwrap_or((text, text));
    let range = (number(first, text)?, number(last, text)?);
    if range.1 < range.0 { Err(invalid(text)) } else { Ok(range) }
}

fn number(digits: &str, of: &str) -> Result<u32, Error> {
    digits.parse::<u16>().map(u32::from).map_err(|_| invalid(of))
}

fn invalid(specification: &str) -> Error {
    Error::BadRequest(format!("invalid port specification: {specification:?}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn read(bindings: Value) -> Result<Vec<(u32, String, u32, u32)>, String> {
        let bindings: PortBindings = serde_json::from_value(bindings).unwrap();
        let all = requests(&bindings).map_err(|error| error.to_string())?;
        Ok(all.into_iter().map(|one| (one.container_port, one.host_ip, one.host_port, one.host_port_end)).collect())
    }

    #[test]
    fn bindings_are_read_as_dockerd_reads_them() {
        let bindings = json!({
            "80/tcp": [{"HostIp": "", "HostPort": "8080"}, {"HostIp": "127.0.0.1", "HostPort": ""}],
            "81/udp": [{"HostIp": "[::1]", "HostPort": "9000-9010"}], "82": [{}], "83/tcp": null, "84/tcp": [],
        });
        let one = |port, ip: &str, first, last| (port, ip.to_owned(), first, last);
        let all = [one(80, "", 8080, 8080), one(80, "127.0.0.1", 0, 0), one(81, "::1", 9000, 9010), one(82, "", 0, 0)];
        assert_eq!(read(bindings).unwrap(), all);
    }

    #[test]
    fn what_is_no_port_is_refused_in_dockerds_words() {
        for (port, host, words) in [
            ("x/tcp", "80", "invalid port specification: \"x\""),
            ("80-81/tcp", "80", "invalid port specification: \"80-81\""),
            ("80/tcp", "x", "invalid port specification: \"x\""),
            ("80/tcp", "9-7", "invalid port specification: \"9-7\""),
            ("80/tcp", "99999", "invalid port specification: \"99999\""),
            ("80/foo", "80", "invalid proto: foo"),
        ] {
            let bindings = json!({ port: [{"HostPort": host}] });
            assert_eq!(read(bindings).unwrap_err(), words);
        }
        assert!(read(json!({"80/sctp": [{}]})).unwrap_err().contains("SCTP"));
        assert!(read(json!({"80/tcp": [{"HostIp": "1.2.3"}]})).unwrap_err().contains("invalid IP address: 1.2.3"));
    }
}
