//! The seam to the kernel: what makes namespaces and links, and takes them away.

use std::{io, net::Ipv4Addr, os::fd::OwnedFd, sync::Arc};

use nix::net::if_::if_nametoindex;

use super::{
    NetworksError, bridge, namespace,
    netlink::{self, Netlink},
};

/// A namespace that a container can have at once.
#[derive(Debug, Clone)]
pub struct Ready {
    /// The name of the guest's end of its link.
    pub link: String,
    /// The namespace.
    pub namespace: Arc<OwnedFd>,
}

/// What makes namespaces and links.
pub trait Wires: Send + Sync + 'static {
    /// Sees to the bridge.
    ///
    /// # Errors
    /// If it cannot be made.
    fn prepare(&self) -> Result<(), NetworksError>;
    /// Makes a namespace with this address on the bridge.
    ///
    /// # Errors
    /// If the kernel refuses; nothing is left then.
    fn make(&self, address: Ipv4Addr) -> Result<Ready, NetworksError>;
    /// Whether it still is what it was when it was made.
    fn is_sound(&self, ready: &Ready) -> bool;
    /// Takes a link away, with both its ends; one that is gone is none the worse.
    ///
    /// # Errors
    /// If the kernel refuses.
    fn cut(&self, link: &str) -> Result<(), NetworksError>;
}

/// The kernel's.
#[derive(Debug)]
pub struct Kernel;

impl Wires for Kernel {
    fn prepare(&self) -> Result<(), NetworksError> {
        bridge::make()
    }

    fn make(&self, address: Ipv4Addr) -> Result<Ready, NetworksError> {
        if if_nametoindex(bridge::NAME).is_err() {
            bridge::make()?;
        }
        namespace::make(address)
    }

    /// Asked for by name, which waits for nobody: the kernel's lock on links may be held for long by one that is cut.
    fn is_sound(&self, ready: &Ready) -> bool {
        [bridge::NAME, ready.link.as_str()].iter().all(|name| if_nametoindex(*name).is_ok())
    }

    fn cut(&self, link: &str) -> Result<(), NetworksError> {
        let cut = || Netlink::open()?.ask(netlink::delete(link));
        match cut() {
            Err(error) if is_gone(&error) => Ok(()),
            cut => cut.map_err(|source| NetworksError::Cut { link: link.to_owned(), source }),
        }
    }
}

fn is_gone(error: &io::Error) -> bool {
    error.raw_os_error() == Some(libc::ENODEV)
}
