//! The network that containers are on when they ask for none: Docker's default bridge.
//!
//! * [`addresses`] — who has which address.
//! * [`namespace`] — network namespaces that are ready before they are needed.
//! * [`netlink`] — what the kernel is asked for.
//!
//! A container that starts takes a ready namespace and the lowest free address; one that ended gives its address back when
//! its link is gone, which takes the kernel a grace period and which nobody waits for. What each has is noted in a file of
//! this boot, so that the next agent knows it. The agent itself listens on no address: the bridge is between containers.

mod addresses;
mod namespace;
mod netlink;

use std::{
    collections::{BTreeMap, HashSet},
    fs, io,
    net::Ipv4Addr,
    os::fd::OwnedFd,
    path::{Path, PathBuf},
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    thread,
};

pub use self::addresses::Subnet;
use self::{addresses::Addresses, namespace::Ready, netlink::Netlink};
use crate::{
    clock,
    names::{self, NoRandomness},
    state::{Database, Records, StateError},
};

/// Docker's names of the networks that are always there.
pub const BRIDGE: &str = "bridge";
/// The guest's own network.
pub const HOST: &str = "host";
/// No network.
pub const NONE: &str = "none";

/// Docker's driver of a network that is always there.
#[must_use]
pub fn driver(name: &str) -> &str {
    if name == NONE { "null" } else { name }
}

/// The kernel's name of the bridge.
pub const DEVICE: &str = "docker0";
/// dockerd's first choice.
pub const SUBNET: Subnet = Subnet { base: Ipv4Addr::new(172, 17, 0, 0), prefix: 16 };

/// How many namespaces are kept ready.
const READY: usize = 4;

/// The networks, by name.
const NETWORKS: Records<Kept> = Records::new("networks");

/// What the database keeps of a network.
#[derive(Debug, Clone, serde::Serialize, serde::Deserialize)]
pub struct Kept {
    /// 64 hexadecimal digits.
    pub id: String,
    /// Nanoseconds since 1970.
    pub created_at: i64,
}

