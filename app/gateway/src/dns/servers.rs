//! Which servers the host has: those of resolv.conf. On macOS that file has the first of them alone, and on Windows there
//! is none; addresses of names come from the system's resolver there too, other records do not.

use std::{
    fs,
    net::{IpAddr, SocketAddr},
    path::Path,
};

/// Where they are written.
pub(super) const CONFIGURATION: &str = "/etc/resolv.conf";
/// As many as resolvers read.
pub(super) const MOST: usize = 3;
const PORT: u16 = 53;

/// The servers in a file.
pub(super) fn read(path: &Path) -> Vec<SocketAddr> {
    fs::read_to_string(path).map(|text| parse(&text)).unwrap_or_default()
}

fn parse(text: &str) -> Vec<SocketAddr> {
    let server = |line: &str| {
        let (word, address) = line.split_once(char::is_whitespace)?;
        // "fe80::1%eth0": the link is the host's.
        let address = address.split_whitespace().next()?.split('%').next()?;
        (word == "nameserver").then(|| address.parse::<IpAddr>().ok()).flatten()
    };
    text.lines().filter_map(server).take(MOST).map(|address| (address, PORT).into()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_three_are_read_and_nothing_else() {
        let text = "# nameserver 9.9.9.9\nsearch example.org\nnameserver 10.0.0.1\nnameserver\t::1 # local\n\
                    nameserver x\noptions edns0\nnameserver 10.0.0.2\nnameserver 10.0.0.3\n";
        let read: Vec<String> = parse(text).iter().map(ToString::to_string).collect();
        assert_eq!(read, ["10.0.0.1:53", "[::1]:53", "10.0.0.2:53"]);
        assert_eq!(super::read(Path::new("/nonexistent/resolv.conf")), []);
    }
}
