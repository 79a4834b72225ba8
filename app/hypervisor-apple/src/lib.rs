//! macOS hosts: Virtualization.framework, "VZ".
//!
//! Pure, and therefore compiled and tested on every host:
//!
//! * [`plan`] — specification → the machine that VZ is to make.
//! * [`kernel_image`] — whether VZ can boot a kernel.
//! * [`host`] — facts about the host → checks.
//! * [`exit`] — what was seen → how the machine ended.
//!
//! On macOS alone:
//!
//! * [`Apple`] — the [`cove_machine::hypervisor::Hypervisor`].
//! * `vz` — everything that touches VZ.
//! * `machine` — the task that owns a machine.

#[cfg(target_os = "macos")]
mod apple;
pub mod exit;
pub mod host;
pub mod kernel_image;
#[cfg(target_os = "macos")]
mod machine;
pub mod plan;
#[cfg(target_os = "macos")]
mod vz;

#[cfg(target_os = "macos")]
pub use apple::Apple;
