//! Which Windows this is.

use std::io;

use windows_registry::LOCAL_MACHINE;

/// The build number: 19045 is Windows 10 22H2. The registry has it; GetVersionEx tells each program what its manifest wants
/// to hear.
///
/// # Errors
/// If the registry does not say.
pub(crate) fn build() -> io::Result<u32> {
    let digits = LOCAL_MACHINE
        .open(r"SOFTWARE\Microsoft\Windows NT\CurrentVersion")
        .and_then(|key| key.get_string("CurrentBuildNumber"))
        .map_err(|error| io::Error::from_raw_os_error(error.code().0))?;
    digits.parse().map_err(|_| io::Error::new(io::ErrorKind::InvalidData, format!("{digits:?} is no build number")))
}
