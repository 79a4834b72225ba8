//! UDP to the outside. One socket of the host for each port of a container, whomever it sends to, so that those who were
//! told of the port by others can answer too.

use std::{
    io,
    net::{Ipv4Addr, Ipv6Addr, SocketAddr},
    sync::OnceLock,
};

use tokio::net::UdpSocket;

use super::{Egress, Flow, Policy, Protocol, Refusal, Target, connect::LOOPBACK};

/// The longest datagram.
pub const LONGEST: usize = 65_535;

/// The datagrams of one port of a container.
#[derive(Debug)]
pub struct Datagrams {
    egress: Egress,
    flow: Flow,
    ipv4: OnceLock<UdpSocket>,
    ipv6: OnceLock<UdpSocket>,
}

impl Egress {
    /// Begins the flow of a port of a container that sends to a target.
    ///
    /// # Errors
    /// If that is denied.
    pub fn datagrams(&self, container: &str, target: Target) -> Result<Datagrams, Refusal> {
        let flow = self.begin(container, Protocol::Udp, target)?;
        let opened = Datagrams { egress: self.clone(), flow, ipv4: OnceLock::new(), ipv6: OnceLock::new() };
        match opened.sockets() {
            Ok(()) => Ok(opened),
            Err(error) => {
                opened.flow.failed(Refusal::of(&error), error.to_string());
                Err(Refusal::of(&error))
            }
        }
    }
}

impl Datagrams {
    fn sockets(&self) -> io::Result<()> {
        let bind = |address: SocketAddr| {
            let socket = std::net::UdpSocket::bind(address)?;
            socket.set_nonblocking(true)?;
            UdpSocket::from_std(socket)
        };
        let _ = self.ipv4.set(bind((Ipv4Addr::UNSPECIFIED, 0).into())?);
        // A host may be without version 6.
        if let Ok(socket) = bind((Ipv6Addr::UNSPECIFIED, 0).into()) {
            let _ = self.ipv6.set(socket);
        }
        Ok(())
    }

    /// Sends one.
    ///
    /// # Errors
    /// What the host is told, of this or an earlier one.
    pub async fn send(&self, target: Target, datagram: &[u8]) -> Result<(), Refusal> {
        if let Some(why) = self.policy(target) {
            self.flow.failed(Refusal::Forbidden, why);
            return Err(Refusal::Forbidden);
        }
        let address = match target {
            Target::Address(address) => address,
            Target::Host { port } => (LOOPBACK[0], port).into(),
        };
        let socket = if address.is_ipv4() { self.ipv4.get() } else { self.ipv6.get() };
        let Some(socket) = socket else { return Err(Refusal::NetworkUnreachable) };
        match socket.send_to(datagram, address).await {
            Ok(sent) => {
                self.flow.sent(sent);
                Ok(())
            }
            Err(error) => Err(Refusal::of(&error)),
        }
    }

    /// The next that comes, and from whom.
    pub async fn receive(&self, buffer: &mut [u8]) -> (usize, Target) {
        let mut second = vec![0; if self.ipv6.get().is_some() { LONGEST } else { 0 }];
        loop {
            let received = tokio::select! {
                received = from(self.ipv4.get(), buffer) => received,
                received = from(self.ipv6.get(), &mut second) => received.map(|(length, address)| {
                    buffer[..length].copy_from_slice(&second[..length]);
                    (length, address)
                }),
            };
            // Errors are those of an earlier datagram that reached nobody.
            let Ok((length, address)) = received else { continue };
            self.flow.received(length);
            let is_host = LOOPBACK.contains(&address.ip());
            let target = if is_host { Target::Host { port: address.port() } } else { Target::Address(address) };
            return (length, target);
        }
    }

    fn policy(&self, target: Target) -> Option<String> {
        Policy::denies(&self.egress.rules().policy, target)
    }
}

async fn from(socket: Option<&UdpSocket>, buffer: &mut [u8]) -> io::Result<(usize, SocketAddr)> {
    match socket {
        Some(socket) => socket.recv_from(buffer).await,
        None => std::future::pending().await,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn whoever_was_told_of_the_port_may_answer() {
        let folder = tempfile::tempdir().unwrap();
        let egress = Egress::open(folder.path().join("egress.json")).unwrap();
        let [one, other] =
            [UdpSocket::bind("127.0.0.1:0").await.unwrap(), UdpSocket::bind("127.0.0.1:0").await.unwrap()];
        let host = |socket: &UdpSocket| Target::Host { port: socket.local_addr().unwrap().port() };
        let own = egress.datagrams("c", host(&one)).unwrap();
        own.send(host(&one), b"hello").await.unwrap();
        let mut buffer = vec![0; LONGEST];
        let (length, from) = one.recv_from(&mut buffer).await.unwrap();
        assert_eq!(&buffer[..length], b"hello");
        other.send_to(&[7; 60_000], from).await.unwrap();
        let (length, target) = own.receive(&mut buffer).await;
        assert_eq!((length, target), (60_000, host(&other)));
        assert_eq!(egress.flows().live()[0].received, 60_000);
    }

    #[tokio::test]
    async fn each_datagram_is_looked_at() {
        let folder = tempfile::tempdir().unwrap();
        let egress = Egress::open(folder.path().join("egress.json")).unwrap();
        let denied = Target::Address("169.254.169.254:53".parse().unwrap());
        assert_eq!(egress.datagrams("c", denied).unwrap_err(), Refusal::Forbidden);
        let own = egress.datagrams("c", Target::Host { port: 9 }).unwrap();
        assert_eq!(own.send(denied, b"x").await, Err(Refusal::Forbidden));
        assert_eq!(egress.flows().failures().len(), 2);
    }
}
