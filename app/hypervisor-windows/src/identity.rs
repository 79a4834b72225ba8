//! A machine's id: the name that HCS knows it by, and its address for AF_HYPERV sockets.
//!
//! It is the same for every run in one runtime folder. So an access right that a run was given to the data disk is the next
//! run's as well instead of one more, and what a run left behind can be found.

use std::{fmt, path::Path};

/// An id in the form of a GUID.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MachineId(u128);

impl MachineId {
    /// The id of the machines that run in this folder.
    #[must_use]
    pub fn of(runtime_dir: &Path) -> Self {
        let bytes = runtime_dir.as_os_str().as_encoded_bytes();
        let hash = u128::from(fnv1a(b"cove", bytes)) << 64 | u128::from(fnv1a(b"machine", bytes));
        // RFC 9562: version 8, "made by the application's own rule", and its variant.
        Self(hash & !(0xf << 76) & !(0x3 << 62) | 8 << 76 | 2 << 62)
    }

    /// As a number, most significant digit first as in text.
    #[must_use]
    pub fn as_u128(self) -> u128 {
        self.0
    }
}

impl fmt::Display for MachineId {
    /// As HCS and the registry write it: 8-4-4-4-12 digits.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let digits = format!("{:032X}", self.0);
        write!(f, "{}-{}-{}-{}-{}", &digits[..8], &digits[8..12], &digits[12..16], &digits[16..20], &digits[20..])
    }
}

/// FNV-1a over both, 64 bits: no secret, only an even spread.
fn fnv1a(salt: &[u8], bytes: &[u8]) -> u64 {
    salt.iter()
        .chain(bytes)
        .fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_a_guid_of_its_folder() {
        let id = MachineId::of(Path::new("C:/a/run/machine"));
        assert_eq!(id, MachineId::of(Path::new("C:/a/run/machine")));
        assert_ne!(id, MachineId::of(Path::new("C:/b/run/machine")));
        let text = id.to_string();
        let lengths: Vec<_> = text.split('-').map(str::len).collect();
        assert_eq!(lengths, [8, 4, 4, 4, 12]);
        assert_eq!(&text[14..15], "8");
        assert!("89AB".contains(&text[19..20]), "{text}");
    }
}
