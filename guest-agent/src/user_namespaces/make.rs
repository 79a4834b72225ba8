//! Making a user namespace. A process with threads cannot enter one, so another process makes it and holds it, for the moment
//! that it takes to get descriptors of it.

use std::{
    fs::{self, File},
    io::{self, BufRead, BufReader, Read, Write},
    os::fd::OwnedFd,
    process::{Child, Command, ExitCode, Stdio},
};

use nix::sched::{CloneFlags, unshare};
use rustix::{
    process::{Gid, Uid},
    thread::{set_thread_res_gid, set_thread_res_uid},
};

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
    let holder = Holder::start()?;
    let of_holder = |name: &str| format!("/proc/{}/{name}", holder.0.id());
    for file in ["uid_map", "gid_map"] {
        fs::write(of_holder(file), super::map())?;
    }
    let open = |name| File::open(of_holder(name)).map(OwnedFd::from);
    Ok(Made { user: open("ns/user")?, network: open("ns/net")? })
}

/// Ends with the agent, and with this.
struct Holder(Child);

impl Holder {
    fn start() -> io::Result<Self> {
        let mut command = Command::new("/proc/self/exe");
        command.arg(HOLDER).env_clear().stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
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
}

impl Drop for Holder {
    fn drop(&mut self) {
        // It has ended if that fails.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Is the process that holds one, until its standard input ends.
#[must_use]
pub fn hold() -> ExitCode {
    let said = match enter() {
        Ok(()) => writeln!(io::stdout(), "{READY}"),
        Err(error) => writeln!(io::stdout(), "{error}"),
    };
    // What it would say to nobody is not needed.
    let ended = said.and_then(|()| io::stdin().read(&mut [0]));
    if ended.is_ok() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn enter() -> io::Result<()> {
    let (user, group) = (Uid::from_raw(OWNER), Gid::from_raw(OWNER));
    set_thread_res_gid(group, group, group)?;
    set_thread_res_uid(user, user, user)?;
    Ok(unshare(CloneFlags::CLONE_NEWUSER | CloneFlags::CLONE_NEWNET)?)
}
