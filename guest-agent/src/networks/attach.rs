//! Putting a container that starts on its networks.

use std::{net::IpAddr, os::fd::OwnedFd, sync::Arc, sync::MutexGuard};

use cove_proto::v1::NetworkAttachment;

use super::{
    BRIDGE, HOST, Held, Inner, Networks, NetworksError, Record, Sandbox, State, check,
    endpoint::{Endpoint, hardware_of},
    is_user_defined,
    namespace::{self, Ready},
    wire::{self, Place},
};
use crate::names;

/// Who is put on networks.
#[derive(Debug, Clone, Copy)]
pub struct Owner<'a> {
    /// Id of the container.
    pub id: &'a str,
    /// Its name.
    pub name: &'a str,
    /// What it calls itself.
    pub hostname: &'a str,
    /// How it asks for names.
    pub questions: Questions<'a>,
}

/// How a container asks for names of the outside.
#[derive(Debug, Clone, Copy, Default)]
pub struct Questions<'a> {
    /// The addresses of the servers that it wants to be asked.
    pub servers: &'a [String],
    /// Options of its resolv.conf.
    pub options: &'a [String],
}

impl Questions<'_> {
    fn of(self, sandbox: Sandbox) -> Sandbox {
        Sandbox {
            name_servers: self.servers.iter().filter_map(|server| server.parse().ok()).collect(),
            knows_dots: self.options.iter().any(|option| option.starts_with("ndots:")),
            ..sandbox
        }
    }
}

/// What a container that starts is given.
#[derive(Debug)]
pub struct Attached {
    /// Its places.
    pub sandbox: Sandbox,
    /// The namespace to live in; none if it is on no bridge, and where there is no kernel to ask, in tests.
    pub namespace: Option<Arc<OwnedFd>>,
}

/// How many namespaces are kept ready.
const READY: usize = 4;

impl Networks {
    /// Gives a container that starts its places on networks, in the network namespace `of_user` if it has a user namespace.
    /// Blocks.
    ///
    /// # Errors
    /// If there is no such network or no address, or the kernel refuses; nothing is left then.
    pub fn attach(
        &self,
        owner: Owner<'_>,
        wanted: &[NetworkAttachment],
        of_user: Option<OwnedFd>,
    ) -> Result<Attached, NetworksError> {
        self.0.attach(owner, wanted, of_user).map_err(|error| NetworksError::SetUp(Box::new(error)))
    }
}

impl Inner {
    fn attach(
        self: &Arc<Self>,
        owner: Owner<'_>,
        wanted: &[NetworkAttachment],
        of_user: Option<OwnedFd>,
    ) -> Result<Attached, NetworksError> {
        let sandbox = owner.questions.of(Sandbox { id: names::new_id()?, ..Sandbox::default() });
        let mut places = self.reserve(owner, wanted, &sandbox)?;
        let attached = self.make_true(&mut places, of_user).and_then(|namespace| {
            let endpoints = places.iter().map(|place| place.endpoint.clone()).collect();
            let sandbox = Sandbox { endpoints, ..sandbox };
            let resolver = self.name_server(owner.id, &sandbox, namespace.as_ref())?;
            self.note(owner.id, &sandbox)?;
            Ok((Attached { sandbox, namespace: namespace.map(Arc::new) }, resolver))
        });
        let mut state = self.state();
        match attached {
            Ok((attached, resolver)) => {
                let Attached { sandbox, namespace } = &attached;
                let held = Held { sandbox: sandbox.clone(), namespace: namespace.clone(), resolver };
                state.sandboxes.insert(owner.id.to_owned(), held);
                if wanted.iter().any(|one| one.network == HOST) {
                    self.joined_host.notify_one();
                }
                Ok(attached)
            }
            Err(error) => {
                let _ = std::fs::remove_file(self.notes.join(owner.id));
                // What has a link goes as that of a container that has ended.
                let (linked, others): (Vec<_>, Vec<_>) =
                    places.into_iter().map(|place| place.endpoint).partition(|endpoint| !endpoint.link.is_empty());
                others.iter().for_each(|endpoint| state.give_back(endpoint));
                state.leaving.extend(linked.into_iter().map(|endpoint| (owner.id.to_owned(), endpoint)));
                drop(state);
                self.changed.notify_all();
                Err(error)
            }
        }
    }

