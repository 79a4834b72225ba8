//! What the kernel is told about the way out. What has no place in the guest is routed to a link that leads nowhere
//! ([`LINK`]); by that, rules know it, hold what opens a connection, and hand over what belongs to one.
//!
//! ```text
//!                     host connected ──► mark 1 ──► the agent's listener
//! SYN, echo ──► queue host refused   ──► mark 2 ──► RST
//!                     unreachable    ──► mark 3, 4, 5 ──► ICMP
//!                     no answer      ──► dropped
//! ```
//!
//! A process with the guest's own network and CAP_NET_ADMIN can mark packets itself, and reaches the listener by that,
//! which hangs up on those whom nobody has asked the host for. Marks do not leave a container's own network.

use std::io;

use super::super::{
    namespace,
    netlink::{Netlink, there},
    nftables::{
        Batch, Chain, Family, Hook, Policy,
        expressions::{
            Unreachable, Version, accept, came_from, came_from_group, hand_to, icmp_type_is, leaves_by, mark_is,
            opens_a_connection, queue, reset, route_leads_by, set_mark, unreachable, version_is, was_sent_here,
        },
        protocol_is,
    },
};

/// The link that routes to the outside lead to.
pub(super) const LINK: &str = "outside";
/// The group of the bridges that have a way out.
pub(in super::super) const GROUP: u32 = 1;
/// The routing table of what is the agent's.
const TABLE: u8 = 100;
/// Where packets wait.
pub(super) const QUEUE: u16 = 0;

/// What is to become of a packet that waited.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mark {
    /// The agent has it.
    Taken = 1,
    /// ECONNREFUSED.
    Refused = 2,
    /// EHOSTUNREACH.
    HostUnreachable = 3,
    /// ENETUNREACH.
    NetworkUnreachable = 4,
    /// Nobody may.
    Forbidden = 5,
}

impl Mark {
    pub(super) fn number(self) -> u32 {
        self as u32
    }
}

/// The ports of the agent's listeners, on loopback.
#[derive(Debug, Clone, Copy)]
pub(super) struct Ports {
    pub(super) tcp: u16,
    pub(super) udp: u16,
}

const TCP: u8 = 6;
const UDP: u8 = 17;
/// Protocol and type of an echo request.
const ECHO: [(Version, u8, u8); 2] = [(Version::Four, 1, 8), (Version::Six, 58, 128)];

/// Makes the link, the routes and the rules, in the guest's own network. An earlier agent may have made the first two.
pub(super) fn set(ipv4: Ports, ipv6: Ports) -> io::Result<()> {
    make_routes()?;
    batch(ipv4, ipv6).commit()
}

fn make_routes() -> io::Result<()> {
    let netlink = Netlink::open()?;
    let loopback = Netlink::index("lo")?;
    let made = netlink.add_dummy(LINK);
    if made.is_ok() {
        // The kernel's module comes with one, which is nobody's; a kernel that has it built in may come without.
        let _ = netlink.remove("dummy0");
    }
    there(made)?;
    namespace::set_ipv6(LINK, true)?;
    let index = Netlink::index(LINK)?;
    for subnet in [super::address::SUBNET_V4, super::address::SUBNET_V6] {
        there(netlink.add_address(index, super::address::of_guest(subnet.is_ipv4()), subnet))?;
    }
    for is_ipv4 in [true, false] {
        there(netlink.add_default_route_by(index, is_ipv4))?;
        netlink.keep_marked(Mark::Taken.number(), TABLE, loopback, is_ipv4)?;
    }
    Ok(())
}

fn batch(ipv4: Ports, ipv6: Ports) -> Batch<'static> {
    // The place of marks, and the one before it.
    const MANGLE: i32 = -150;
    let chain = |name, kind, hook, priority| Chain { name, kind, hook, priority, policy: Policy::Accept };
    let mut batch = Batch::new(Family::Inet, "cove-egress")
        .chain(chain("from-containers", "filter", Hook::Prerouting, MANGLE))
        .chain(chain("from-guest", "route", Hook::Output, MANGLE))
        .chain(chain("taken", "filter", Hook::Prerouting, MANGLE + 1));
    let bridged = [came_from_group(GROUP), was_sent_here(), route_leads_by(LINK)].concat();
    batch = decide(batch, "from-containers", &bridged);
    for protocol in [TCP, UDP] {
        batch =
            batch.rule("from-containers", &[bridged.clone(), protocol_is(protocol), set_mark(Mark::Taken.number())]);
    }
    batch = decide(batch, "from-guest", &leaves_by(LINK));
    for protocol in [TCP, UDP] {
        batch = batch.rule("from-guest", &[leaves_by(LINK), protocol_is(protocol), set_mark(Mark::Taken.number())]);
    }
    for from in [came_from_group(GROUP), came_from("lo")] {
        for (version, ports) in [(Version::Four, ipv4), (Version::Six, ipv6)] {
            for (protocol, port) in [(TCP, ports.tcp), (UDP, ports.udp)] {
                let taken = [from.clone(), mark_is(Mark::Taken.number()), version_is(version), protocol_is(protocol)];
                batch = batch.rule("taken", &[taken.concat(), hand_to(version, port), accept()]);
            }
        }
    }
    batch
}

/// Holds what opens something, and answers for the host what it has said about it.
fn decide<'a>(mut batch: Batch<'a>, chain: &str, which: &[super::super::nftables::Expression]) -> Batch<'a> {
    let which = || which.to_vec();
    batch = batch.rule(chain, &[which(), protocol_is(TCP), mark_is(0), opens_a_connection(), queue(QUEUE)]);
    for (version, protocol, kind) in ECHO {
        let echo = [version_is(version), protocol_is(protocol), mark_is(0), icmp_type_is(kind), queue(QUEUE)];
        batch = batch.rule(chain, &[which(), echo.concat()]);
    }
    batch = batch.rule(chain, &[which(), protocol_is(TCP), mark_is(Mark::Refused.number()), reset()]);
    for (mark, why) in [
        (Mark::HostUnreachable, Unreachable::Host),
        (Mark::NetworkUnreachable, Unreachable::Network),
        (Mark::Forbidden, Unreachable::Forbidden),
    ] {
        batch = batch.rule(chain, &[which(), mark_is(mark.number()), unreachable(why)]);
    }
    batch
}
