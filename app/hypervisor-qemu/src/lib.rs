#![cfg(target_os = "linux")]
//! Linux hosts: QEMU with KVM where it really runs a guest, else TCG.
//!
//! * [`Qemu`] — the [`cove_machine::hypervisor::Hypervisor`].
//! * [`plan`] — pure: specification and host facts → QEMU's arguments.
//! * [`host`] — what is there: QEMU and its version, KVM and whether it works, vsock.
//! * [`vsock`] — dialling the guest, by the kernel or by vhost-device-vsock.
//! * `monitor` — QEMU's control channel (QMP).
//! * `children` — processes that do not outlive this one.
//! * `exit` — pure: what was seen → how the machine ended.
//! * `probe` — whether KVM runs a guest.
//! * `machine` — the task that owns a machine.

mod children;
mod exit;
pub mod host;
mod machine;
mod monitor;
pub mod plan;
mod probe;
mod qemu;
pub mod vsock;

pub use qemu::{Choice, Qemu, QemuConfig};
