//! A named pipe that a virtual machine may open.
#![expect(unsafe_code, reason = "tokio takes access lists as pointers")]

use std::{io, ptr};

use tokio::net::windows::named_pipe::{NamedPipeServer, ServerOptions};
use windows_sys::Win32::{
    Foundation::LocalFree,
    Security::{
        Authorization::{ConvertStringSecurityDescriptorToSecurityDescriptorW, SDDL_REVISION_1},
        PSECURITY_DESCRIPTOR, SECURITY_ATTRIBUTES,
    },
};

use super::wide;

/// SYSTEM, the administrators, who made it, and the accounts of virtual machines ("NT VIRTUAL MACHINE\Virtual Machines"),
/// as one of which a machine's worker process opens it.
const ACCESS: &str = "D:P(A;;GA;;;SY)(A;;GA;;;BA)(A;;GA;;;OW)(A;;GRGW;;;S-1-5-83-0)";

/// Makes the one instance of the pipe.
///
/// # Errors
/// If somebody has the name already, or the system refuses.
pub(crate) fn create(name: &str) -> io::Result<NamedPipeServer> {
    let access = Access::parse(ACCESS)?;
    let attributes = SECURITY_ATTRIBUTES {
        nLength: size_of::<SECURITY_ATTRIBUTES>() as u32,
        lpSecurityDescriptor: access.0,
        bInheritHandle: 0,
    };
    let mut options = ServerOptions::new();
    options.first_pipe_instance(true).max_instances(1).reject_remote_clients(true);
    // SAFETY: the attributes, and the access list in them, live as long as the call.
    unsafe { options.create_with_security_attributes_raw(name, ptr::from_ref(&attributes).cast_mut().cast()) }
}

struct Access(PSECURITY_DESCRIPTOR);

impl Access {
    fn parse(text: &str) -> io::Result<Self> {
        let text = wide(text);
        let mut descriptor = ptr::null_mut();
        // SAFETY: the text ends with a zero; the pointer is ours to fill; the size is not asked for.
        let done = unsafe {
            ConvertStringSecurityDescriptorToSecurityDescriptorW(
                text.as_ptr(),
                SDDL_REVISION_1,
                &raw mut descriptor,
                ptr::null_mut(),
            )
        };
        if done == 0 { Err(io::Error::last_os_error()) } else { Ok(Self(descriptor)) }
    }
}

impl Drop for Access {
    fn drop(&mut self) {
        // SAFETY: the function that made it asks for LocalFree, and nobody uses it any more.
        unsafe { LocalFree(self.0) };
    }
}
