//! The way out of the guest. Nothing leaves it as packets: the agent has what containers send to the outside, and asks the
//! host to do the same with sockets of its own; what the host is told, the container is told.
//!
//! * [`rules`] — how the kernel knows what is to the outside, and whom it gives it to. [`address`] — what stands for the host.
//! * [`queue`], [`packet`] — what waits for an answer of the host. [`gate`] — connections and pings.
//! * [`datagrams`] — UDP. [`icmp`] — what is said in the name of others. [`sockets`] — by which.
//! * [`outside`] — the host.
//!
//! A network that is internal has no way out: its bridge is in no group that the rules know.

pub(super) mod address;
mod datagrams;
mod gate;
mod icmp;
pub(super) mod outside;
mod packet;
mod queue;
pub(super) mod rules;
pub(super) mod sockets;

use std::{
    io,
    net::{IpAddr, SocketAddr},
    sync::{Arc, Weak},
};

use tokio::{runtime::Handle, sync::Semaphore};

use self::{
    gate::Gate,
    outside::{Outside, Target},
    queue::Queue,
    rules::Ports,
    sockets::{Ear, Mouth},
};
use super::{
    Inner,
    resolver::{self, Server},
};

/// How many pings may wait for their answers at a time.
const PINGS: usize = 512;
/// How many questions for names may be open at a time; moby's number.
const QUESTIONS: usize = 1024;

/// The way out; clones share it.
#[derive(Clone)]
struct Egress {
    networks: Weak<Inner>,
    outside: Outside,
    gate: Arc<Gate>,
    flows: Arc<datagrams::Flows>,
    mouth: Arc<Mouth>,
    pings: Arc<Semaphore>,
    questions: Arc<Semaphore>,
}

/// Opens the way out. On a thread that the runtime knows, in the guest's own network.
pub(super) fn open(networks: &Arc<Inner>, outside: Outside) -> io::Result<()> {
    let runtime = Handle::try_current().map_err(io::Error::other)?;
    let _entered = runtime.enter();
    let egress = Egress {
        networks: Arc::downgrade(networks),
        outside,
        gate: Arc::default(),
        flows: Arc::default(),
        mouth: Arc::new(Mouth::open()?),
        pings: Arc::new(Semaphore::new(PINGS)),
        questions: Arc::new(Semaphore::new(QUESTIONS)),
    };
    let queue = Arc::new(Queue::open(rules::QUEUE)?);
    let listen = |is_ipv4| {
        let (listener, ear) = (sockets::listener(is_ipv4)?, Ear::open(is_ipv4)?);
        let ports = Ports { tcp: listener.local_addr()?.port(), udp: ear.port()? };
        runtime.spawn(egress.clone().accept(listener));
        runtime.spawn(egress.clone().hear(ear));
        Ok::<_, io::Error>(ports)
    };
    let (ipv4, ipv6) = (listen(true)?, listen(false)?);
    runtime.spawn(egress.decide(queue));
    rules::set(ipv4, ipv6)
}

impl Egress {
    /// Whose an address is: a container's id, or nothing for the guest's own.
    fn container_at(&self, address: IpAddr) -> Arc<str> {
        let found = self.networks.upgrade().and_then(|networks| networks.state().container_at(address));
        found.unwrap_or_default().into()
    }

    /// Who answers a container's questions for names that are asked at [`address::of_name_server`].
    fn name_server(&self, container: &str) -> Server {
        resolver::server(self.networks.clone(), container)
    }
}

/// What an address of the outside stands for; nothing if nobody is there.
fn target(to: SocketAddr) -> Option<Target> {
    const QUESTIONS: [u16; 2] = [0, 53];
    let ip = to.ip();
    if ip == address::of_host(ip.is_ipv4()) {
        return Some(Target::Host { port: to.port() });
    }
    if ip == address::of_name_server() && QUESTIONS.contains(&to.port()) {
        return Some(Target::NameServer);
    }
    let is_ours = [address::SUBNET_V4, address::SUBNET_V6].iter().any(|subnet| subnet.contains(ip));
    (!is_ours && !ip.is_multicast()).then_some(Target::Address(to))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_stand_for_the_host_the_name_server_or_themselves() {
        let of = |text: &str| target(text.parse().unwrap());
        for host in ["192.168.65.254:80", "[fdc4:f303:9324::254]:80"] {
            assert_eq!(of(host), Some(Target::Host { port: 80 }));
        }
        assert_eq!(of("192.168.65.7:53"), Some(Target::NameServer));
        for nobody in
            ["192.168.65.7:80", "192.168.65.1:53", "[fdc4:f303:9324::7]:53", "224.0.0.251:5353", "[ff02::1]:1"]
        {
            assert_eq!(of(nobody), None, "{nobody}");
        }
        for other in ["192.168.66.254:80", "[2001:db8::1]:53"] {
            assert_eq!(of(other), Some(Target::Address(other.parse().unwrap())));
        }
    }
}
