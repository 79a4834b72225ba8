//! The host half of the network of containers: sockets of the host, for those in the guest. It knows no machine: it is asked,
//! and answers with streams and errors.
//!
//! * [`egress`] — connections, datagrams and pings to the outside, as the host makes them.
//! * [`dns`] — names, as the host knows them.
//! * [`way_out`] — both, as the agent asks for them.
//! * [`ports`] — published ports: sockets of the host that lead to containers.
//! * [`streams`] — raw streams into the guest, ready before they are needed.

pub mod dns;
pub mod egress;
pub mod ports;
pub mod streams;
pub mod way_out;
