//! The calls of Windows, each behind a safe function.
//!
//! * `library` — functions of a system library that may be absent.
//! * `compute` — computecore.dll: the Host Compute Service.
//! * `socket` — AF_HYPERV.
//! * `pipe` — a named pipe that a virtual machine may open.
//! * `user` — who this process runs as.
//! * `release` — which Windows this is.

pub(crate) mod compute;
mod library;
pub(crate) mod pipe;
pub(crate) mod release;
pub(crate) mod socket;
pub(crate) mod user;

/// As Windows wants strings: UTF-16 with a zero at its end.
fn wide(text: impl AsRef<std::ffi::OsStr>) -> Vec<u16> {
    use std::os::windows::ffi::OsStrExt;
    text.as_ref().encode_wide().chain([0]).collect()
}
