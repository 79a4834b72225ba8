//! Which hypervisor this host has, and what it wants the data disk to be.

use cove_machine::hypervisor::Hypervisor;

/// QEMU, as the environment configures it.
#[cfg(target_os = "linux")]
pub(super) fn hypervisor() -> impl Hypervisor {
    cove_hypervisor_qemu::Qemu::new(cove_hypervisor_qemu::QemuConfig::from_environment())
}

/// Virtualization.framework.
#[cfg(target_os = "macos")]
pub(super) fn hypervisor() -> impl Hypervisor {
    cove_hypervisor_apple::Apple
}

/// Hyper-V.
#[cfg(windows)]
pub(super) fn hypervisor() -> impl Hypervisor {
    cove_hypervisor_windows::HyperV::default()
}

/// The data disk's file, in the machine's folder. Its name says its format: Hyper-V takes VHDX alone, the others raw disks.
pub const DATA_DISK: &str = if cfg!(windows) { "data.vhdx" } else { "data.raw" };
