//! Network namespaces that are ready for a container before there is one: loopback up, a link into the bridge.

use std::{
    fs::{self, File},
    io,
    os::fd::{AsFd, OwnedFd},
    thread,
};

use rustix::{
    io::Errno,
    thread::{LinkNameSpaceType, ThreadNameSpaceType},
};

use super::netlink::{Netlink, Veth};
use crate::{names, namespaces, sys::loopback, user_namespaces};

/// What the container calls its end.
const INSIDE: &str = "eth0";
/// Docker's default.
pub(super) const MTU: u32 = 1500;

/// What a thread does in another network namespace, where it then ends.
pub(super) fn within<T: Send>(namespace: &OwnedFd, work: impl FnOnce() -> io::Result<T> + Send) -> io::Result<T> {
    let enter = || {
        rustix::thread::move_into_link_name_space(namespace.as_fd(), Some(LinkNameSpaceType::Network))?;
        work()
    };
    thread::scope(|scope| {
        let thread = thread::Builder::new().name("in-netns".to_owned()).spawn_scoped(scope, enter)?;
        thread.join().map_err(|_| io::Error::other("the thread in a network namespace has panicked"))?
    })
}

/// The network namespace of a process.
pub(super) fn of_process(pid: u32) -> io::Result<OwnedFd> {
    Ok(File::open(format!("/proc/{pid}/ns/net"))?.into())
}

/// A name for the outer end of a link.
pub(super) fn link_name() -> io::Result<String> {
    Ok(format!("veth{}", &names::new_id().map_err(io::Error::other)?[..7]))
}

/// A network namespace without an address yet.
pub(super) struct Ready {
    /// Keeps it until somebody lives in it.
    pub(super) namespace: OwnedFd,
    /// Name of its link's outer end.
    pub(super) link: String,
    /// A conversation about it.
    pub(super) inside: Netlink,
    /// Index of the inner end.
    pub(super) index: u32,
    /// The bridge that its outer end is in.
    pub(super) bridge: u32,
}

/// Makes one whose link ends in this bridge, or makes this one so, which belongs to a container's user namespace.
pub(super) fn make(bridge: u32, given: Option<OwnedFd>) -> io::Result<Ready> {
    // A thread of its own: it is in the new namespace afterwards, and ends with it.
    let made = thread::Builder::new().name("netns".to_owned()).spawn(move || make_here(bridge, given))?;
    made.join().map_err(|_| io::Error::other("the thread that makes a network namespace has panicked"))?
}

fn make_here(bridge: u32, given: Option<OwnedFd>) -> io::Result<Ready> {
    let outside = Netlink::open()?;
    let groups = match given {
        Some(namespace) => {
            namespaces::enter(namespace, ThreadNameSpaceType::NETWORK)?;
            user_namespaces::GROUPS_OUTSIDE
        }
        None => {
            nix::sched::unshare(nix::sched::CloneFlags::CLONE_NEWNET)?;
            namespaces::ALL_GROUPS
        }
    };
    let namespace: OwnedFd = File::open("/proc/thread-self/ns/net")?.into();
    loopback::bring_up()?;
    for (parameter, value) in namespaces::own_network(&groups) {
        fs::write(format!("/proc/sys/{parameter}"), value)?;
    }
    let link = link_name()?;
    outside.add_veth(&Veth { name: &link, bridge, peer: INSIDE, namespace: namespace.as_fd(), mtu: MTU })?;
    without_ipv6(INSIDE)?;
    let inside = Netlink::open()?;
    let index = Netlink::index(INSIDE)?;
    Ok(Ready { namespace, link, inside, index, bridge })
}

/// Most networks have no IPv6. A kernel without it has no such file.
pub(super) fn without_ipv6(link: &str) -> io::Result<()> {
    set_ipv6(link, false)
}

/// Whether a link of this thread's namespace has IPv6.
pub(super) fn set_ipv6(link: &str, has: bool) -> io::Result<()> {
    match fs::write(format!("/proc/sys/net/ipv6/conf/{link}/disable_ipv6"), if has { "0" } else { "1" }) {
        Err(error) if error.raw_os_error() == Some(Errno::NOENT.raw_os_error()) => Ok(()),
        done => done,
    }
}
