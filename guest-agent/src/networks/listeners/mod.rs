//! Containers that have the machine's own network: what they listen at is found on the host's loopback, at the same port, as
//! it would be were the machine's network the host's.
//!
//! * [`table`] — who listens, by the kernel's tables.
//!
//! The kernel tells nobody that a program listens (but by programs of its own in every cgroup), so it is looked at twice a
//! second, and only while such a container runs. A port that the host has given to somebody else stays his.

mod table;

use std::{
    collections::BTreeSet,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    path::Path,
    time::Duration,
};

use cove_proto::v1::{PortProtocol, PortRequest, PublishPorts, UnpublishPorts, serve_guest_response::Request};
use tokio::time::sleep;

pub(super) use self::table::{Listeners, Port};
use super::{HOST, Networks, State};
use crate::host::Host;

/// How often it is looked at.
const AGAIN: Duration = Duration::from_millis(500);

/// The loopback of the host.
const LOOPBACK: [IpAddr; 2] = [IpAddr::V4(Ipv4Addr::LOCALHOST), IpAddr::V6(Ipv6Addr::LOCALHOST)];

impl Networks {
    /// Has the host open what containers listen at in the machine's network, as long as the agent lives.
    pub async fn keep_listeners(self) {
        let Some(host) = self.0.host.get().cloned() else { return };
        let mut daemons = host.daemons();
        loop {
            tokio::select! {
                another = daemons.another() => {
                    if !another {
                        return;
                    }
                    // It knows nothing of what the one before had open.
                    self.0.state().listeners.clear();
                }
                () = self.due() => {}
            }
            match tokio::task::spawn_blocking(|| table::now(Path::new("/proc/self"))).await {
                Ok(Ok(found)) => self.follow(&host, found).await,
                Ok(Err(error)) => tracing::warn!(%error, "who listens in the machine's network is not known"),
                // The runtime ends.
                Err(_) => return,
            }
        }
    }

    /// Comes when it is time to look.
    async fn due(&self) {
        let is_idle = {
            let state = self.0.state();
            state.listeners.is_empty() && !state.has_machines_network()
        };
        if is_idle {
            self.0.joined_host.notified().await;
        } else {
            sleep(AGAIN).await;
        }
    }

    /// Opens what is new and closes what is gone.
    async fn follow(&self, host: &Host, mut found: Listeners) {
        let known = {
            let mut state = self.0.state();
            // What is left in the network when no such container runs is of one that is ending.
            if !state.has_machines_network() {
                found.clear();
            }
            // Before it is opened: the first client may come at once.
            std::mem::replace(&mut state.listeners, found.clone())
        };
        let (before, now): (BTreeSet<_>, BTreeSet<_>) = (known.keys().collect(), found.keys().collect());
        for port in before.difference(&now) {
            close(host, **port).await;
        }
        for port in now.difference(&before) {
            open(host, **port).await;
        }
    }

    /// Where who listens at a port of the machine's network is; by the name that the port was opened under.
    pub(super) fn listener(&self, name: &str, port: Port) -> Option<SocketAddr> {
        let listener = self.0.state().listeners.get(&port).copied()?;
        LOOPBACK.iter().any(|ip| name_of(port, *ip) == name).then_some(listener)
    }
}

impl State {
    /// Whether a container runs that has the machine's network.
    fn has_machines_network(&self) -> bool {
        let of_machine = |id: &String| self.networks.get(id).is_some_and(|network| network.record.name == HOST);
        self.sandboxes.values().flat_map(|held| &held.sandbox.endpoints).any(|endpoint| of_machine(&endpoint.network))
    }
}

/// As whose the host knows it: no container's, and one for each address, since either may be taken.
fn name_of(port: Port, ip: IpAddr) -> String {
    format!("{HOST}/{}/{}/{ip}", if port.is_udp { "udp" } else { "tcp" }, port.number)
}

async fn open(host: &Host, port: Port) {
    for ip in LOOPBACK {
        let number = u32::from(port.number);
        let protocol = if port.is_udp { PortProtocol::Udp } else { PortProtocol::Tcp };
        let wanted = PortRequest {
            protocol: protocol.into(),
            container_port: number,
            host_ip: ip.to_string(),
            host_port: number,
            host_port_end: number,
        };
        let asked = PublishPorts {
            container_id: name_of(port, ip),
            ports: vec![wanted],
            container_ip: Ipv4Addr::LOCALHOST.to_string(),
        };
        if let Err(error) = host.ask(Request::Publish(asked)).await {
            tracing::info!(%error, "a port of the machine's network is not found on the host");
        }
    }
}

async fn close(host: &Host, port: Port) {
    for ip in LOOPBACK {
        let asked = UnpublishPorts { container_id: name_of(port, ip) };
        // A host that is not there has none open.
        if let Err(error) = host.tell(Request::Unpublish(asked)).await {
            tracing::warn!(%error, "a port of the machine's network stays open on the host");
        }
    }
}
