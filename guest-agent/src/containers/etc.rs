//! The files that a container sees as /etc/hostname, /etc/hosts and /etc/resolv.conf. Written before each start, so that
//! they say what is so then; the container may change them while it runs, as with dockerd.

use std::{
    fs,
    io::Write,
    net::{IpAddr, Ipv4Addr},
    os::unix::fs::OpenOptionsExt,
    path::Path,
};

use cove_proto::v1::ContainerSpec;

use super::{
    error::ContainersError,
    folder::{Folder, failed},
    spec::SpecError,
};
use crate::processes::launch::EtcFiles;

const HOSTS: &str = "127.0.0.1\tlocalhost\n\
    ::1\tlocalhost ip6-localhost ip6-loopback\n\
    fe00::\tip6-localnet\n\
    ff00::\tip6-mcastprefix\n\
    ff02::1\tip6-allnodes\n\
    ff02::2\tip6-allrouters\n";

const NO_RESOLVER: &str = "# Cove: this container has no network, so it has no name servers.\n";

/// Docker's word for the address at which a container finds the engine's host.
const HOST_GATEWAY: &str = "host-gateway";

/// Checks names and addresses, in dockerd's words.
pub(super) fn check(spec: &ContainerSpec) -> Result<(), SpecError> {
    for entry in &spec.extra_hosts {
        let named = entry.split_once(':').filter(|(name, _)| !name.is_empty());
        let (_, address) = named.ok_or_else(|| SpecError::ExtraHost(entry.clone()))?;
        if address != HOST_GATEWAY && address.trim().parse::<IpAddr>().is_err() {
            return Err(SpecError::ExtraHostAddress(address.to_owned()));
        }
    }
    let wrong = spec.dns_servers.iter().find(|server| server.parse::<IpAddr>().is_err());
    match wrong {
        Some(server) => Err(SpecError::NameServer(server.clone())),
        None => Ok(()),
    }
}

/// Where they are.
pub(super) fn files(folder: &Folder) -> EtcFiles {
    EtcFiles { hostname: folder.etc("hostname"), hosts: folder.etc("hosts"), resolv_conf: folder.etc("resolv.conf") }
}

/// Writes them. `address` is the container's own, if it is on a network; `gateway` is where the container finds the
/// engine's host, if it has a way there. Blocks on the disk.
pub(super) fn write(
    folder: &Folder,
    spec: &ContainerSpec,
    address: Option<Ipv4Addr>,
    gateway: Option<IpAddr>,
) -> Result<EtcFiles, ContainersError> {
    let files = files(folder);
    for (path, content) in [
        (&files.hostname, format!("{}\n", spec.hostname)),
        (&files.hosts, hosts(spec, address, gateway)?),
        (&files.resolv_conf, resolv_conf(spec)),
    ] {
        write_in_place(path, &content).map_err(failed("write", path))?;
    }
    Ok(files)
}

fn hosts(spec: &ContainerSpec, own: Option<Ipv4Addr>, gateway: Option<IpAddr>) -> Result<String, ContainersError> {
    let mut hosts = HOSTS.to_owned();
    for (name, address) in spec.extra_hosts.iter().filter_map(|entry| entry.split_once(':')) {
        let address = match (address, gateway) {
            (HOST_GATEWAY, Some(gateway)) => gateway.to_string(),
            (HOST_GATEWAY, None) => return Err(ContainersError::NoHostGateway),
            (address, _) => address.trim().to_owned(),
        };
        hosts.push_str(&format!("{address}\t{name}\n"));
    }
    if let Some(own) = own {
        let name = &spec.hostname;
        let names =
            if spec.domainname.is_empty() { name.clone() } else { format!("{name}.{} {name}", spec.domainname) };
        hosts.push_str(&format!("{own}\t{names}\n"));
    }
    Ok(hosts)
}

fn resolv_conf(spec: &ContainerSpec) -> String {
    let mut lines: Vec<String> = spec.dns_servers.iter().map(|server| format!("nameserver {server}\n")).collect();
    // A single dot is Docker's word for no domains.
    if !spec.dns_search.is_empty() && spec.dns_search != ["."] {
        lines.push(format!("search {}\n", spec.dns_search.join(" ")));
    }
    if !spec.dns_options.is_empty() {
        lines.push(format!("options {}\n", spec.dns_options.join(" ")));
    }
    let text = lines.concat();
    if spec.dns_servers.is_empty() { format!("{NO_RESOLVER}{text}") } else { text }
}

fn write_in_place(path: &Path, content: &str) -> std::io::Result<()> {
    let mut file = fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o644).open(path)?;
    file.write_all(content.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(words: &[&str]) -> Vec<String> {
        words.iter().map(|word| (*word).to_owned()).collect()
    }

    #[test]
    fn names_of_ones_own_follow_the_usual_ones() {
        let mut spec = ContainerSpec { extra_hosts: words(&["db:10.0.0.7", "six:::1"]), ..ContainerSpec::default() };
        assert_eq!(hosts(&spec, None, None).unwrap(), format!("{HOSTS}10.0.0.7\tdb\n::1\tsix\n"));
        spec.extra_hosts = words(&["host.docker.internal:host-gateway"]);
        let gateway = Some("172.17.0.1".parse().unwrap());
        assert!(hosts(&spec, None, gateway).unwrap().ends_with("172.17.0.1\thost.docker.internal\n"));
        let error = hosts(&spec, None, None).unwrap_err();
        assert_eq!(error.to_string(), "unable to derive the IP value for host-gateway");
        let mut spec = ContainerSpec { hostname: "web".into(), ..ContainerSpec::default() };
        let own = Some(Ipv4Addr::new(172, 17, 0, 2));
        assert_eq!(hosts(&spec, own, None).unwrap(), format!("{HOSTS}172.17.0.2\tweb\n"));
        spec.domainname = "example".into();
        assert_eq!(hosts(&spec, own, None).unwrap(), format!("{HOSTS}172.17.0.2\tweb.example web\n"));
    }

    #[test]
    fn name_servers_domains_and_options_are_lines() {
        let mut spec = ContainerSpec::default();
        assert_eq!(resolv_conf(&spec), NO_RESOLVER);
        spec.dns_servers = words(&["1.1.1.1", "fe80::1"]);
        spec.dns_search = words(&["a.example", "b.example"]);
        spec.dns_options = words(&["ndots:2", "rotate"]);
        let expected = "nameserver 1.1.1.1\nnameserver fe80::1\nsearch a.example b.example\noptions ndots:2 rotate\n";
        assert_eq!(resolv_conf(&spec), expected);
        spec.dns_search = words(&["."]);
        assert!(!resolv_conf(&spec).contains("search"));
    }

    #[test]
    fn what_is_no_name_or_address_is_refused_in_dockers_words() {
        let refused = |hosts: &[&str], servers: &[&str]| {
            let spec = ContainerSpec { extra_hosts: words(hosts), dns_servers: words(servers), ..Default::default() };
            check(&spec).unwrap_err().to_string()
        };
        assert_eq!(refused(&["db"], &[]), r#"bad format for add-host: "db""#);
        assert_eq!(refused(&[":1.2.3.4"], &[]), r#"bad format for add-host: ":1.2.3.4""#);
        assert_eq!(refused(&["db:1.2.3"], &[]), r#"invalid IP address in add-host: "1.2.3""#);
        assert_eq!(refused(&[], &["one"]), "bad nameserver address one");
    }
}
