//! What the host has. Nothing here needs the queue.
#![expect(unsafe_code, reason = "calls of Security.framework and VZ")]

use std::ptr;

use objc2_core_foundation::{CFBoolean, CFString};
use objc2_foundation::NSProcessInfo;
use objc2_security::SecTask;
use objc2_virtualization::{VZVirtualMachine, VZVirtualMachineConfiguration};

use crate::host::{ENTITLEMENT, Facts, Limits, OLDEST_MACOS};

/// Looks at the host.
pub(crate) fn find() -> Facts {
    let version = NSProcessInfo::processInfo().operatingSystemVersion();
    let macos = (version.majorVersion, version.minorVersion, version.patchVersion);
    // An older macOS may not have the class at all, and to ask a class that is not there ends the program.
    // SAFETY: a class method without arguments, of any thread.
    let supported = macos.0 >= OLDEST_MACOS && unsafe { VZVirtualMachine::isSupported() };
    Facts { macos, supported, entitled: entitled() }
}

/// How large a machine may be. To be asked where [`Facts`] have no problem: an older macOS may not have the class.
pub(crate) fn limits() -> Limits {
    type Configuration = VZVirtualMachineConfiguration;
    // SAFETY: class methods without arguments, of any thread; so are the three below.
    let fewest = unsafe { Configuration::minimumAllowedCPUCount() };
    // SAFETY: as above.
    let most_cpus = unsafe { Configuration::maximumAllowedCPUCount() };
    // SAFETY: as above.
    let least = unsafe { Configuration::minimumAllowedMemorySize() };
    // SAFETY: as above.
    let most = unsafe { Configuration::maximumAllowedMemorySize() };
    Limits { cpus: fewest..=most_cpus, memory_bytes: least..=most }
}

/// Whether this very process carries the entitlement: a program of another signature would be refused.
fn entitled() -> Result<bool, String> {
    // SAFETY: no allocator is the default allocator.
    let own = unsafe { SecTask::from_self(None) }.ok_or("this process has no security task")?;
    // SAFETY: the error may be null: absent and unreadable are the same to us, because a process may always read its own.
    let value = unsafe { own.value_for_entitlement(&CFString::from_static_str(ENTITLEMENT), ptr::null_mut()) };
    Ok(value.is_some_and(|value| value.downcast_ref::<CFBoolean>().is_some_and(CFBoolean::as_bool)))
}
