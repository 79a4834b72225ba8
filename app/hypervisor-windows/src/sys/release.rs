//! Which Windows this is.
#![expect(unsafe_code, reason = "the registry has no safe face in the standard library")]

use std::{io, ptr};

use windows_sys::Win32::System::Registry::{HKEY_LOCAL_MACHINE, RRF_RT_REG_SZ, RegGetValueW};

use super::wide;

/// The build number: 19045 is Windows 10 22H2. The registry has it; GetVersionEx tells each program what its manifest wants
/// to hear.
///
/// # Errors
/// If the registry does not say.
pub(crate) fn build() -> io::Result<u32> {
    let key = wide(r"SOFTWARE\Microsoft\Windows NT\CurrentVersion");
    let value = wide("CurrentBuildNumber");
    let mut text = [0_u16; 16];
    let mut bytes = size_of_val(&text) as u32;
    // SAFETY: both names end with a zero; the buffer is as long as is said; its type is not asked for.
    let code = unsafe {
        RegGetValueW(
            HKEY_LOCAL_MACHINE,
            key.as_ptr(),
            value.as_ptr(),
            RRF_RT_REG_SZ,
            ptr::null_mut(),
            text.as_mut_ptr().cast(),
            &raw mut bytes,
        )
    };
    if code != 0 {
        return Err(io::Error::from_raw_os_error(code.cast_signed()));
    }
    let text = String::from_utf16_lossy(&text);
    let digits = text.split('\0').next().unwrap_or_default();
    digits.parse().map_err(|_| io::Error::new(io::ErrorKind::InvalidData, format!("{digits:?} is no build number")))
}
