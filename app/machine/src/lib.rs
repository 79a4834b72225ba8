//! The life of the virtual machine. No OS code: a backend crate per hypervisor implements [`hypervisor::Hypervisor`].
//!
//! * [`hypervisor`] — what a hypervisor must offer, and what it is given.

pub mod hypervisor;
