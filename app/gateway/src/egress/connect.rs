//! TCP to the outside.

use std::{io, net::IpAddr, net::Ipv4Addr, net::Ipv6Addr};

use tokio::net::TcpStream;

use super::{Counted, Egress, Flow, Protocol, Refusal, Target};

impl Egress {
    /// Connects for a container, as the host would for itself.
    ///
    /// # Errors
    /// What the host is told; why is kept for who asks.
    pub async fn connect(&self, container: &str, target: Target) -> Result<Counted<TcpStream>, Refusal> {
        let flow = self.begin(container, Protocol::Tcp, target)?;
        let rules = self.rules();
        let by_proxy = rules.proxy.as_ref().filter(|proxy| proxy.is_for(target));
        let connected = match (by_proxy, target) {
            (Some(proxy), Target::Address(address)) => proxy.connect(address).await,
            (_, target) => directly(target).await.map_err(|error| (Refusal::of(&error), error.to_string())),
        };
        match connected {
            Ok(stream) => {
                // Both ends of the guest's half wait for each other's small packets as well.
                let _ = stream.set_nodelay(true);
                Ok(Counted::new(stream, flow))
            }
            Err((refusal, why)) => {
                flow.failed(refusal, why);
                Err(refusal)
            }
        }
    }

    /// Notes a flow, if it may be and the container has not too many.
    pub(super) fn begin(&self, container: &str, protocol: Protocol, target: Target) -> Result<Flow, Refusal> {
        let flow = self.flows().begin(container, protocol, target)?;
        match self.rules().policy.denies(target) {
            None => Ok(flow),
            Some(why) => {
                flow.failed(Refusal::Forbidden, why);
                Err(Refusal::Forbidden)
            }
        }
    }
}

/// The host's loopback of both versions: a server of the host may be on either.
pub(super) const LOOPBACK: [IpAddr; 2] = [IpAddr::V4(Ipv4Addr::LOCALHOST), IpAddr::V6(Ipv6Addr::LOCALHOST)];

async fn directly(target: Target) -> io::Result<TcpStream> {
    let port = match target {
        Target::Address(address) => return TcpStream::connect(address).await,
        Target::Host { port } => port,
    };
    let [first, second] = LOOPBACK;
    match TcpStream::connect((first, port)).await {
        // The first error counts: a host without IPv6 has another one for the second.
        Err(error) => TcpStream::connect((second, port)).await.map_err(|_| error),
        connected => connected,
    }
}

#[cfg(test)]
mod tests {
    use tokio::{
        io::{AsyncReadExt, AsyncWriteExt},
        net::TcpListener,
    };

    use super::*;
    use crate::egress::Settings;

    fn egress(folder: &std::path::Path) -> Egress {
        Egress::open(folder.join("egress.json")).unwrap()
    }

    #[tokio::test]
    async fn the_hosts_loopback_of_either_version_is_reached_and_counted() {
        let folder = tempfile::tempdir().unwrap();
        let egress = egress(folder.path());
        for loopback in LOOPBACK {
            let Ok(listener) = TcpListener::bind((loopback, 0)).await else { continue };
            let port = listener.local_addr().unwrap().port();
            let mut client = egress.connect("c1", Target::Host { port }).await.unwrap();
            let (mut server, _) = listener.accept().await.unwrap();
            client.write_all(b"hello").await.unwrap();
            server.write_all(b"you").await.unwrap();
            server.shutdown().await.unwrap();
            let mut heard = Vec::new();
            client.read_to_end(&mut heard).await.unwrap();
            let flows = egress.flows().live();
            assert_eq!((heard.as_slice(), flows.len()), (b"you".as_slice(), 1));
            assert_eq!((flows[0].container.as_str(), flows[0].sent, flows[0].received), ("c1", 5, 3));
            drop(client);
            assert_eq!(egress.flows().live().len(), 0);
        }
    }

    #[tokio::test]
    async fn what_the_host_is_refused_is_refused_and_kept() {
        let folder = tempfile::tempdir().unwrap();
        let egress = egress(folder.path());
        let closed = TcpListener::bind((LOOPBACK[0], 0)).await.unwrap().local_addr().unwrap().port();
        let refused = egress.connect("c1", Target::Host { port: closed }).await.unwrap_err();
        assert_eq!(refused, Refusal::Refused);
        let by_address = Target::Address((LOOPBACK[0], closed).into());
        assert_eq!(egress.connect("c2", by_address).await.unwrap_err(), Refusal::Forbidden);
        let failures = egress.flows().failures();
        let kept: Vec<_> = failures.iter().map(|one| (one.container.as_str(), one.refusal)).collect();
        assert_eq!(kept, [("c1", Refusal::Refused), ("c2", Refusal::Forbidden)]);
        assert!(failures[1].why.contains("host.docker.internal"), "{}", failures[1].why);
        assert_eq!(egress.flows().live().len(), 0);
    }

    #[tokio::test]
    async fn new_settings_hold_at_once_and_are_kept() {
        let folder = tempfile::tempdir().unwrap();
        let egress = egress(folder.path());
        let listener = TcpListener::bind((LOOPBACK[0], 0)).await.unwrap();
        let target = Target::Host { port: listener.local_addr().unwrap().port() };
        assert!(egress.connect("c", target).await.is_ok());
        egress.change(&Settings { host_denied: true, ..Settings::default() }).unwrap();
        assert_eq!(egress.connect("c", target).await.unwrap_err(), Refusal::Forbidden);
        let again = Egress::open(folder.path().join("egress.json")).unwrap();
        assert_eq!(again.connect("c", target).await.unwrap_err(), Refusal::Forbidden);
    }
}
