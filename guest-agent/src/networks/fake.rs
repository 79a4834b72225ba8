//! Links that a test makes up, behind the seam of [`super::wires`].

use std::{
    collections::BTreeSet,
    fs::File,
    io,
    net::Ipv4Addr,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
};

use super::{
    NetworksError,
    wires::{Ready, Wires},
};

/// What the test sees and says; clones share it.
#[derive(Debug, Clone, Default)]
pub(crate) struct FakeWires(Arc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    links: Mutex<BTreeSet<String>>,
    refuses: AtomicBool,
    keeps: AtomicBool,
}

impl FakeWires {
    /// The links that there are, each named after its address.
    pub(crate) fn links(&self) -> Vec<String> {
        self.0.links.lock().unwrap().iter().cloned().collect()
    }

    /// Takes a link away behind the engine's back.
    pub(crate) fn steal(&self, link: &str) {
        assert!(self.0.links.lock().unwrap().remove(link));
    }

    /// Whether nothing can be made any more.
    pub(crate) fn refuse(&self, refuses: bool) {
        self.0.refuses.store(refuses, Ordering::SeqCst);
    }

    /// Whether nothing can be cut any more.
    pub(crate) fn keep(&self, keeps: bool) {
        self.0.keeps.store(keeps, Ordering::SeqCst);
    }
}

impl Wires for FakeWires {
    fn prepare(&self) -> Result<(), NetworksError> {
        Ok(())
    }

    fn make(&self, address: Ipv4Addr) -> Result<Ready, NetworksError> {
        if self.0.refuses.load(Ordering::SeqCst) {
            let source = io::Error::from_raw_os_error(libc::ENOMEM);
            return Err(NetworksError::Namespace { address, step: "make it", source });
        }
        let link = format!("veth {address}");
        assert!(self.0.links.lock().unwrap().insert(link.clone()), "{address} is made twice");
        Ok(Ready { link, namespace: Arc::new(File::open("/dev/null").unwrap().into()) })
    }

    fn is_sound(&self, ready: &Ready) -> bool {
        self.0.links.lock().unwrap().contains(&ready.link)
    }

    fn cut(&self, link: &str) -> Result<(), NetworksError> {
        if self.0.keeps.load(Ordering::SeqCst) {
            let source = io::Error::from_raw_os_error(libc::EBUSY);
            return Err(NetworksError::Cut { link: link.to_owned(), source });
        }
        self.0.links.lock().unwrap().remove(link);
        Ok(())
    }
}
