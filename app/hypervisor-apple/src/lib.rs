//! macOS hosts: Virtualization.framework, "VZ".
//!
//! Compiled and tested on every host:
//!
//! * [`plan`] — specification → the machine that VZ is to make.
//! * [`kernel_image`] — whether VZ can boot a kernel.
//! * [`host`] — facts about the host → checks.
//! * [`exit`] — what was seen → how the machine ended.
//! * [`machine`] — the task that owns a machine; of VZ it knows two methods.
//!
//! On macOS alone:
//!
//! * [`Apple`] — the [`cove_machine::hypervisor::Hypervisor`].
//! * `vz` — everything that touches VZ.

#[cfg(target_os = "macos")]
mod apple;
pub mod exit;
pub mod host;
pub mod kernel_image;
pub mod machine;
pub mod plan;
#[cfg(target_os = "macos")]
mod vz;

#[cfg(target_os = "macos")]
pub use apple::Apple;
