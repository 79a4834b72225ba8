//! Making a user namespace, and network namespaces that belong to one. A process with threads cannot enter one, so another
//! process makes them and holds them, for the moment that it takes to get descriptors of them.

use std::{
    ffi::OsString,
    fs::{self, File},
    io::{self, BufRead, BufReader, Read, Write},
    os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd},
    path::Path,
    process::{Child, Command, ExitCode, Stdio},
};

use nix::sched::{CloneFlags, unshare};
use rustix::{
    process::{Gid, Uid},
    thread::{ThreadNameSpaceType, set_thread_res_gid, set_thread_res_uid},
};

use crate::namespaces;

/// The argument by which this program is such a process.
pub const HOLDER: &str = "hold-user-namespace";

/// Who owns the namespaces: nobody. To the kernel their owner has all capabilities in them, and the root of a container
/// without one is the guest's, whose that must not be.
const OWNER: u32 = u32::MAX - 2;

const READY: &str = "ready";

/// A user namespace.
#[derive(Debug)]
pub struct Made {
    /// The namespace.
    pub user: OwnedFd,
    /// A network namespace of its own.
    pub network: OwnedFd,
}

/// Makes a user namespace. Blocks, for as long as a program takes to start.
///
/// # Errors
/// If there are too many, or no process can be made.
pub fn make() -> io::Result<Made> {
    let holder = Holder::start(None)?;
    for file in ["uid_map", "gid_map"] {
        fs::write(holder.file(file), super::map())?;
    }
    Ok(Made { user: holder.open("ns/user")?, network: holder.open("ns/net")? })
}

/// Makes a network namespace of a user namespace that there is. Blocks as long.
///
/// # Errors
/// If no process can be made.
pub fn make_network(user_namespace: impl AsFd) -> io::Result<OwnedFd> {
    Holder::start(Some(user_namespace.as_fd()))?.open("ns/net")
}

/// Ends with the agent, and with this.
struct Holder(Child);

impl Holder {
    /// Of a user namespace, or of a new one.
    fn start(user_namespace: Option<BorrowedFd<'_>>) -> io::Result<Self> {
        let mut command = Command::new("/proc/self/exe");
        let path = |namespace: BorrowedFd<'_>| format!("/proc/{}/fd/{}", std::process::id(), namespace.as_raw_fd());
        command
            .arg(HOLDER)
            .args(user_namespace.map(path))
            .env_clear()
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null());
        let mut holder = Self(command.spawn()?);
        let mut said = String::new();
        if let Some(output) = holder.0.stdout.take() {
            BufReader::new(output).read_line(&mut said)?;
        }
        match said.trim_end() {
            READY => Ok(holder),
            "" => Err(io::Error::other("the process that makes it has ended")),
            reason => Err(io::Error::other(reason.to_owned())),
        }
    }

    fn file(&self, name: &str) -> String {
        format!("/proc/{}/{name}", self.0.id())
    }

    fn open(&self, name: &str) -> io::Result<OwnedFd> {
        File::open(self.file(name)).map(OwnedFd::from)
    }
}

impl Drop for Holder {
    fn drop(&mut self) {
        // It has ended if that fails.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Is the process that holds them, until its standard input ends. The argument is the path of a user namespace, if it is not
/// to make one.
#[must_use]
pub fn hold(mut arguments: impl Iterator<Item = OsString>) -> ExitCode {
    let entered = match arguments.next() {
        None => make_user_namespace(),
        Some(path) => join_user_namespace(Path::new(&path)),
    };
    let said = match entered.and_then(|()| Ok(unshare(CloneFlags::CLONE_NEWNET)?)) {
        Ok(()) => writeln!(io::stdout(), "{READY}"),
        Err(error) => writeln!(io::stdout(), "{error}"),
    };
    // What it would say to nobody is not needed.
    let ended = said.and_then(|()| io::stdin().read(&mut [0]));
    if ended.is_ok() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn join_user_namespace(path: &Path) -> io::Result<()> {
    Ok(namespaces::enter(File::open(path)?, ThreadNameSpaceType::USER)?)
}

fn make_user_namespace() -> io::Result<()> {
    let (user, group) = (Uid::from_raw(OWNER), Gid::from_raw(OWNER));
    set_thread_res_gid(group, group, group)?;
    set_thread_res_uid(user, user, user)?;
    Ok(unshare(CloneFlags::CLONE_NEWUSER)?)
}