/// Why a container gets no network, or there is none.
#[derive(Debug, thiserror::Error)]
pub enum NetworkError {
    /// All addresses are taken. moby's words.
    #[error("no available IPv4 addresses on this network's address pools: bridge ({0})")]
    NoAddress(String),
    /// The kernel made no namespace or link.
    #[error("failed to set up container networking: make an interface on {DEVICE}")]
    Link(#[source] io::Error),
    /// What it has cannot be noted.
    #[error("failed to set up container networking: write {}", .path.display())]
    Note {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The bridge.
    #[error("set up the bridge {DEVICE}")]
    Bridge(#[source] io::Error),
    /// The ids of networks.
    #[error(transparent)]
    State(#[from] StateError),
    /// An id.
    #[error(transparent)]
    Random(#[from] NoRandomness),
}

/// A container's place on the bridge.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoint {
    /// 64 hexadecimal digits.
    pub id: String,
    /// Its address.
    pub address: Ipv4Addr,
    /// The outer end of its link.
    link: String,
}

impl Endpoint {
    /// Docker's hardware address for an address.
    #[must_use]
    pub fn hardware(&self) -> [u8; 6] {
        let [a, b, c, d] = self.address.octets();
        [0x02, 0x42, a, b, c, d]
    }

    /// The same, written: "02:42:ac:11:00:02".
    #[must_use]
    pub fn hardware_text(&self) -> String {
        self.hardware().map(|byte| format!("{byte:02x}")).join(":")
    }

    fn written(&self) -> String {
        format!("{} {} {}\n", self.id, self.address, self.link)
    }

    fn read(text: &str) -> Option<Self> {
        let mut words = text.split_whitespace();
        let (id, address, link) = (words.next()?, words.next()?, words.next()?);
        Some(Self { id: id.to_owned(), address: address.parse().ok()?, link: link.to_owned() })
    }
}

/// What a container that starts is given.
#[derive(Debug)]
pub struct Attached {
    /// Its place.
    pub endpoint: Endpoint,
    /// The namespace to live in; none where there is no kernel to ask, in tests.
    pub namespace: Option<OwnedFd>,
}

/// The networks; clones share them.
#[derive(Clone)]
pub struct Networks(Arc<Inner>);

struct Inner {
    /// By name.
    kept: BTreeMap<&'static str, Kept>,
    /// Where endpoints are noted, a file for each container.
    notes: PathBuf,
    /// Index of the bridge; none in tests of what stands above.
    bridge: Option<u32>,
    state: Mutex<State>,
    /// Told whenever a namespace was taken or a link has to go, or is gone.
    changed: Condvar,
}

struct State {
    addresses: Addresses,
    /// By container.
    endpoints: BTreeMap<String, Endpoint>,
    /// Of containers that ended: their links are still there.
    leaving: BTreeMap<String, Endpoint>,
    ready: Vec<Ready>,
}

impl Networks {
    /// Sets the bridge up, or finds it, and takes over what the containers that run have. Blocks.
    ///
    /// # Errors
    /// If the kernel or the database refuses.
    pub fn open(database: &Database, notes: &Path, running: &HashSet<String>) -> Result<Self, NetworkError> {
        let bridge = set_up_bridge().map_err(NetworkError::Bridge)?;
        let networks = Self::with(database, notes, running, Some(bridge))?;
        for (name, work) in [("networks", Inner::keep_ready as fn(&Inner)), ("links", Inner::remove_links)] {
            let inner = Arc::clone(&networks.0);
            thread::Builder::new().name(name.to_owned()).spawn(move || work(&inner)).map_err(NetworkError::Bridge)?;
        }
        Ok(networks)
    }

    /// Addresses without a kernel behind them.
    ///
    /// # Errors
    /// If the database refuses.
    #[cfg(test)]
    pub fn of_paper(database: &Database, notes: &Path, running: &HashSet<String>) -> Result<Self, NetworkError> {
        Self::with(database, notes, running, None)
    }

    fn with(
        database: &Database,
        notes: &Path,
        running: &HashSet<String>,
        bridge: Option<u32>,
    ) -> Result<Self, NetworkError> {
        let note = |source| NetworkError::Note { path: notes.to_owned(), source };
        fs::create_dir_all(notes).map_err(note)?;
        let mut state = State {
            addresses: Addresses::new(SUBNET),
            endpoints: BTreeMap::new(),
            leaving: BTreeMap::new(),
            ready: Vec::new(),
        };
        for file in fs::read_dir(notes).map_err(note)? {
            let path = file.map_err(note)?.path();
            let container = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            // Half a note is one of a container that never started.
            let Some(endpoint) = Endpoint::read(&fs::read_to_string(&path).map_err(note)?) else { continue };
            state.addresses.claim(endpoint.address);
            if running.contains(&container) {
                state.endpoints.insert(container, endpoint);
            } else {
                let _ = fs::remove_file(&path);
                state.leaving.insert(container, endpoint);
            }
        }
        let kept = kept(database)?;
        Ok(Self(Arc::new(Inner {
            kept,
            notes: notes.to_owned(),
            bridge,
            state: Mutex::new(state),
            changed: Condvar::new(),
        })))
    }

    /// The id of a network that is always there.
    #[must_use]
    pub fn id(&self, name: &str) -> &str {
        self.0.kept.get(name).map_or("", |kept| &kept.id)
    }

    /// The networks, by name.
    pub fn all(&self) -> impl Iterator<Item = (&'static str, &Kept)> {
        self.0.kept.iter().map(|(name, kept)| (*name, kept))
    }

    /// The network of this name, id or beginning of an id.
    #[must_use]
    pub fn find(&self, asked: &str) -> Option<(&'static str, &Kept)> {
        let begins = |kept: &Kept| !asked.is_empty() && kept.id.starts_with(asked);
        let named = self.all().find(|(name, _)| *name == asked);
        named.or_else(|| self.all().find(|(_, kept)| begins(kept)))
    }

    /// Gives a container that starts a place on the bridge, in a namespace of its user namespace if it has one. Blocks.
    ///
    /// # Errors
    /// If there is no address or the kernel refuses; nothing is left then.
    pub fn attach(&self, container: &str, of_user: Option<OwnedFd>) -> Result<Attached, NetworkError> {
        let inner = &self.0;
        let mut state = inner.state();
        // It ended a moment ago and is to have its address again.
        while inner.bridge.is_some() && state.leaving.contains_key(container) {
            state = inner.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        let address = state.addresses.take().ok_or_else(|| NetworkError::NoAddress(self.id(BRIDGE).to_owned()))?;
        let ready = if of_user.is_none() { state.ready.pop() } else { None };
        drop(state);
        inner.changed.notify_all();
        let attached = inner.wire(ready, of_user, address).and_then(|attached| {
            let path = inner.notes.join(container);
            let noted = fs::write(&path, attached.endpoint.written());
            noted.map(|()| attached).map_err(|source| NetworkError::Note { path, source })
        });
        match attached {
            Ok(attached) => {
                inner.state().endpoints.insert(container.to_owned(), attached.endpoint.clone());
                Ok(attached)
            }
            Err(error) => {
                let _ = fs::remove_file(inner.notes.join(container));
                inner.state().addresses.give_back(address);
                Err(error)
            }
        }
    }

    /// A container has ended, or did not start. Waits for nothing.
    pub fn detach(&self, container: &str) {
        let inner = &self.0;
        let mut state = inner.state();
        let Some(endpoint) = state.endpoints.remove(container) else { return };
        // It fails when it is gone, which is as well.
        let _ = fs::remove_file(inner.notes.join(container));
        if inner.bridge.is_some() {
            state.leaving.insert(container.to_owned(), endpoint);
        } else {
            state.addresses.give_back(endpoint.address);
        }
        drop(state);
        inner.changed.notify_all();
    }

    /// A container's place on the bridge, while it runs.
    #[must_use]
    pub fn endpoint(&self, container: &str) -> Option<Endpoint> {
        self.0.state().endpoints.get(container).cloned()
    }

    /// All places on the bridge, by container.
    #[must_use]
    pub fn endpoints(&self) -> BTreeMap<String, Endpoint> {
        self.0.state().endpoints.clone()
    }
}

impl Inner {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Gives a namespace an address. One that was ready may be of no use any more: then another is made.
    fn wire(
        &self,
        ready: Option<Ready>,
        of_user: Option<OwnedFd>,
        address: Ipv4Addr,
    ) -> Result<Attached, NetworkError> {
        let Some(bridge) = self.bridge else {
            let endpoint = Endpoint { id: names::new_id()?, address, link: "paper".to_owned() };
            return Ok(Attached { endpoint, namespace: None });
        };
        if let Some(ready) = ready {
            match wire(ready, address) {
                Err(NetworkError::Link(error)) => tracing::warn!(%error, "a ready network namespace is of no use"),
                wired => return wired,
            }
        }
        wire(namespace::make(bridge, of_user).map_err(NetworkError::Link)?, address)
    }

    /// Makes namespaces ready as they are taken, for as long as the agent lives.
    fn keep_ready(&self) {
        let Some(bridge) = self.bridge else { return };
        let mut state = self.state();
        loop {
            if state.ready.len() >= READY {
                state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
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
                    state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
                }
            }
        }
    }

    /// Removes the links of containers that have ended, and gives their addresses back.
    fn remove_links(&self) {
        let mut state = self.state();
        loop {
            let Some((container, endpoint)) = state.leaving.iter().next().map(|(id, end)| (id.clone(), end.clone()))
            else {
                state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
                continue;
            };
            drop(state);
            let removed = Netlink::open().and_then(|outside| outside.remove(&endpoint.link));
            // The namespace may have taken it along when its last process ended.
            if let Err(error) = removed.or_else(|error| if is_absent(&error) { Ok(()) } else { Err(error) }) {
                tracing::warn!(link = %endpoint.link, %error, "a link stays behind");
            }
            state = self.state();
            state.leaving.remove(&container);
            state.addresses.give_back(endpoint.address);
            self.changed.notify_all();
        }
    }
}

fn is_absent(error: &io::Error) -> bool {
    error.raw_os_error() == Some(libc::ENODEV)
}

fn wire(ready: Ready, address: Ipv4Addr) -> Result<Attached, NetworkError> {
    let Ready { namespace, link, inside, index } = ready;
    let endpoint = Endpoint { id: names::new_id()?, address, link };
    let wired = inside
        .bring_up(index, Some(endpoint.hardware()))
        .and_then(|()| inside.add_address(index, address, SUBNET.prefix, SUBNET.broadcast()))
        .and_then(|()| inside.add_default_route(SUBNET.gateway()));
    wired.map_err(NetworkError::Link)?;
    Ok(Attached { endpoint, namespace: Some(namespace) })
}

/// The bridge's index. An earlier agent of this boot may have made it.
fn set_up_bridge() -> io::Result<u32> {
    if let Ok(index) = Netlink::index(DEVICE) {
        return Ok(index);
    }
    let netlink = Netlink::open()?;
    netlink.add_bridge(DEVICE)?;
    namespace::without_ipv6(DEVICE)?;
    let index = Netlink::index(DEVICE)?;
    netlink.add_address(index, SUBNET.gateway(), SUBNET.prefix, SUBNET.broadcast())?;
    netlink.bring_up(index, None)?;
    Ok(index)
}

/// The networks that are always there, made once for a data disk.
fn kept(database: &Database) -> Result<BTreeMap<&'static str, Kept>, NetworkError> {
    let mut all = BTreeMap::new();
    for name in [BRIDGE, HOST, NONE] {
        let kept = match NETWORKS.get(database, name)? {
            Some(kept) => kept,
            None => {
                let kept = Kept { id: names::new_id()?, created_at: clock::now_nanos() };
                database.write_blocking(|changes| NETWORKS.put(changes, name, &kept))?;
                kept
            }
        };
        all.insert(name, kept);
    }
    Ok(all)
}

#[cfg(test)]
mod tests {
    use super::*;

    struct World {
        folder: tempfile::TempDir,
        database: Database,
    }

    impl World {
        fn new() -> Self {
            let folder = tempfile::tempdir().unwrap();
            let database = Database::open(&folder.path().join("database")).unwrap();
            Self { folder, database }
        }

        fn open(&self, running: &[&str]) -> Networks {
            let running = running.iter().map(|id| (*id).to_owned()).collect();
            Networks::of_paper(&self.database, &self.folder.path().join("notes"), &running).unwrap()
        }
    }

    fn last_byte(networks: &Networks, container: &str) -> Option<u8> {
        networks.endpoint(container).map(|endpoint| endpoint.address.octets()[3])
    }

    #[test]
    fn containers_have_addresses_while_they_run() {
        let world = World::new();
        let networks = world.open(&[]);
        for container in ["a", "b", "c"] {
            networks.attach(container, None).unwrap();
        }
        assert_eq!(["a", "b", "c"].map(|id| last_byte(&networks, id)), [Some(2), Some(3), Some(4)]);
        networks.detach("b");
        assert_eq!(last_byte(&networks, "b"), None);
        let endpoint = networks.attach("d", None).unwrap().endpoint;
        assert_eq!((endpoint.address, endpoint.hardware()), ("172.17.0.3".parse().unwrap(), [2, 0x42, 172, 17, 0, 3]));
        assert_eq!(networks.endpoints().len(), 3);
    }

    #[test]
    fn the_next_agent_knows_who_has_what() {
        let world = World::new();
        let before = world.open(&[]);
        let kept = before.attach("a", None).unwrap().endpoint;
        before.attach("gone", None).unwrap();
        let ids = [BRIDGE, HOST, NONE].map(|name| before.id(name).to_owned());
        drop(before);
        // Half a note, of a start that was cut off.
        fs::write(world.folder.path().join("notes/half"), "172.").unwrap();
        let after = world.open(&["a"]);
        assert_eq!(after.endpoint("a"), Some(kept));
        assert_eq!(after.endpoint("gone"), None);
        assert_eq!([BRIDGE, HOST, NONE].map(|name| after.id(name).to_owned()), ids);
        after.attach("b", None).unwrap();
        assert_ne!(last_byte(&after, "b"), last_byte(&after, "a"));
    }

    #[test]
    fn names_and_beginnings_of_ids_find_a_network() {
        let world = World::new();
        let networks = world.open(&[]);
        let id = networks.id(HOST).to_owned();
        let find = |asked: &str| networks.find(asked).map(|(name, _)| name);
        assert_eq!(find("host"), Some(HOST));
        assert_eq!(find(&id), Some(HOST));
        assert_eq!(find(&id[..12]), Some(HOST));
        assert_eq!([find(""), find("nosuch")], [None, None]);
    }
}
