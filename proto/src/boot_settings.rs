//! What the user has set about containers, as the guest is told at each boot: JSON in a file of the initramfs, beside the
//! secret ([`super::boot_secret`]).

/// Where the guest finds it.
pub const GUEST_PATH: &str = "/cove/boot-settings";
