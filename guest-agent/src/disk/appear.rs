//! Waits for a disk that its driver has yet to find.
//!
//! virtio's disks are there when their driver has been loaded. Hyper-V offers its devices afterwards, one by one, and a SCSI
//! bus is looked over in the background; the kernel says when (the events that udev lives on).

use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::net::{AddressFamily, SocketFlags, SocketType, netlink};

/// The kernel's own events; group 2 are those of a udev.
const KERNEL_EVENTS: u32 = 1;

/// What the kernel says of devices, from when this was made on.
pub(super) struct Events(OwnedFd);

impl Events {
    pub(super) fn of_the_kernel() -> Result<Self, Errno> {
        let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
        let socket =
            rustix::net::socket_with(AddressFamily::NETLINK, SocketType::DGRAM, flags, Some(netlink::KOBJECT_UEVENT))?;
        rustix::net::bind(&socket, &netlink::SocketAddrNetlink::new(0, KERNEL_EVENTS))?;
        Ok(Self(socket))
    }

    /// Looks, and looks again after each event, until something is found or the time is over; then what the last look said.
    pub(super) fn until<T, E: From<Errno>>(
        &self,
        patience: Duration,
        mut look: impl FnMut() -> Result<T, E>,
    ) -> Result<T, E> {
        let deadline = Instant::now() + patience;
        loop {
            let seen = look();
            let left = deadline.saturating_duration_since(Instant::now());
            if seen.is_ok() || !self.wait(left)? {
                return seen;
            }
        }
    }

    /// Whether there was an event in that time. What it says does not matter.
    fn wait(&self, left: Duration) -> Result<bool, Errno> {
        let left = Timespec { tv_sec: left.as_secs().cast_signed(), tv_nsec: left.subsec_nanos().into() };
        let ready = match poll(&mut [PollFd::new(&self.0, PollFlags::IN)], Some(&left)) {
            Err(Errno::INTR) => return Ok(true),
            ready => ready? > 0,
        };
        if !ready {
            return Ok(false);
        }
        let mut event = [0; 4096];
        loop {
            match rustix::io::read(&self.0, &mut event) {
                // More events than there was room for: some are lost, which is one more reason to look.
                Ok(1..) | Err(Errno::NOBUFS | Errno::INTR) => {}
                Ok(0) | Err(Errno::AGAIN) => return Ok(true),
                Err(errno) => return Err(errno),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use rustix::net::{SocketFlags, socketpair};

    use super::*;

    fn events() -> (Events, OwnedFd) {
        let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
        let (here, there) = socketpair(AddressFamily::UNIX, SocketType::DGRAM, flags, None).unwrap();
        (Events(here), there)
    }

    #[test]
    fn each_event_is_a_look_and_the_look_that_finds_is_the_last() {
        let (events, kernel) = events();
        let looks = Cell::new(0);
        rustix::io::write(&kernel, b"add@/devices/bus").unwrap();
        let found = events.until(Duration::from_secs(60), || {
            looks.set(looks.get() + 1);
            rustix::io::write(&kernel, b"add@/block/sda").unwrap();
            if looks.get() < 3 { Err(Errno::NODEV) } else { Ok("sda") }
        });
        assert_eq!((found, looks.get()), (Ok("sda"), 3));
    }

    #[test]
    fn what_is_there_is_not_waited_for_and_what_never_comes_has_an_end() {
        let (events, _kernel) = events();
        assert_eq!(events.until(Duration::from_secs(60), || Ok::<_, Errno>("vda")), Ok("vda"));
        assert_eq!(events.until(Duration::from_millis(1), || Err::<(), _>(Errno::NODEV)), Err(Errno::NODEV));
    }

    #[test]
    fn the_kernel_lets_itself_be_listened_to() {
        let events = Events::of_the_kernel().unwrap();
        assert_eq!(events.until(Duration::ZERO, || Ok::<_, Errno>(1)), Ok(1));
    }
}
