//! The host half of the network of containers: sockets of the host, for those in the guest. It knows no machine: it is asked,
//! and answers with streams and errors.
//!
//! * [`egress`] — connections, datagrams and pings to the outside, as the host makes them.
//! * [`dns`] — names, as the host knows them.

pub mod dns;
pub mod egress;
