//! Who else has a port: a sentence for the message, where the system tells it without special rights.

use std::{fs, net::SocketAddr, path::Path};

use super::Protocol;

/// "it belongs to nginx (pid 17)". Nothing where it cannot be known: on systems without /proc, and of other users' programs.
pub(super) fn of(protocol: Protocol, at: SocketAddr) -> Option<String> {
    let inode = [("", true), ("6", false)].into_iter().find_map(|(version, is_ipv4)| {
        let table = fs::read_to_string(format!("/proc/net/{}{version}", protocol.word())).ok()?;
        let may_be = at.is_ipv4() == is_ipv4 || !is_ipv4;
        if may_be { inode_of(&table, protocol, at.port()) } else { None }
    })?;
    let (pid, name) = process_with(&format!("socket:[{inode}]"))?;
    Some(format!("it belongs to {name}, process {pid}"))
}

/// The inode of whoever listens on a port, by a table of /proc/net.
fn inode_of(table: &str, protocol: Protocol, port: u16) -> Option<u64> {
    // TCP_LISTEN, and what unconnected datagram sockets show.
    let state = if protocol == Protocol::Tcp { "0A" } else { "07" };
    table.lines().skip(1).find_map(|line| {
        let fields: Vec<&str> = line.split_whitespace().collect();
        let (_, of_row) = fields.get(1)?.rsplit_once(':')?;
        let is_it = u16::from_str_radix(of_row, 16).ok()? == port && *fields.get(3)? == state;
        if is_it { fields.get(9)?.parse().ok() } else { None }
    })
}

fn process_with(link: &str) -> Option<(u32, String)> {
    let processes = fs::read_dir("/proc").ok()?.filter_map(Result::ok);
    processes.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok()).find_map(|pid| {
        let folder = Path::new("/proc").join(pid.to_string());
        let has_it = |fd: fs::DirEntry| fs::read_link(fd.path()).is_ok_and(|target| target.as_os_str() == link);
        let found = fs::read_dir(folder.join("fd")).ok()?.filter_map(Result::ok).any(has_it);
        let name = || fs::read_to_string(folder.join("comm")).ok();
        found.then(name).flatten().map(|name| (pid, name.trim().to_owned()))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_listener_is_found_among_connections_of_its_port() {
        let table = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n\
            0: 0100007F:1F90 0100007F:9C40 01 00000000:00000000 00:00000000 00000000  0 0 11 1 0\n\
            1: 00000000:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000  0 0 22 1 0\n";
        assert_eq!(inode_of(table, Protocol::Tcp, 8080), Some(22));
        assert_eq!(inode_of(table, Protocol::Tcp, 8081), None);
        assert_eq!(inode_of(table, Protocol::Udp, 8080), None);
    }
}
