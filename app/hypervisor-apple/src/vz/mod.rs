//! Everything that touches Virtualization.framework, and the only unsafe code of this crate.
//!
//! VZ may be used on one serial queue only. [`on_queue`] is the only way there and the only type that claims to be sendable;
//! nothing ever waits for the queue, so a handler that runs on it cannot block it: handlers send on a channel and return.
//!
//! * [`on_queue`] — values that live on a queue.
//! * [`virtual_machine`] — create, start, stop, connect.
//! * [`configuration`] — a plan → VZ's objects.
//! * [`delegate`] — VZ's word that the machine has stopped.
//! * [`descriptor`] — VZ's descriptors → ours.
//! * [`facts`] — what the host has.
//! * [`failure`] — VZ's errors → text.

mod configuration;
mod delegate;
mod descriptor;
pub(crate) mod facts;
pub(crate) mod failure;
mod on_queue;
mod virtual_machine;

pub(crate) use virtual_machine::VirtualMachine;
