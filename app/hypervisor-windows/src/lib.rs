//! Windows hosts: Hyper-V through the Host Compute Service (HCS), guest ports through AF_HYPERV sockets.
//!
//! Pure, and tested on every system:
//!
//! * [`identity`] — a machine's id, which is also its address.
//! * [`plan`] — specification and host facts → the document that HCS makes a machine of.
//! * [`fault`] — what HCS refused → what a person can do about it.
//! * [`exit`] — what was seen → how the machine ended.
//! * [`pump`] — a blocking socket as an asynchronous stream.
//!
//! Windows alone:
//!
//! * `hypervisor` — `HyperV`, the [`cove_machine::hypervisor::Hypervisor`].
//! * `machine` — the task that owns a machine.
//! * `console` — the pipe that the machine's serial port writes to.
//! * `sys` — the calls of Windows; the only unsafe code.

#[cfg(windows)]
mod console;
pub mod exit;
pub mod fault;
#[cfg(windows)]
mod hypervisor;
pub mod identity;
#[cfg(windows)]
mod machine;
pub mod plan;
pub mod pump;
#[cfg(windows)]
mod sys;

#[cfg(windows)]
pub use hypervisor::{Dial, HyperV};
