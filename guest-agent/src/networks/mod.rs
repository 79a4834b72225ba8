//! Networks of containers: the three that are always there (Docker's default bridge, the guest's own, none) and the user's.
//!
//! A network is a bridge in the guest and a [`record`] in the database; a container that runs has a [`endpoint::Sandbox`]:
//! its places on networks. Nothing is forwarded between bridges ([`firewall`]). The agent listens on no address of a bridge.
//!
//! * Verbs of networks: [`create`], [`remove`], [`prune`], with what makes sense in [`check`].
//! * Verbs of containers: [`attach`] and [`detach`] with their start and end, [`connect`] and [`disconnect`] meanwhile.
//! * Which addresses: [`subnet`], [`pools`] (what networks get), [`addresses`] (what containers get).
//! * [`publish`] — ports of the host that lead to containers, [`listeners`] to those in the machine's network. [`egress`] — the way out of them.
//! * [`resolver`] — names, answered in the container's own network.
//! * The kernel: [`namespace`] (network namespaces that are ready before they are needed), [`wire`], [`bridge`], [`netlink`],
//!   [`nftables`].
//!
//! A container that starts takes a ready namespace and the lowest free address; one that ended gives its address back when
//! its link is gone, which takes the kernel a grace period and which nobody waits for. What each has is noted in a file of
//! this boot, so that the next agent knows it.

mod addresses;
mod attach;
mod bridge;
mod check;
mod connect;
mod create;
mod detach;
mod disconnect;
mod egress;
mod endpoint;
mod error;
mod firewall;
mod listeners;
mod namespace;
mod netlink;
mod nftables;
mod pools;
mod prune;
mod publish;
mod record;
mod remove;
mod resolver;
mod subnet;
#[cfg(test)]
mod tests;
mod wire;

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    fs,
    net::{IpAddr, Ipv4Addr},
    os::fd::OwnedFd,
    path::{Path, PathBuf},
    sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError},
    thread,
};

use self::{
    addresses::Addresses, egress::outside::Outside, listeners::Listeners, namespace::Ready, record::NETWORKS,
    resolver::Resolver,
};
pub use self::{
    attach::{Attached, Owner, Questions, dns_names},
    egress::address::{of_host, of_name_server},
    endpoint::{Endpoint, Port, Sandbox},
    error::{Kind, NetworksError},
    record::{Pool, Record},
    subnet::Subnet,
};
use crate::{
    clock,
    events::{Event, Events, Kind as EventKind},
    host::Host,
    names,
    state::{Database, Records},
};

/// Docker's names of the networks that are always there.
pub const BRIDGE: &str = "bridge";
/// The guest's own network.
pub const HOST: &str = "host";
/// No network.
pub const NONE: &str = "none";

/// Whether a network is always there.
#[must_use]
pub fn is_built_in(name: &str) -> bool {
    matches!(name, BRIDGE | HOST | NONE)
}

/// Whether a network mode names a network of the user's own.
#[must_use]
pub fn is_user_defined(mode: &str) -> bool {
    !matches!(mode, "" | "default") && !is_built_in(mode) && !mode.starts_with("container:")
}

/// The kernel's name of the default bridge.
const DEVICE: &str = "docker0";
/// dockerd's first choice.
const SUBNET: Subnet = Subnet::v4(Ipv4Addr::new(172, 17, 0, 0), 16);

/// Ids and ages of the networks that are always there, by name.
const BUILT_IN: Records<BuiltIn> = Records::new("networks");

#[derive(serde::Serialize, serde::Deserialize)]
struct BuiltIn {
    id: String,
    created_at: i64,
}

/// The networks; clones share them.
#[derive(Clone)]
pub struct Networks(Arc<Inner>);

struct Inner {
    database: Database,
    events: Events,
    /// Where sandboxes are noted, a file for each container.
    notes: PathBuf,
    /// Whether there is a kernel to ask; there is none in tests of what stands above.
    has_kernel: bool,
    /// Who is asked for what only the host can do; nobody in tests of what stands above.
    host: OnceLock<Host>,
    state: Mutex<State>,
    /// Told whenever a container got the machine's network.
    joined_host: tokio::sync::Notify,
    /// Told whenever a namespace was taken or a link has to go, or is gone.
    changed: Condvar,
}

