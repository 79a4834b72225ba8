//! The kernel's tables of sockets, /proc/net/tcp and its like. Pure but for [`now`].

use std::{
    collections::{BTreeMap, BTreeSet},
    fs, io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    path::Path,
};

/// Ports that the kernel chooses from for those who ask for none (`ip_local_port_range`): a socket of UDP there is that of a
/// client, since UDP knows no listening.
const CHOSEN_BY_THE_KERNEL: std::ops::RangeInclusive<u16> = 32_768..=60_999;

/// A port at which somebody listens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::networks) struct Port {
    pub(in crate::networks) is_udp: bool,
    pub(in crate::networks) number: u16,
}

/// Where somebody listens.
pub(in crate::networks) type Listeners = BTreeMap<Port, SocketAddr>;

/// A table: its name below /proc/net, whether it is of UDP.
const TABLES: [(&str, bool); 4] = [("tcp", false), ("udp", true), ("tcp6", false), ("udp6", true)];

/// Who listens in a network namespace, this process apart.
pub(super) fn now(process: &Path) -> io::Result<Listeners> {
    // Both before and after: a socket of this process's may be made or closed meanwhile.
    let mut own = sockets(process)?;
    let mut found = Vec::new();
    for (name, is_udp) in TABLES {
        match fs::read_to_string(process.join("net").join(name)) {
            Ok(table) => found.extend(rows(&table, is_udp)),
            // A kernel without version 6.
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
    }
    own.extend(sockets(process)?);
    let mut listeners = Listeners::new();
    for (port, at, _) in found.into_iter().filter(|(_, _, inode)| !own.contains(inode)) {
        listeners.entry(port).or_insert(at);
    }
    Ok(listeners)
}

/// The inodes of a process's sockets.
fn sockets(process: &Path) -> io::Result<BTreeSet<u64>> {
    let links = fs::read_dir(process.join("fd"))?.filter_map(|entry| fs::read_link(entry.ok()?.path()).ok());
    Ok(links.filter_map(|link| inode_of(link.to_str()?)).collect())
}

/// Of "socket:[123]".
fn inode_of(link: &str) -> Option<u64> {
    link.strip_prefix("socket:[")?.strip_suffix(']')?.parse().ok()
}

/// Those of a table that listen, with their inodes. What is bound to an address that is neither all nor the loopback's is
/// passed over: the agent speaks in others' names by such sockets.
fn rows(table: &str, is_udp: bool) -> impl Iterator<Item = (Port, SocketAddr, u64)> {
    /// TCP_LISTEN, and TCP_CLOSE, which of UDP means that it is not connected.
    const LISTENS: [&str; 2] = ["0A", "07"];
    table.lines().skip(1).filter_map(move |line| {
        let mut words = line.split_whitespace();
        let (local, state) = (words.nth(1)?, words.nth(1)?);
        let inode = words.nth(5)?.parse().ok()?;
        let at = address(local)?;
        let is_open = at.ip().is_unspecified() || at.ip().is_loopback();
        let is_clients = is_udp && CHOSEN_BY_THE_KERNEL.contains(&at.port());
        let listens = state == LISTENS[usize::from(is_udp)] && at.port() != 0 && is_open && !is_clients;
        listens.then_some((Port { is_udp, number: at.port() }, reachable(at), inode))
    })
}

/// Where a client in the same namespace finds who listens there.
fn reachable(at: SocketAddr) -> SocketAddr {
    let ip = match at.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    (ip, at.port()).into()
}

/// "0100007F:1F90": words of an address in the machine's order, a port in the network's.
fn address(text: &str) -> Option<SocketAddr> {
    let (ip, port) = text.split_once(':')?;
    let word = |at: usize| Some(u32::from_str_radix(ip.get(at..at + 8)?, 16).ok()?.to_ne_bytes());
    let ip: IpAddr = match ip.len() {
        8 => Ipv4Addr::from(word(0)?).into(),
        32 => {
            let words = [word(0)?, word(8)?, word(16)?, word(24)?];
            Ipv6Addr::from(<[u8; 16]>::try_from(words.as_flattened()).ok()?).to_canonical()
        }
        _ => return None,
    };
    Some((ip, u16::from_str_radix(port, 16).ok()?).into())
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEAD: &str =
        "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n";

    fn row(local: &str, state: &str) -> String {
        format!("   0: {local} 00000000:0000 {state} 00000000:00000000 00:00000000 00000000     0        0 777 1 0\n")
    }

    fn found(lines: &[(&str, &str)], is_udp: bool) -> Vec<(u16, String)> {
        let table = lines.iter().fold(HEAD.to_owned(), |table, (local, state)| table + &row(local, state));
        let found = rows(&table, is_udp).inspect(|(_, _, inode)| assert_eq!(*inode, 777));
        found.map(|(port, at, _)| (port.number, at.ip().to_string())).collect()
    }

    #[test]
    fn who_listens_on_all_addresses_or_the_loopback_is_found() {
        let lines = [
            ("00000000:1F90", "0A"),
            ("0100007F:1F91", "0A"),
            // Connected; at a bridge's address; not yet bound.
            ("0100007F:1F92", "01"),
            ("010011AC:1F93", "0A"),
            ("00000000:0000", "0A"),
        ];
        assert_eq!(found(&lines, false), [(8080, "127.0.0.1".to_owned()), (8081, "127.0.0.1".to_owned())]);
        let six = [
            ("00000000000000000000000000000000:0050", "0A"),
            ("00000000000000000000000001000000:0051", "0A"),
            ("0000000000000000FFFF00000100007F:0052", "0A"),
            ("B80D0120000000000000000001000000:0053", "0A"),
        ];
        let expected = [(80, "::1"), (81, "::1"), (82, "127.0.0.1")].map(|(port, ip)| (port, ip.to_owned()));
        assert_eq!(found(&six, false), expected);
    }

    #[test]
    fn sockets_of_udp_that_clients_have_are_no_listeners() {
        let lines = [("00000000:0035", "07"), ("00000000:0036", "01"), ("00000000:9C40", "07")];
        assert_eq!(found(&lines, true), [(53, "127.0.0.1".to_owned())]);
    }

    #[test]
    fn what_makes_no_sense_is_no_listener() {
        for local in ["", ":", "0:0", "0100007F:", "0100007F", "no number:0050", "0100007F0:0050"] {
            assert_eq!(address(local), None, "{local}");
        }
        assert_eq!((inode_of("socket:[12]"), inode_of("socket:[]"), inode_of("/dev/null")), (Some(12), None, None));
    }

    #[test]
    fn sockets_of_the_process_itself_are_not_listed() {
        let own = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let port = Port { is_udp: false, number: own.local_addr().unwrap().port() };
        assert!(!now(Path::new("/proc/self")).unwrap().contains_key(&port));
    }
}
