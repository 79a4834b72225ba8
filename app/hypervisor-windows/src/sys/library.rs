//! Functions of a system library that may be absent. A program that imports them does not start where they are not.
#![expect(unsafe_code, reason = "LoadLibraryExW and GetProcAddress are the calls that do it")]

use std::{io, ptr};

use windows_sys::Win32::{
    Foundation::HMODULE,
    System::LibraryLoader::{GetProcAddress, LOAD_LIBRARY_SEARCH_SYSTEM32, LoadLibraryExW},
};

use super::wide;

/// The address of a function whose parameters the caller knows.
pub(super) type Address = unsafe extern "system" fn() -> isize;

/// A loaded library. It stays for the life of the process: its functions are held as addresses.
pub(super) struct Library(HMODULE);

impl Library {
    /// Loads it from the system's folder and no other, so that a file beside the program is never taken for it.
    ///
    /// # Errors
    /// `NotFound` if there is none.
    pub(super) fn load(name: &str) -> io::Result<Self> {
        let name = wide(name);
        // SAFETY: the name ends with a zero and lives as long as the call.
        let module = unsafe { LoadLibraryExW(name.as_ptr(), ptr::null_mut(), LOAD_LIBRARY_SEARCH_SYSTEM32) };
        if module.is_null() { Err(io::Error::last_os_error()) } else { Ok(Self(module)) }
    }

    /// The address of a function; its name ends with a zero.
    ///
    /// # Errors
    /// If the library has none of that name: this Windows is too old.
    pub(super) fn address(&self, name: &'static str) -> io::Result<Address> {
        debug_assert!(name.ends_with('\0'), "the name of a function ends with a zero");
        // SAFETY: the module is loaded and the name ends with a zero.
        unsafe { GetProcAddress(self.0, name.as_ptr()) }.ok_or_else(io::Error::last_os_error)
    }
}
