//! Putting a container that runs on one more network.

use std::{os::fd::OwnedFd, sync::Arc};

use cove_proto::v1::NetworkAttachment;

use super::{
    Endpoint, Inner, Networks, NetworksError, Owner, Sandbox, namespace,
    wire::{self, Place},
};

impl Networks {
    /// Gives a container that runs, with this first process, a place on one more network. Blocks.
    ///
    /// # Errors
    /// If there is no address, or the kernel refuses; nothing is left then.
    pub fn connect(&self, owner: Owner<'_>, pid: u32, asked: &NetworkAttachment) -> Result<Endpoint, NetworksError> {
        let inner = &self.0;
        let before = self.sandbox(owner.id).unwrap_or_default();
        let mut places = inner.reserve(owner, std::slice::from_ref(asked), &before)?;
        let Some(mut place) = places.pop() else { return Err(NetworksError::NotFound(asked.network.clone())) };
        let made = inner.make_one_true(owner.id, pid, &before, &mut place).and_then(|namespace| {
            let mut sandbox = before.clone();
            sandbox.endpoints.push(place.endpoint.clone());
            let has_one = inner.state().sandboxes.get(owner.id).is_some_and(|held| held.resolver.is_some());
            let inside = namespace.as_deref().filter(|_| !has_one);
            let resolver = inner.name_server(owner.id, &sandbox, inside)?;
            inner.note(owner.id, &sandbox)?;
            Ok((sandbox, namespace, resolver))
        });
        let mut state = inner.state();
        match made {
            Ok((sandbox, namespace, resolver)) => {
                if let Some(held) = state.sandboxes.get_mut(owner.id) {
                    (held.sandbox, held.namespace) = (sandbox, namespace);
                    held.resolver = held.resolver.take().or(resolver);
                }
                Ok(place.endpoint)
            }
            Err(error) => {
                wire::unplug(&place.endpoint);
                state.give_back(&place.endpoint);
                Err(error)
            }
        }
    }
}

impl Inner {
    fn make_one_true(
        &self,
        container: &str,
        pid: u32,
        before: &Sandbox,
        place: &mut Place,
    ) -> Result<Option<Arc<OwnedFd>>, NetworksError> {
        if !self.has_kernel {
            return Ok(None);
        }
        let namespace = self.namespace(container, pid)?;
        wire::plug(&namespace, place)?;
        let old = self.places(before);
        let old: Vec<&Place> = old.iter().collect();
        let new: Vec<&Place> = old.iter().copied().chain([&*place]).collect();
        let routed = wire::reroute(&namespace, &old, &new);
        routed.map_err(|source| NetworksError::Link(place.record.device(), source))?;
        Ok(Some(namespace))
    }

    /// The network namespace of a container that runs.
    pub(super) fn namespace(&self, container: &str, pid: u32) -> Result<Arc<OwnedFd>, NetworksError> {
        let known = self.state().sandboxes.get(container).and_then(|held| held.namespace.clone());
        let of_process = || namespace::of_process(pid).map(Arc::new);
        known.map_or_else(of_process, Ok).map_err(|source| NetworksError::Link("a container".to_owned(), source))
    }

    /// The places of a sandbox that have links.
    pub(super) fn places(&self, sandbox: &Sandbox) -> Vec<Place> {
        let state = self.state();
        let place = |endpoint: &Endpoint| {
            let network = state.networks.get(&endpoint.network)?;
            let (record, bridge) = (Arc::clone(&network.record), network.index);
            (!endpoint.link.is_empty()).then(|| Place { endpoint: endpoint.clone(), record, bridge })
        };
        sandbox.endpoints.iter().filter_map(place).collect()
    }
}
