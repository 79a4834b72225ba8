//! The init of a container that asks for one: process 1, which executes the container's program as its child, passes on
//! signals, reaps what the program leaves behind and ends as the program ends.
//!
//! It is this program, mounted read-only where Docker has its own, and executed with the container's rights. What is
//! process 1 then has nothing of PID 1's memory, and cannot be written to through /proc/1/exe (CVE-2019-5736).

use std::{
    ffi::{CString, OsString},
    os::{
        fd::{AsFd, OwnedFd},
        unix::ffi::OsStringExt,
    },
    process::ExitCode,
};

use nix::sys::{
    signal::{SigSet, SigmaskHow, Signal, sigprocmask},
    signalfd::{SfdFlags, SignalFd},
};
use rustix::mount::MountAttrFlags;

use super::program;
use crate::{
    processes::error::{LaunchFailure, errno_text},
    rootfs::{RootfsError, Step as _, mounts, target},
    sys::{
        clone::{self, Side},
        execute,
        mount::set_attributes,
        send_signal::send_signal,
        wait,
    },
};

/// Where it is in a container, as Docker's is.
pub const PATH: &str = "/sbin/docker-init";

/// Signals that tell of a fault of the process itself; they are not passed on.
const FAULTS: [Signal; 7] =
    [Signal::SIGFPE, Signal::SIGILL, Signal::SIGSEGV, Signal::SIGBUS, Signal::SIGABRT, Signal::SIGTRAP, Signal::SIGSYS];

/// This program as a mount that nobody can write through, attached nowhere.
///
/// # Errors
/// What the kernel says.
pub fn prepare() -> rustix::io::Result<OwnedFd> {
    use rustix::fs::{Mode, OFlags, open};
    let copy = mounts::detached_copy(open("/proc/self/exe", OFlags::PATH | OFlags::CLOEXEC, Mode::empty())?)?;
    let attributes =
        MountAttrFlags::MOUNT_ATTR_RDONLY | MountAttrFlags::MOUNT_ATTR_NOSUID | MountAttrFlags::MOUNT_ATTR_NODEV;
    set_attributes(&copy, attributes, false)?;
    Ok(copy)
}

/// Mounts it, if there is one.
pub(super) fn mount(root: impl AsFd, program: Option<OwnedFd>) -> Result<(), RootfsError> {
    let Some(program) = program else { return Ok(()) };
    let place = target::find_or_make(root, PATH, target::Make::File).step(format!("make {PATH}"))?;
    mounts::attach(program, place).step(format!("mount {PATH}"))
}

/// Is process 1. The arguments are those behind its own name: "--", a program and its arguments.
#[must_use]
pub fn run(arguments: impl Iterator<Item = OsString>) -> ExitCode {
    let arguments: Vec<OsString> = arguments.skip_while(|argument| argument == "--").collect();
    match supervise(arguments) {
        Ok(code) => ExitCode::from(u8::try_from(code).unwrap_or(u8::MAX)),
        Err(error) => {
            complain(&errno_text(error.raw_os_error().unwrap_or(libc::EIO)));
            ExitCode::FAILURE
        }
    }
}

fn supervise(arguments: Vec<OsString>) -> std::io::Result<i32> {
    let mut signals = SigSet::all();
    FAULTS.into_iter().for_each(|fault| signals.remove(fault));
    sigprocmask(SigmaskHow::SIG_SETMASK, Some(&signals), None)?;
    let signals = SignalFd::with_flags(&signals, SfdFlags::SFD_CLOEXEC)?;
    match clone::fork()? {
        Side::Child => {
            drop(signals);
            become_program(arguments)
        }
        Side::Parent { pid, pidfd } => loop {
            let Some(signal) = signals.read_signal()?.and_then(|signal| i32::try_from(signal.ssi_signo).ok()) else {
                continue;
            };
            if signal != libc::SIGCHLD {
                // It fails when the program has ended, of which the kernel tells next.
                let _ = send_signal(&pidfd, signal);
            } else if let Some(code) = reap(pid)? {
                return Ok(code);
            }
        },
    }
}

/// Reaps all that has ended; how the program ended, if it did.
fn reap(program: u32) -> rustix::io::Result<Option<i32>> {
    let mut code = None;
    while let Some(ended) = wait::peek()? {
        wait::reap_pid(ended.pid)?;
        if ended.pid == program {
            code = Some(ended.code);
        }
    }
    Ok(code)
}

/// Executes the program in a process group of its own, which a terminal's keys then reach.
fn become_program(arguments: Vec<OsString>) -> ! {
    let _ = rustix::process::setpgid(None, None);
    // Without a terminal there is none to take. Signals are blocked still, else this would stop the process.
    let _ = rustix::termios::tcsetpgrp(rustix::stdio::stdin(), rustix::process::getpgrp());
    execute::reset_signals();
    let name = arguments.first().cloned().unwrap_or_default().to_string_lossy().into_owned();
    let variables: Vec<String> = std::env::vars_os()
        .map(|(name, value)| format!("{}={}", name.to_string_lossy(), value.to_string_lossy()))
        .collect();
    let (code, errno) = match program::find(&name, &variables) {
        Ok(path) => (1, execute(path, arguments)),
        Err(LaunchFailure::Permission { .. } | LaunchFailure::IsDirectory { .. }) => (126, libc::EACCES),
        Err(LaunchFailure::NoEntry { errno, .. }) => (if errno == libc::EACCES { 126 } else { 127 }, errno),
        Err(_) => (127, libc::ENOENT),
    };
    let text = std::io::Error::from_raw_os_error(errno).to_string();
    complain(&format!("exec {name} failed: {}", text.split(" (os error").next().unwrap_or_default()));
    clone::leave(code)
}

/// Returns why it could not.
fn execute(path: String, arguments: Vec<OsString>) -> i32 {
    let strings = |texts: Vec<OsString>| -> Result<Vec<CString>, std::ffi::NulError> {
        texts.into_iter().map(|text| CString::new(text.into_vec())).collect()
    };
    let environment = std::env::vars_os().map(|(mut name, value)| {
        name.push("=");
        name.push(value);
        name
    });
    match (CString::new(path), strings(arguments), strings(environment.collect())) {
        (Ok(path), Ok(arguments), Ok(environment)) => execute::execute(&path, &arguments, &environment).raw_os_error(),
        _ => libc::EINVAL,
    }
}

/// In the form that users of Docker's init know.
fn complain(text: &str) {
    use std::io::Write;
    let _ = writeln!(std::io::stderr(), "[FATAL tini ({})] {text}", std::process::id());
}
