//! Taking a container that runs off a network, and calling it otherwise.

use super::{Endpoint, Networks, NetworksError, wire, wire::Place};

impl Networks {
    /// Takes a container that runs, with this first process, off a network; says what it had there. Blocks.
    ///
    /// # Errors
    /// If it is not on it, or the kernel refuses.
    pub fn disconnect(&self, container: &str, pid: u32, network: &str) -> Result<Endpoint, NetworksError> {
        let inner = &self.0;
        let before = self.sandbox(container).unwrap_or_default();
        let mut after = before.clone();
        let place = after.endpoints.iter().position(|endpoint| endpoint.network == network);
        let Some(gone) = place.map(|at| after.endpoints.remove(at)) else {
            return Err(NetworksError::NotOn { container: container.to_owned(), network: network.to_owned() });
        };
        inner.note(container, &after)?;
        if let Some(held) = inner.state().sandboxes.get_mut(container) {
            held.sandbox = after.clone();
        }
        let routed = if gone.link.is_empty() { Ok(()) } else { self.unplug(container, pid, &gone, [&before, &after]) };
        inner.state().give_back(&gone);
        routed.map(|()| gone)
    }

    fn unplug(
        &self,
        container: &str,
        pid: u32,
        gone: &Endpoint,
        [before, after]: [&super::Sandbox; 2],
    ) -> Result<(), NetworksError> {
        wire::unplug(gone);
        let (old, new) = (self.0.places(before), self.0.places(after));
        let (old, new): (Vec<&Place>, Vec<&Place>) = (old.iter().collect(), new.iter().collect());
        let namespace = self.0.namespace(container, pid)?;
        let routed = wire::reroute(&namespace, &old, &new);
        routed.map_err(|source| NetworksError::Link("a container".to_owned(), source))
    }

    /// A container has another name now, by which the others on its networks know it.
    pub fn rename(&self, container: &str, name: &str) {
        let mut state = self.0.state();
        let Some(held) = state.sandboxes.get_mut(container) else { return };
        for endpoint in held.sandbox.endpoints.iter_mut().filter(|endpoint| !endpoint.names.is_empty()) {
            endpoint.names.retain(|known| known != name);
            match endpoint.names.first_mut() {
                Some(first) => name.clone_into(first),
                None => endpoint.names.push(name.to_owned()),
            }
        }
        let sandbox = held.sandbox.clone();
        drop(state);
        if let Err(error) = self.0.note(container, &sandbox) {
            tracing::warn!(error = &error as &dyn std::error::Error, "a new name is not noted");
        }
    }
}