struct State {
    /// By id.
    networks: BTreeMap<String, Network>,
    /// Of containers that run, by container.
    sandboxes: BTreeMap<String, Held>,
    /// Places of containers that ended: their links are still there.
    leaving: Vec<(String, Endpoint)>,
    ready: Vec<Ready>,
    /// Containers for which the host has ports open, also between two runs of them.
    published: BTreeSet<String>,
    /// What containers listen at in the machine's network, as the host was told.
    listeners: Listeners,
}

/// A network, to this module.
struct Network {
    record: Arc<Record>,
    ipv4: Option<Addresses>,
    ipv6: Option<Addresses>,
    /// The bridge's index; 0 without one.
    index: u32,
}

/// A sandbox, and what keeps it.
struct Held {
    sandbox: Sandbox,
    /// The container's network namespace, if it has one that is known.
    namespace: Option<Arc<OwnedFd>>,
    /// Who answers its questions for names, if it is on a network that has any.
    resolver: Option<Resolver>,
}

impl Network {
    fn new(record: Record, index: u32) -> Self {
        let addresses = |is_ipv4| record.pool(is_ipv4).map(Addresses::new);
        let (ipv4, ipv6) = (addresses(true), addresses(false));
        Self { record: Arc::new(record), ipv4, ipv6, index }
    }

    fn addresses(&mut self, is_ipv4: bool) -> Option<&mut Addresses> {
        if is_ipv4 { self.ipv4.as_mut() } else { self.ipv6.as_mut() }
    }

    fn is_bridge(&self) -> bool {
        self.record.driver == BRIDGE
    }
}

impl State {
    fn endpoints_on(&self, network: &str) -> impl Iterator<Item = (&String, &Endpoint)> {
        let all = self.sandboxes.iter().flat_map(|(id, held)| held.sandbox.endpoints.iter().map(move |one| (id, one)));
        all.filter(move |(_, endpoint)| endpoint.network == network)
    }

    /// Which container has an address.
    fn container_at(&self, address: IpAddr) -> Option<String> {
        let has_it = |held: &Held| held.sandbox.endpoints.iter().any(|place| place.addresses().any(|it| it == address));
        self.sandboxes.iter().find(|(_, held)| has_it(held)).map(|(id, _)| id.clone())
    }

    fn give_back(&mut self, endpoint: &Endpoint) {
        let Some(network) = self.networks.get_mut(&endpoint.network) else { return };
        for address in endpoint.addresses() {
            if let Some(addresses) = network.addresses(address.is_ipv4()) {
                addresses.give_back(address);
            }
        }
    }

    fn claim(&mut self, endpoint: &Endpoint) {
        let Some(network) = self.networks.get_mut(&endpoint.network) else { return };
        for address in endpoint.addresses() {
            if let Some(addresses) = network.addresses(address.is_ipv4()) {
                addresses.claim(address);
            }
        }
    }

    fn find(&self, asked: &str) -> Result<&Network, NetworksError> {
        let missing = || NetworksError::NotFound(asked.to_owned());
        if let Some(network) = self.networks.get(asked) {
            return Ok(network);
        }
        if let Some(network) = self.networks.values().find(|network| network.record.name == asked) {
            return Ok(network);
        }
        let mut begin = self.networks.values().filter(|one| !asked.is_empty() && one.record.id.starts_with(asked));
        let first = begin.next().ok_or_else(missing)?;
        match begin.count() {
            0 => Ok(first),
            more => Err(NetworksError::Ambiguous(asked.to_owned(), more + 1)),
        }
    }
}

impl Networks {
    /// Sets the bridges up, or finds them, and takes over what the containers that run have; `running` are their first
    /// processes, `host` is asked for what is outside. Blocks, on a thread that the runtime knows.
    ///
    /// # Errors
    /// If the kernel or the database refuses.
    pub fn open(
        database: &Database,
        notes: &Path,
        running: &HashMap<String, u32>,
        events: Events,
        host: Host,
    ) -> Result<Self, NetworksError> {
        firewall::set().map_err(NetworksError::Rules)?;
        let networks = Self::with(database, notes, running, events, true)?;
        let host = networks.0.host.get_or_init(|| host).clone();
        egress::open(&networks.0, Outside::new(host)).map_err(NetworksError::WayOut)?;
        networks.0.answer_again();
        for (name, work) in [("networks", Inner::keep_ready as fn(&Inner)), ("links", Inner::remove_links)] {
            let inner = Arc::clone(&networks.0);
            let thread = thread::Builder::new().name(name.to_owned());
            thread.spawn(move || work(&inner)).map_err(NetworksError::Thread)?;
        }
        Ok(networks)
    }

