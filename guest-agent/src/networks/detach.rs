//! Taking a container that ended off its networks.

use super::{Inner, Networks, wire};

impl Networks {
    /// A container has ended, or did not start. Waits for nothing. Says what it had.
    pub fn detach(&self, container: &str) -> Option<super::Sandbox> {
        let inner = &self.0;
        let mut state = inner.state();
        let held = state.sandboxes.remove(container)?;
        // It fails when it is gone, which is as well.
        let _ = std::fs::remove_file(inner.notes.join(container));
        if inner.has_kernel {
            let endpoints = held.sandbox.endpoints.iter().cloned();
            state.leaving.extend(endpoints.map(|endpoint| (container.to_owned(), endpoint)));
        } else {
            held.sandbox.endpoints.iter().for_each(|endpoint| state.give_back(endpoint));
        }
        drop(state);
        inner.changed.notify_all();
        Some(held.sandbox)
    }
}

impl Inner {
    /// Removes the links of containers that have ended, and gives their addresses back.
    pub(super) fn remove_links(&self) {
        let mut state = self.state();
        loop {
            let Some((_, endpoint)) = state.leaving.first().cloned() else {
                state = self.wait(state);
                continue;
            };
            drop(state);
            wire::unplug(&endpoint);
            state = self.state();
            state.leaving.retain(|(_, other)| other.id != endpoint.id);
            state.give_back(&endpoint);
            self.changed.notify_all();
        }
    }
}