    /// Finds the networks and takes addresses for all places, or for none.
    pub(super) fn reserve(
        &self,
        owner: Owner<'_>,
        wanted: &[NetworkAttachment],
        sandbox: &Sandbox,
    ) -> Result<Vec<Place>, NetworksError> {
        let mut state = self.state();
        // It ended a moment ago and is to have its addresses again.
        while state.leaving.iter().any(|(container, _)| container == owner.id) {
            state = self.wait(state);
        }
        loop {
            match state.reserve_all(owner, wanted, sandbox) {
                // An address that is missed may be one that is on its way back.
                Err(NetworksError::AddressInUse | NetworksError::NoAddress { .. }) if !state.leaving.is_empty() => {
                    state = self.wait(state);
                }
                reserved => return reserved,
            }
        }
    }

    /// Makes the links. One of the namespaces that were ready may be of no use any more: then another is made.
    fn make_true(&self, places: &mut [Place], of_user: Option<OwnedFd>) -> Result<Option<OwnedFd>, NetworksError> {
        let mut bridged: Vec<Place> = places.iter().filter(|place| place.bridge != 0).cloned().collect();
        if bridged.is_empty() {
            return Ok(None);
        }
        // Those that are ready belong to no user namespace.
        let (ready, default_bridge) = match of_user {
            None => self.take_ready(),
            Some(_) => (None, default_bridge(&self.state())),
        };
        let first = ready.map(|ready| wire::start(ready, &mut bridged));
        let made = match first {
            Some(Err(error)) => {
                tracing::warn!(error = &error as &dyn std::error::Error, "a ready network namespace is of no use");
                None
            }
            first => first,
        };
        let made = match made {
            Some(made) => made,
            None => {
                let ready = namespace::make(default_bridge, of_user);
                let ready = ready.map_err(|source| NetworksError::Link(super::DEVICE.to_owned(), source))?;
                wire::start(ready, &mut bridged)
            }
        };
        // Also after a failure: what was made is then removed.
        let mut links = bridged.into_iter();
        for place in places.iter_mut().filter(|place| place.bridge != 0) {
            if let Some(wired) = links.next() {
                *place = wired;
            }
        }
        made.map(Some)
    }

    /// A namespace that is ready, if there is one, and the bridge that they are on.
    fn take_ready(&self) -> (Option<Ready>, u32) {
        let mut state = self.state();
        let (ready, bridge) = (state.ready.pop(), default_bridge(&state));
        drop(state);
        self.changed.notify_all();
        (ready, bridge)
    }

    /// Makes namespaces ready as they are taken, for as long as the agent lives.
    pub(super) fn keep_ready(&self) {
        let mut state = self.state();
        let bridge = default_bridge(&state);
        loop {
            if state.ready.len() >= READY {
                state = self.wait(state);
                continue;
            }
            drop(state);
            let made = namespace::make(bridge, None);
            state = self.state();
            match made {
                Ok(ready) => state.ready.push(ready),
                Err(error) => {
                    tracing::warn!(%error, "no network namespace can be made ready");
                    // Until somebody needs one.
                    state = self.wait(state);
                }
            }
        }
    }
}

fn default_bridge(state: &MutexGuard<'_, State>) -> u32 {
    state.find(BRIDGE).map_or(0, |network| network.index)
}

impl State {
    fn reserve_all(
        &mut self,
        owner: Owner<'_>,
        wanted: &[NetworkAttachment],
        sandbox: &Sandbox,
    ) -> Result<Vec<Place>, NetworksError> {
        let found = wanted.iter().map(|asked| Ok((Arc::clone(&self.find(network_of(asked))?.record), asked)));
        let mut found = found.collect::<Result<Vec<_>, NetworksError>>()?;
        found.sort_by(|(one, a), (other, b)| {
            b.gateway_priority.cmp(&a.gateway_priority).then_with(|| one.name.cmp(&other.name))
        });
        let (mut places, mut known): (Vec<Place>, Sandbox) = (Vec::new(), sandbox.clone());
        for (record, asked) in found {
            match self.reserve_one(owner, record, asked, &known) {
                Ok(place) => {
                    known.endpoints.push(place.endpoint.clone());
                    places.push(place);
                }
                Err(error) => {
                    places.iter().for_each(|place| self.give_back(&place.endpoint));
                    return Err(error);
                }
            }
        }
        Ok(places)
    }