    /// Networks without a kernel behind them.
    ///
    /// # Errors
    /// If the database refuses.
    #[cfg(test)]
    pub fn of_paper(
        database: &Database,
        notes: &Path,
        running: &HashMap<String, u32>,
        events: Events,
    ) -> Result<Self, NetworksError> {
        Self::with(database, notes, running, events, false)
    }

    fn with(
        database: &Database,
        notes: &Path,
        running: &HashMap<String, u32>,
        events: Events,
        has_kernel: bool,
    ) -> Result<Self, NetworksError> {
        let mut networks = BTreeMap::new();
        for record in built_in(database)?.into_iter().chain(NETWORKS.all(database)?.into_iter().map(|(_, it)| it)) {
            let index = if has_kernel { bridge::find_or_make(&record)? } else { 0 };
            networks.insert(record.id.clone(), Network::new(record, index));
        }
        let (sandboxes, leaving, ready) = (BTreeMap::new(), Vec::new(), Vec::new());
        let mut state =
            State { networks, sandboxes, leaving, ready, published: BTreeSet::new(), listeners: Listeners::new() };
        take_over(&mut state, notes, running)?;
        let open = state.sandboxes.iter().filter(|(_, held)| !held.sandbox.ports.is_empty());
        state.published = open.map(|(container, _)| container.clone()).collect();
        if !has_kernel {
            // Their links are gone, for there were none.
            std::mem::take(&mut state.leaving).iter().for_each(|(_, endpoint)| state.give_back(endpoint));
        }
        Ok(Self(Arc::new(Inner {
            database: database.clone(),
            events,
            notes: notes.to_owned(),
            has_kernel,
            host: OnceLock::new(),
            state: Mutex::new(state),
            joined_host: tokio::sync::Notify::new(),
            changed: Condvar::new(),
        })))
    }

    /// The network of this name, id or beginning of an id.
    ///
    /// # Errors
    /// If there is none, or several begin so.
    pub fn find(&self, asked: &str) -> Result<Arc<Record>, NetworksError> {
        Ok(Arc::clone(&self.0.state().find(asked)?.record))
    }

    /// All networks, by name.
    #[must_use]
    pub fn all(&self) -> Vec<Arc<Record>> {
        let mut all: Vec<_> = self.0.state().networks.values().map(|network| Arc::clone(&network.record)).collect();
        all.sort_by(|one, other| one.name.cmp(&other.name));
        all
    }

    /// What a container that runs has of networks.
    #[must_use]
    pub fn sandbox(&self, container: &str) -> Option<Sandbox> {
        self.0.state().sandboxes.get(container).map(|held| held.sandbox.clone())
    }

    /// Who is on a network, by container.
    #[must_use]
    pub fn endpoints_on(&self, network: &str) -> BTreeMap<String, Endpoint> {
        self.0.state().endpoints_on(network).map(|(id, endpoint)| (id.clone(), endpoint.clone())).collect()
    }

    /// What is wrong with how a container wants to be on networks, as far as they are there.
    ///
    /// # Errors
    /// The first of it.
    pub fn check(&self, attachment: &cove_proto::v1::NetworkAttachment) -> Result<(), NetworksError> {
        let record = self.find(&attachment.network).ok();
        let name = record.as_ref().map_or(attachment.network.as_str(), |record| &record.name);
        let problems = check::attachment(name, record.as_deref(), attachment);
        if problems.is_empty() {
            return Ok(());
        }
        Err(NetworksError::Endpoint { network: Some(attachment.network.clone()), problems })
    }

    /// Tells that something happened to a network.
    pub fn tell(&self, record: &Record, action: &str, container: Option<&str>) {
        let event = Event::new(EventKind::Network, action, &record.id);
        let event = event.with("name", &record.name).with("type", &record.driver);
        self.0.events.publish(match container {
            Some(container) => event.with("container", container),
            None => event,
        });
    }
}

