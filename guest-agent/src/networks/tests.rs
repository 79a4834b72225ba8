//! The rules of the pool on links that are made up; and a namespace in the real kernel, which needs root: without it that
//! test fails and says so.

use std::{
    collections::{BTreeSet, HashMap},
    process::Command,
    sync::Arc,
    time::Instant,
};

use cove_proto::v1::StringList;
use nix::sched::{CloneFlags, setns, unshare};
use tokio::time::Duration;

use super::{fake::FakeWires, wires::Kernel, *};
use crate::containers::database_path;

struct World {
    folder: tempfile::TempDir,
    database: Database,
    wires: FakeWires,
}

impl World {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let database = Database::open(&database_path(folder.path())).unwrap();
        Self { folder, database, wires: FakeWires::default() }
    }

    fn open(&self, running: &[&str]) -> Networks {
        let running = running.iter().map(|id| (*id).to_owned()).collect();
        let folder = self.folder.path().join("leases");
        Networks::open(folder, &self.database, &running, Box::new(self.wires.clone())).unwrap()
    }

    /// Opens, and waits until the namespaces are ready.
    fn ready(&self) -> Networks {
        let networks = self.open(&[]);
        eventually(|| networks.shared().state().ready.len() == 4);
        networks
    }
}

/// The keeper tells nobody when it has done something.
fn eventually(holds: impl Fn() -> bool) {
    let until = Instant::now() + Duration::from_secs(10);
    while !holds() {
        assert!(Instant::now() < until, "it never came true");
        std::thread::sleep(Duration::from_millis(1));
    }
}

fn address(networks: &Networks, id: &str) -> String {
    networks.attach(id, BuiltIn::Bridge).unwrap().lease.place.unwrap().address.to_string()
}

#[test]
fn the_lowest_address_that_is_ready_comes_first_and_comes_again() {
    let world = World::new();
    let networks = world.ready();
    let lowest = |networks: &Networks| networks.shared().state().ready.first_key_value().map(|(a, _)| a.to_string());
    assert_eq!(address(&networks, "one"), "172.17.0.2");
    assert_eq!(address(&networks, "two"), "172.17.0.3");
    assert_eq!(networks.detach("one").unwrap().place.unwrap().address.to_string(), "172.17.0.2");
    eventually(|| lowest(&networks).as_deref() == Some("172.17.0.2"));
    assert_eq!(address(&networks, "three"), "172.17.0.2");
    assert_eq!(networks.detach("nosuch"), None);
}

#[test]
fn many_at_once_get_different_addresses_and_leave_no_more_than_a_few_behind() {
    let world = World::new();
    let networks = world.ready();
    let addresses: BTreeSet<String> = std::thread::scope(|scope| {
        let starts: Vec<_> = (0..40)
            .map(|n| {
                let networks = networks.clone();
                scope.spawn(move || address(&networks, &format!("c{n}")))
            })
            .collect();
        starts.into_iter().map(|start| start.join().unwrap()).collect()
    });
    assert_eq!(addresses.len(), 40);
    (0..40).for_each(|n| drop(networks.detach(&format!("c{n}")).unwrap()));
    let settled = || {
        let state = networks.shared().state();
        let lowest: Vec<u32> = state.ready.keys().map(|address| address.to_bits() - GATEWAY.to_bits()).collect();
        !state.woken && lowest.starts_with(&[1, 2, 3, 4]) && lowest.len() <= 8
    };
    eventually(|| settled() && world.wires.links().len() <= 8);
}

#[test]
fn what_is_of_no_use_any_more_is_made_anew() {
    let world = World::new();
    let networks = world.ready();
    world.wires.steal("veth 172.17.0.2");
    assert_eq!(address(&networks, "one"), "172.17.0.3");
    eventually(|| world.wires.links().contains(&"veth 172.17.0.2".to_owned()));
}

#[test]
fn a_namespace_that_cannot_be_made_is_an_error_that_leaves_nothing() {
    let world = World::new();
    world.wires.refuse(true);
    let networks = world.open(&[]);
    let error = networks.attach("one", BuiltIn::Bridge).unwrap_err();
    assert_eq!(error.to_string(), "cannot make a network namespace for 172.17.0.2: make it");
    assert_eq!(networks.lease("one"), None);
    assert_eq!(networks.shared().files.all().unwrap(), []);
    world.wires.refuse(false);
    assert_eq!(address(&networks, "one"), "172.17.0.2");
}

#[test]
fn a_link_that_stays_keeps_its_address() {
    let world = World::new();
    let networks = world.ready();
    assert_eq!(address(&networks, "one"), "172.17.0.2");
    world.wires.keep(true);
    networks.detach("one").unwrap();
    eventually(|| !networks.shared().state().woken);
    assert_eq!(address(&networks, "two"), "172.17.0.3");
}