    fn reserve_one(
        &mut self,
        owner: Owner<'_>,
        record: Arc<Record>,
        asked: &NetworkAttachment,
        sandbox: &Sandbox,
    ) -> Result<Place, NetworksError> {
        let id = names::new_id()?;
        let missing = || NetworksError::NotFound(record.name.clone());
        let network = self.networks.get_mut(&record.id).ok_or_else(missing)?;
        let (is_bridge, bridge) = (network.is_bridge(), network.index);
        let mut addresses: Vec<IpAddr> = Vec::new();
        for (is_ipv4, text) in [(true, &asked.ipv4_address), (false, &asked.ipv6_address)] {
            match take_address(network, is_ipv4, text) {
                Ok(address) => addresses.extend(address),
                Err(error) => {
                    let given = network.addresses(true).zip(addresses.pop());
                    given.into_iter().for_each(|(pool, address)| pool.give_back(address));
                    return Err(error);
                }
            }
        }
        let hardware = check::hardware(&asked.mac_address).or_else(|| addresses.first().copied().map(hardware_of));
        let of_family = |v4: bool| addresses.iter().copied().find(|address| address.is_ipv4() == v4);
        let endpoint = Endpoint {
            id,
            network: record.id.clone(),
            network_name: record.name.clone(),
            ipv4: of_family(true).and_then(|address| if let IpAddr::V4(v4) = address { Some(v4) } else { None }),
            ipv6: of_family(false).and_then(|address| if let IpAddr::V6(v6) = address { Some(v6) } else { None }),
            hardware: hardware.filter(|_| is_bridge),
            names: if is_user_defined(&record.name) { dns_names(owner, &asked.aliases) } else { Vec::new() },
            links: asked.links.iter().map(|link| link_of(link)).collect(),
            priority: asked.gateway_priority,
            link: String::new(),
            interface: if is_bridge { sandbox.free_interface() } else { String::new() },
        };
        Ok(Place { endpoint, record, bridge })
    }
}

/// What an attachment names: the network that it started on before, if it is the user's own, however that is called now.
fn network_of(asked: &NetworkAttachment) -> &str {
    let known = !asked.network_id.is_empty() && is_user_defined(&asked.network);
    if known { &asked.network_id } else { &asked.network }
}

/// An address that was asked for, or the next one; none if the network has none of that family.
fn take_address(network: &mut super::Network, is_ipv4: bool, asked: &str) -> Result<Option<IpAddr>, NetworksError> {
    let (name, id) = (network.record.name.clone(), network.record.id.clone());
    let Some(addresses) = network.addresses(is_ipv4) else { return Ok(None) };
    if let Some(address) = check::parse(is_ipv4, asked) {
        return if addresses.claim(address) { Ok(Some(address)) } else { Err(NetworksError::AddressInUse) };
    }
    let family = if is_ipv4 { "IPv4" } else { "IPv6" };
    addresses.take().map(Some).ok_or(NetworksError::NoAddress { family, network: name, id })
}

/// What the others on a network call a container, in dockerd's order.
#[must_use]
pub fn dns_names(owner: Owner<'_>, aliases: &[String]) -> Vec<String> {
    let short = owner.id.get(..12).unwrap_or(owner.id);
    let aliases = aliases.iter().map(String::as_str);
    let mut names: Vec<String> = Vec::new();
    for name in [owner.name].into_iter().chain(aliases).chain([short, owner.hostname]) {
        if !name.is_empty() && !names.iter().any(|known| known == name) {
            names.push(name.to_owned());
        }
    }
    names
}

/// "container:name" as a name and whose it is; a container alone is called by its own name.
fn link_of(link: &str) -> (String, String) {
    let (target, name) = link.split_once(':').filter(|(_, name)| !name.is_empty()).unwrap_or((link, link));
    let target = target.trim_end_matches(':');
    (name.trim_end_matches(':').to_owned(), target.to_owned())
}
