//! Giving a container its network for a run, and taking it back at the end.

use std::{net::Ipv4Addr, os::fd::OwnedFd, sync::Arc};

use super::{BuiltIn, Lease, Networks, NetworksError, Place, Shared, wires::Ready};
use crate::names;

/// What a container gets.
#[derive(Debug)]
pub struct Attached {
    /// What it has.
    pub lease: Lease,
    /// The namespace that its processes join; `None` when it has one of its own or the guest's.
    pub namespace: Option<Arc<OwnedFd>>,
}

impl Networks {
    /// Gives a container its network. It has it until [`Networks::detach`].
    ///
    /// # Errors
    /// If there is no address, or the kernel makes no namespace; nothing is left then.
    pub fn attach(&self, container_id: &str, network: BuiltIn) -> Result<Attached, NetworksError> {
        let shared = self.shared();
        let id = || names::new_id().map_err(NetworksError::Id);
        let (endpoint_id, sandbox_id) = (id()?, id()?);
        let found = match network {
            BuiltIn::Bridge => Some(shared.find_place()?),
            BuiltIn::Host | BuiltIn::None => None,
        };
        let (place, namespace) = found.unzip();
        let lease = Lease { network, endpoint_id, sandbox_id, place };
        if let Err(error) = shared.files.write(container_id, &lease) {
            shared.leave(lease.place);
            return Err(error);
        }
        let before = shared.state().leases.insert(container_id.to_owned(), lease.clone());
        shared.leave(before.and_then(|lease| lease.place));
        Ok(Attached { lease, namespace })
    }

    /// Takes back what a container has; the keeper sees to the rest. Says what it was.
    pub fn detach(&self, container_id: &str) -> Option<Lease> {
        let shared = self.shared();
        let lease = shared.state().leases.remove(container_id)?;
        shared.files.remove(container_id);
        shared.leave(lease.place.clone());
        Some(lease)
    }
}

impl Shared {
    /// One that is ready, or else one that is made now.
    fn find_place(&self) -> Result<(Place, Arc<OwnedFd>), NetworksError> {
        while let Some((address, ready)) = self.take_ready() {
            let place = Place { address, link: ready.link.clone() };
            if self.wires.is_sound(&ready) {
                return Ok((place, ready.namespace));
            }
            tracing::warn!(%address, link = ready.link, "a network namespace that was ready is of no use any more");
            self.leave(Some(place));
        }
        let address = self.state().taken.take_lowest().ok_or_else(|| NetworksError::NoAddress {
            name: BuiltIn::Bridge.name(),
            id: self.facts[&BuiltIn::Bridge].id.clone(),
        })?;
        match self.wires.make(address) {
            Ok(Ready { link, namespace }) => Ok((Place { address, link }, namespace)),
            Err(error) => {
                self.state().taken.give_back(address);
                Err(error)
            }
        }
    }

    /// The one with the lowest address.
    fn take_ready(&self) -> Option<(Ipv4Addr, Ready)> {
        let mut state = self.state();
        let taken = state.ready.pop_first();
        self.wake(state);
        taken
    }

    /// Leaves it to the keeper to cut a link and to free its address.
    fn leave(&self, place: Option<Place>) {
        let Some(place) = place else { return };
        let mut state = self.state();
        state.leaving.push(place);
        self.wake(state);
    }
}
