//! Telling what happens to a container, under dockerd's names: with the container's labels, image and name.

use super::{Containers, Engine, actor::Actor, record::Record};
use crate::{
    events::{Event, Kind},
    networks::Sandbox,
};

/// An event of a container.
fn event(record: &Record, action: impl Into<String>) -> Event {
    let event = record
        .spec
        .labels
        .iter()
        .fold(Event::new(Kind::Container, action, &record.id), |event, (name, value)| event.with(name, value));
    event.with("image", &record.spec.image).with("name", &record.name)
}

impl Engine {
    /// Tells that something happened to a container; `more` adds what there is to say about it.
    pub(super) fn tell(&self, record: &Record, action: &str, more: impl FnOnce(Event) -> Event) {
        self.events.publish(more(event(record, action)));
    }
}

impl Actor {
    /// Tells that it is on its networks, or no longer.
    pub(super) fn tell_networks(&self, action: &str, had: &Sandbox) {
        had.endpoints.iter().for_each(|endpoint| self.tell_network(action, &endpoint.network));
    }

    /// Tells that it is on a network, or no longer.
    pub(super) fn tell_network(&self, action: &str, network: &str) {
        if let Ok(network) = self.engine.networks.find(network) {
            self.engine.networks.tell(&network, action, Some(&self.record.id));
        }
    }

    /// Tells that something happened to the container.
    pub(super) fn tell(&self, action: &str) {
        self.tell_with(action, |event| event);
    }

    /// Tells that something happened to the container, and more about it.
    pub(super) fn tell_with(&self, action: &str, more: impl FnOnce(Event) -> Event) {
        self.engine.tell(&self.record, action, more);
    }
}

impl Containers {
    /// Tells that something happened in a container.
    pub(crate) fn tell(&self, record: &Record, action: &str, more: impl FnOnce(Event) -> Event) {
        self.0.tell(record, action, more);
    }
}