#[test]
fn the_next_agent_takes_over_who_runs_and_frees_the_rest() {
    let world = World::new();
    let networks = world.ready();
    address(&networks, "ended");
    address(&networks, "runs");
    let lease = networks.lease("runs").unwrap();
    drop(networks);
    // What was ready goes with the agent, as the descriptors of the namespaces do.
    eventually(|| {
        let links = world.wires.links();
        let orphans = links.iter().filter(|link| !["veth 172.17.0.2", "veth 172.17.0.3"].contains(&link.as_str()));
        orphans.for_each(|link| world.wires.steal(link));
        world.wires.links().len() == 2
    });
    let networks = world.open(&["runs"]);
    assert_eq!(networks.lease("runs"), Some(lease));
    assert_eq!(networks.lease("ended"), None);
    eventually(|| networks.shared().state().ready.len() >= 4);
    assert_eq!(address(&networks, "new"), "172.17.0.2");
    assert_eq!(address(&networks, "newer"), "172.17.0.4");
}

#[test]
fn networks_are_found_by_name_and_id_and_keep_their_ids() {
    let world = World::new();
    let networks = world.open(&[]);
    let bridge = networks.get("bridge").unwrap();
    assert_eq!(networks.get(&bridge.facts.id[..12]).unwrap().network, BuiltIn::Bridge);
    assert_eq!(networks.get("back").unwrap_err().to_string(), "network back not found");
    networks.attach("web", BuiltIn::Host).unwrap();
    assert_eq!(networks.get("host").unwrap().leases[0].0, "web");
    assert_eq!(world.open(&[]).id(BuiltIn::Bridge), bridge.facts.id);
}

#[test]
fn a_list_is_filtered_as_dockerd_filters_it() {
    let world = World::new();
    let networks = world.open(&[]);
    let names = |key: &str, value: &str| {
        let filters = HashMap::from([(key.to_owned(), StringList { values: vec![value.to_owned()] })]);
        networks.list(&filters).map(|found| found.iter().map(|seen| seen.network.name()).collect::<Vec<_>>().join(" "))
    };
    for (key, value, expected) in [
        ("driver", "null", "none"),
        ("name", "o", "host none"),
        ("type", "builtin", "bridge host none"),
        ("type", "custom", ""),
        ("label", "a", ""),
        ("dangling", "true", ""),
        ("scope", "swarm", ""),
    ] {
        assert_eq!(names(key, value).unwrap(), expected, "{key}={value}");
    }
    assert_eq!(names("colour", "red").unwrap_err().to_string(), "invalid filter 'colour'");
    assert_eq!(names("type", "odd").unwrap_err().to_string(), "invalid filter 'type=odd'");
}

/// Runs in a thread that plays the guest: in a network namespace of its own, where the bridge is made.
fn in_a_guest<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    let thread = std::thread::spawn(|| {
        unshare(CloneFlags::CLONE_NEWNET).expect("this test makes network namespaces, for which it must be root");
        work()
    });
    thread.join().unwrap()
}

fn ip(arguments: &str) -> String {
    let said = Command::new("ip").args(arguments.split(' ')).output().expect("this test asks iproute2's ip");
    String::from_utf8(said.stdout).unwrap()
}

#[test]
fn the_kernel_makes_what_a_container_needs_and_takes_it_away() {
    in_a_guest(|| {
        // Twice: the next agent finds it.
        Kernel.prepare().unwrap();
        Kernel.prepare().unwrap();
        assert!(ip("-o address show docker0").contains("inet 172.17.0.1/16 brd 172.17.255.255 scope global docker0"));
        let two = Kernel.make("172.17.0.2".parse().unwrap()).unwrap();
        let three = Kernel.make("172.17.0.3".parse().unwrap()).unwrap();
        assert!(Kernel.is_sound(&two) && Kernel.is_sound(&three));
        assert_eq!(ip("-o link show master docker0").lines().count(), 2);
        let namespace = Arc::clone(&two.namespace);
        let inside = std::thread::spawn(move || {
            setns(&*namespace, CloneFlags::CLONE_NEWNET).unwrap();
            let setting = std::fs::read_to_string("/proc/sys/net/ipv4/ip_unprivileged_port_start").unwrap();
            (ip("-o address"), ip("route"), ip("-o link show eth0"), setting)
        });
        let (addresses, routes, eth0, setting) = inside.join().unwrap();
        assert!(addresses.contains("127.0.0.1/8") && addresses.contains("172.17.0.2/16"), "{addresses}");
        assert!(!addresses.contains("fe80"), "{addresses}");
        assert!(routes.contains("default via 172.17.0.1 dev eth0"), "{routes}");
        assert!(eth0.contains("mtu 1500") && eth0.contains("02:42:ac:11:00:02"), "{eth0}");
        assert_eq!(setting.trim(), "0");
        Kernel.cut(&two.link).unwrap();
        Kernel.cut(&two.link).unwrap();
        assert!(!Kernel.is_sound(&two));
        // A namespace that nobody has any more takes its link along.
        let link = three.link.clone();
        drop(three);
        eventually(|| !ip("-o link").contains(&link));
    });
}

#[test]
fn a_bridge_that_is_gone_is_made_again() {
    in_a_guest(|| {
        let first = Kernel.make("172.17.0.2".parse().unwrap()).unwrap();
        ip("link delete docker0");
        assert!(!Kernel.is_sound(&first));
        let second = Kernel.make("172.17.0.3".parse().unwrap()).unwrap();
        assert!(Kernel.is_sound(&second));
    });
}
