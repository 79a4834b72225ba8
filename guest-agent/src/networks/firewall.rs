//! Keeps networks apart: nothing goes from one interface of the guest to another, whoever switches forwarding on.
//!
//! That containers of one network do not reach each other either, where that was asked for, is a matter of its bridge.

use std::io;

use super::nftables::{Batch, Chain, Family, Hook, Policy};

/// Sets the rules in the guest's own network.
pub(super) fn set() -> io::Result<()> {
    let forward = Chain { name: "forward", kind: "filter", hook: Hook::Forward, priority: 0, policy: Policy::Drop };
    Batch::new(Family::Inet, "cove").chain(forward).commit()
}