impl Inner {
    /// The host, as the way out knows it.
    fn outside(&self) -> Option<Outside> {
        self.host.get().cloned().map(Outside::new)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wait<'a>(&self, state: MutexGuard<'a, State>) -> MutexGuard<'a, State> {
        self.changed.wait(state).unwrap_or_else(PoisonError::into_inner)
    }

    /// Starts the name servers of the containers that run, whose last ones went with an earlier agent.
    fn answer_again(self: &Arc<Self>) {
        let running: Vec<String> = self.state().sandboxes.keys().cloned().collect();
        for container in running {
            let (sandbox, namespace) = match self.state().sandboxes.get(&container) {
                Some(held) => (held.sandbox.clone(), held.namespace.clone()),
                None => continue,
            };
            match self.name_server(&container, &sandbox, namespace.as_deref()) {
                Ok(resolver) => {
                    if let Some(held) = self.state().sandboxes.get_mut(&container) {
                        held.resolver = resolver;
                    }
                }
                Err(error) => tracing::warn!(
                    container,
                    error = &error as &dyn std::error::Error,
                    "a container's name server cannot be started again"
                ),
            }
        }
    }

    /// Starts the name server of a container that is on a network of the user's own.
    fn name_server(
        self: &Arc<Self>,
        container: &str,
        sandbox: &Sandbox,
        namespace: Option<&OwnedFd>,
    ) -> Result<Option<Resolver>, NetworksError> {
        let wanted = namespace.filter(|_| sandbox.endpoints.iter().any(|one| is_user_defined(&one.network_name)));
        let started = wanted.map(|namespace| resolver::start(self, container, namespace)).transpose();
        started.map_err(NetworksError::NameServer)
    }

    /// Writes down what a container has, for the next agent of this boot.
    fn note(&self, container: &str, sandbox: &Sandbox) -> Result<(), NetworksError> {
        let path = self.notes.join(container);
        sandbox.write(&path).map_err(|source| NetworksError::Note { path, source })
    }
}

/// Where the way out of a network is; none if it leads nowhere.
#[must_use]
pub fn gateway(record: &Record, is_ipv4: bool) -> Option<IpAddr> {
    record.pool(is_ipv4).filter(|_| !record.internal).map(Pool::gateway)
}

/// The networks that are always there, made once for a data disk.
fn built_in(database: &Database) -> Result<Vec<Record>, NetworksError> {
    let mut all = Vec::new();
    for name in [BRIDGE, HOST, NONE] {
        let BuiltIn { id, created_at } = match BUILT_IN.get(database, name)? {
            Some(kept) => kept,
            None => {
                let made = BuiltIn { id: names::new_id()?, created_at: clock::now_nanos() };
                database.write_blocking(|changes| BUILT_IN.put(changes, name, &made))?;
                made
            }
        };
        all.push(Record {
            id,
            name: name.to_owned(),
            driver: if name == NONE { "null" } else { name }.to_owned(),
            created_at,
            pools: if name == BRIDGE { vec![Pool::chosen(SUBNET)] } else { Vec::new() },
            options: if name == BRIDGE { bridge::default_options() } else { BTreeMap::new() },
            labels: BTreeMap::new(),
            address_options: BTreeMap::new(),
            internal: false,
            attachable: false,
            ipv4: true,
            ipv6: false,
        });
    }
    Ok(all)
}

/// Reads what an earlier agent of this boot noted.
fn take_over(state: &mut State, notes: &Path, running: &HashMap<String, u32>) -> Result<(), NetworksError> {
    let note = |source| NetworksError::Note { path: notes.to_owned(), source };
    fs::create_dir_all(notes).map_err(note)?;
    for file in fs::read_dir(notes).map_err(note)? {
        let path = file.map_err(note)?.path();
        let container = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        // Half a note is one of a container that never started.
        let Some(sandbox) = Sandbox::read(&path).map_err(note)? else { continue };
        sandbox.endpoints.iter().for_each(|endpoint| state.claim(endpoint));
        if let Some(pid) = running.get(&container) {
            // It may have ended a moment ago, which is found out next.
            let namespace = namespace::of_process(*pid).ok().map(Arc::new);
            state.sandboxes.insert(container, Held { sandbox, namespace, resolver: None });
        } else {
            let _ = fs::remove_file(&path);
            state.leaving.extend(sandbox.endpoints.into_iter().map(|endpoint| (container.clone(), endpoint)));
        }
    }
    Ok(())
}
