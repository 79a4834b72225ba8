//! Which hypervisor this host has.

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
