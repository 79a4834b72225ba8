//! The end of the machine: every process, then the data disk, then the power.

use std::{
    fs,
    io::{self, Seek},
    path::Path,
    time::{Duration, Instant},
};

use nix::sys::signalfd::SignalFd;
use rustix::{
    event::{PollFd, PollFlags, Timespec},
    mount::{MountFlags, UnmountFlags, mount_remount, unmount},
    process::Signal,
    system::{RebootCommand, reboot},
};

use super::{agent::Agent, console};
use crate::{
    cgroups,
    disk::MOUNT_POINT as DATA,
    sys::wait::{peek, reap_pid},
    user_namespaces,
};

/// How long the agent may take to end by itself, with its database closed.
const AGENT_GRACE: Duration = Duration::from_secs(5);

/// How long killed processes may take to be gone.
const KILL_GRACE: Duration = Duration::from_secs(5);

/// Ends everything in order and powers off. Containers have been asked to end before: that is the agent's part.
pub(super) fn in_order(agent: Option<&Agent>, signals: &SignalFd) {
    console::say("power off");
    if let Err(error) = kill_containers(signals) {
        console::say(&format!("containers could not be ended: {error}"));
    }
    if let Some(agent) = agent {
        end_agent(agent);
    }
    if let Err(error) = give_up_data_disk() {
        console::say(&format!("{DATA} could not be unmounted: {error}"));
    }
    now();
}

/// Powers off, with what is in memory on its disk. Returns only when the kernel refuses.
pub(super) fn now() {
    rustix::fs::sync();
    if let Err(error) = reboot(RebootCommand::PowerOff) {
        console::say(&format!("the kernel does not power off: {error}"));
    }
}

/// Kills them, and reaps: a container's first process is not gone before its execs are, which are children of PID 1.
fn kill_containers(signals: &SignalFd) -> io::Result<()> {
    let containers = Path::new(cgroups::CONTAINERS);
    fs::write(containers.join("cgroup.kill"), "1")?;
    let mut events = fs::File::open(containers.join("cgroup.events"))?;
    let start = Instant::now();
    while populated(&mut events)? {
        let changes = [PollFd::new(&events, PollFlags::PRI), PollFd::new(signals, PollFlags::IN)];
        if !wait(changes, KILL_GRACE, start) {
            return Err(io::ErrorKind::TimedOut.into());
        }
        while let Ok(Some(_)) = signals.read_signal() {}
        while let Ok(Some(ended)) = peek() {
            // It has ended and is ours, so this cannot fail; if it did, the time would run out.
            let _ = reap_pid(ended.pid);
        }
    }
    Ok(())
}

fn populated(events: &mut fs::File) -> io::Result<bool> {
    events.rewind()?;
    Ok(io::read_to_string(events)?.contains("populated 1"))
}

fn end_agent(agent: &Agent) {
    let start = Instant::now();
    let _ = rustix::process::pidfd_send_signal(&agent.pidfd, Signal::TERM);
    if !wait([PollFd::new(&agent.pidfd, PollFlags::IN)], AGENT_GRACE, start) {
        let _ = rustix::process::pidfd_send_signal(&agent.pidfd, Signal::KILL);
        wait([PollFd::new(&agent.pidfd, PollFlags::IN)], KILL_GRACE, Instant::now());
    }
}

/// Waits for an event; false when the time is up.
fn wait<const N: usize>(mut events: [PollFd<'_>; N], grace: Duration, start: Instant) -> bool {
    let Some(Ok(left)) = grace.checked_sub(start.elapsed()).map(Timespec::try_from) else { return false };
    rustix::io::retry_on_intr(|| rustix::event::poll(&mut events, Some(&left))).is_ok_and(|ready| ready > 0)
}

/// Unmounts the data disk. One that something still uses is made read-only, which writes everything just as well.
fn give_up_data_disk() -> Result<(), rustix::io::Errno> {
    rustix::fs::sync();
    // As containers with a user namespace see it. It is there only if there were any.
    let _ = unmount(user_namespaces::DISK, UnmountFlags::empty());
    match unmount(DATA, UnmountFlags::empty()) {
        // Not mounted.
        Ok(()) | Err(rustix::io::Errno::INVAL | rustix::io::Errno::NOENT) => Ok(()),
        Err(_) => mount_remount(DATA, MountFlags::RDONLY, ""),
    }
}
