//! Who this process runs as.
#![expect(unsafe_code, reason = "tokens have no safe face in the standard library")]

use std::{io, ptr};

use windows_sys::Win32::{
    Foundation::{CloseHandle, HANDLE, LocalFree},
    Security::{Authorization::ConvertSidToStringSidW, GetTokenInformation, TOKEN_QUERY, TOKEN_USER, TokenUser},
    System::Threading::{GetCurrentProcess, OpenProcessToken},
};

/// SECURITY_MAX_SID_SIZE is 68 bytes; in u64 for the alignment of TOKEN_USER.
const TOKEN_USER_WORDS: usize = 16;

/// The user's security identifier, "S-1-5-21-...".
///
/// # Errors
/// If the system does not say.
pub(crate) fn security_identifier() -> io::Result<String> {
    let token = Token::own()?;
    let mut buffer = [0_u64; TOKEN_USER_WORDS];
    let mut used = 0;
    // SAFETY: the token is open for queries; the buffer is as long as is said.
    let done = unsafe {
        GetTokenInformation(token.0, TokenUser, buffer.as_mut_ptr().cast(), size_of_val(&buffer) as u32, &raw mut used)
    };
    if done == 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the call has filled the buffer with a TOKEN_USER, for which it is aligned and long enough.
    let user = unsafe { &*buffer.as_ptr().cast::<TOKEN_USER>() };
    let mut text = ptr::null_mut();
    // SAFETY: the identifier lies in the buffer; the pointer is ours to fill.
    let done = unsafe { ConvertSidToStringSidW(user.User.Sid, &raw mut text) };
    if done == 0 {
        return Err(io::Error::last_os_error());
    }
    let mut identifier = String::new();
    let mut at = text;
    // SAFETY: the text ends with a zero and is ASCII.
    while let unit @ 1.. = unsafe { *at } {
        identifier.extend(char::from_u32(u32::from(unit)));
        // SAFETY: the zero has not been reached.
        at = unsafe { at.add(1) };
    }
    // SAFETY: the function that made it asks for LocalFree, and nobody uses it any more.
    unsafe { LocalFree(text.cast()) };
    Ok(identifier)
}

struct Token(HANDLE);

impl Token {
    fn own() -> io::Result<Self> {
        let mut token = ptr::null_mut();
        // SAFETY: it gives a constant.
        let process = unsafe { GetCurrentProcess() };
        // SAFETY: the process is this one; the handle is ours to fill.
        let done = unsafe { OpenProcessToken(process, TOKEN_QUERY, &raw mut token) };
        if done == 0 { Err(io::Error::last_os_error()) } else { Ok(Self(token)) }
    }
}

impl Drop for Token {
    fn drop(&mut self) {
        // SAFETY: it is open and nobody uses it any more.
        unsafe { CloseHandle(self.0) };
    }
}
