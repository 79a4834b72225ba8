//! Networks without a kernel: who gets which address and name, what is kept, what is refused.

use cove_proto::v1::{AddressPool, CreateNetworkRequest, NetworkAttachment};

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
        let running = running.iter().map(|id| ((*id).to_owned(), 0)).collect();
        let notes = self.folder.path().join("notes");
        Networks::of_paper(&self.database, &notes, &running, Events::default()).unwrap()
    }
}

fn owner(id: &str) -> Owner<'_> {
    Owner { id, name: id, hostname: id, questions: Questions::default() }
}

fn on(network: &str) -> NetworkAttachment {
    NetworkAttachment { network: network.into(), ..NetworkAttachment::default() }
}

fn network(name: &str) -> CreateNetworkRequest {
    CreateNetworkRequest { name: name.into(), ..CreateNetworkRequest::default() }
}

fn with_subnet(name: &str, subnet: &str) -> CreateNetworkRequest {
    let pool = AddressPool { subnet: subnet.into(), ..AddressPool::default() };
    CreateNetworkRequest { pools: vec![pool], ..network(name) }
}

fn start(networks: &Networks, container: &str, wanted: &[NetworkAttachment]) -> Result<Sandbox, String> {
    let attached = networks.attach(owner(container), wanted, None);
    attached.map(|attached| attached.sandbox).map_err(|error| crate::containers::chain(&error))
}

fn addresses(sandbox: &Sandbox) -> Vec<String> {
    let all = sandbox.endpoints.iter();
    all.map(|one| format!("{}={}", one.interface, one.addresses().map(|it| it.to_string()).collect::<String>()))
        .collect()
}

#[test]
fn containers_have_addresses_while_they_run() {
    let world = World::new();
    let networks = world.open(&[]);
    let started: Vec<_> = ["a", "b", "c"].map(|id| addresses(&start(&networks, id, &[on(BRIDGE)]).unwrap())).concat();
    assert_eq!(started, ["eth0=172.17.0.2", "eth0=172.17.0.3", "eth0=172.17.0.4"]);
    networks.detach("b");
    assert_eq!(networks.sandbox("b"), None);
    let again = start(&networks, "d", &[on(BRIDGE)]).unwrap();
    let endpoint = &again.endpoints[0];
    assert_eq!(
        (addresses(&again), endpoint.hardware_text().as_str()),
        (vec!["eth0=172.17.0.3".to_owned()], "02:42:ac:11:00:03")
    );
    assert!(endpoint.names.is_empty(), "names are for networks of the user's own");
    assert_eq!(networks.endpoints_on(&endpoint.network).len(), 3);
}

#[test]
fn who_is_on_no_bridge_has_a_place_without_an_address() {
    let world = World::new();
    let networks = world.open(&[]);
    for mode in [HOST, NONE] {
        let sandbox = start(&networks, mode, &[on(mode)]).unwrap();
        assert_eq!(
            (sandbox.id.len(), sandbox.endpoints[0].id.len(), addresses(&sandbox)),
            (64, 64, vec!["=".to_owned()])
        );
    }
    assert_eq!(start(&networks, "off", &[]).unwrap().endpoints, []);
}

#[test]
fn the_next_agent_knows_who_has_what_and_which_networks_there_are() {
    let world = World::new();
    let before = world.open(&[]);
    let id = before.create(with_subnet("own", "10.1.0.0/24"), &[]).unwrap();
    let kept = start(&before, "a", &[on(BRIDGE), on("own")]).unwrap();
    start(&before, "gone", &[on(BRIDGE)]).unwrap();
    let ids: Vec<String> = before.all().iter().map(|record| record.id.clone()).collect();
    drop(before);
    // Half a note, of a start that was cut off.
    fs::write(world.folder.path().join("notes/half"), "{\"id").unwrap();
    let after = world.open(&["a"]);
    assert_eq!((after.sandbox("a"), after.sandbox("gone")), (Some(kept), None));
    assert_eq!(after.all().iter().map(|record| record.id.clone()).collect::<Vec<_>>(), ids);
    assert_eq!(after.find("own").unwrap().id, id);
    assert_eq!(addresses(&start(&after, "b", &[on("own")]).unwrap()), ["eth0=10.1.0.3"]);
}

#[test]
fn names_and_beginnings_of_ids_find_a_network() {
    let world = World::new();
    let networks = world.open(&[]);
    let id = networks.find(HOST).unwrap().id.clone();
    let find = |asked: &str| networks.find(asked).map(|found| found.name.clone()).map_err(|error| error.to_string());
    assert_eq!([find("host"), find(&id), find(&id[..12])], [Ok(HOST.into()), Ok(HOST.into()), Ok(HOST.into())]);
    assert_eq!(find("nosuch"), Err("network nosuch not found".into()));
    assert_eq!(find(""), Err("network  not found".into()));
}

#[test]
fn subnets_are_chosen_and_never_shared() {
    let world = World::new();
    let networks = world.open(&[]);
    for name in ["one", "two"] {
        networks.create(network(name), &[]).unwrap();
    }
    let subnet = |name: &str| networks.find(name).unwrap().pools[0].subnet.to_string();
    assert_eq!([subnet("one"), subnet("two")], ["172.18.0.0/16", "172.19.0.0/16"]);
    let refused = |asked| networks.create(asked, &[]).unwrap_err();
    assert!(matches!(refused(with_subnet("x", "172.17.0.0/24")), NetworksError::Overlap));
    assert!(matches!(refused(network("one")), NetworksError::Exists(_)));
    assert!(matches!(refused(network("bridge")), NetworksError::MakeBuiltIn(_)));
    assert!(matches!(refused(network("")), NetworksError::NoName));
    networks.remove("one").unwrap();
    networks.create(CreateNetworkRequest { ipv6: true, ..network("three") }, &[]).unwrap();
    let record = networks.find("three").unwrap();
    assert_eq!((record.pools.len(), subnet("three").as_str()), (2, "172.18.0.0/16"));
    let sandbox = start(&networks, "a", &[on("three")]).unwrap();
    assert!(sandbox.endpoints[0].ipv6.is_some_and(|address| record.pools[1].subnet.contains(address.into())));
}

#[test]
fn options_that_make_no_sense_are_refused_in_mobys_words() {
    let world = World::new();
    let networks = world.open(&[]);
    let refused = |option: &str, value: &str| {
        let options = [(format!("com.docker.network.{option}"), value.to_owned())].into();
        networks.create(CreateNetworkRequest { options, ..network("x") }, &[]).unwrap_err().to_string()
    };
    assert_eq!(
        refused("bridge.enable_icc", "maybe"),
        "failed to parse com.docker.network.bridge.enable_icc value: maybe (strconv.ParseBool: parsing \"maybe\": invalid syntax)"
    );
    assert_eq!(
        refused("driver.mtu", "foo"),
        "failed to parse com.docker.network.driver.mtu value: foo (strconv.Atoi: parsing \"foo\": invalid syntax)"
    );
    assert!(refused("bridge.name", "docker0").ends_with("(docker0): networks have same bridge name"));
    assert!(refused("bridge.inhibit_ipv4", "true").contains("is not supported by this version of Cove yet"));
}

#[test]
fn interfaces_come_by_priority_and_name_and_an_address_is_had_once() {
    let world = World::new();
    let networks = world.open(&[]);
    for (name, subnet) in [("a", "10.1.0.0/24"), ("b", "10.2.0.0/24"), ("c", "10.3.0.0/24")] {
        networks.create(with_subnet(name, subnet), &[]).unwrap();
    }
    let first = NetworkAttachment { gateway_priority: 5, ..on("c") };
    let own = NetworkAttachment { ipv4_address: "10.2.0.77".into(), ..on("b") };
    let sandbox = start(&networks, "x", &[own.clone(), first, on("a")]).unwrap();
    assert_eq!(addresses(&sandbox), ["eth0=10.3.0.2", "eth1=10.1.0.2", "eth2=10.2.0.77"]);
    let refused = start(&networks, "y", &[on("a"), own]).unwrap_err();
    assert_eq!(refused, "failed to set up container networking: Address already in use");
    assert_eq!(addresses(&start(&networks, "y", &[on("a")]).unwrap()), ["eth0=10.1.0.3"], "nothing was left of it");
    let missing = start(&networks, "z", &[on("nosuch")]).unwrap_err();
    assert_eq!(missing, "failed to set up container networking: network nosuch not found");
    networks.create(with_subnet("small", "10.9.0.0/30"), &[]).unwrap();
    start(&networks, "s", &[on("small")]).unwrap();
    let full = start(&networks, "t", &[on("small")]).unwrap_err();
    assert!(full.contains("no available IPv4 addresses on this network's address pools: small ("), "{full}");
}

#[test]
fn a_network_that_somebody_is_on_stays() {
    let world = World::new();
    let networks = world.open(&[]);
    networks.create(network("own"), &[]).unwrap();
    let id = start(&networks, "web", &[on("own")]).unwrap().endpoints[0].id.clone();
    let refused = networks.remove("own").unwrap_err();
    let expected =
        format!("error while removing network: network own has active endpoints (name:\"web\" id:\"{}\")", &id[..12]);
    assert_eq!((refused.to_string(), refused.kind()), (expected, Kind::Forbidden));
    assert_eq!(networks.prune(HashMap::new()).unwrap(), Vec::<String>::new());
    networks.detach("web");
    assert_eq!(networks.prune(HashMap::new()).unwrap(), ["own"]);
    assert!(matches!(networks.remove("bridge"), Err(NetworksError::RemoveBuiltIn(_))));
}

#[test]
fn places_are_taken_and_left_while_a_container_runs() {
    let world = World::new();
    let networks = world.open(&[]);
    networks.create(with_subnet("own", "10.1.0.0/24"), &[]).unwrap();
    start(&networks, "web", &[on(BRIDGE)]).unwrap();
    let asked = NetworkAttachment { aliases: vec!["www".into()], links: vec!["db:sql".into()], ..on("own") };
    let who = Owner { hostname: "h", name: "web", ..owner("0123456789abcdef") };
    assert_eq!(dns_names(who, &asked.aliases), ["web", "www", "0123456789ab", "h"]);
    let place = networks.connect(owner("web"), 0, &asked).unwrap();
    assert_eq!(
        (place.names.as_slice(), place.links.as_slice()),
        (["web".to_owned(), "www".to_owned()].as_slice(), [("sql".to_owned(), "db".to_owned())].as_slice())
    );
    assert_eq!(addresses(&networks.sandbox("web").unwrap()), ["eth0=172.17.0.2", "eth1=10.1.0.2"]);
    networks.rename("web", "shop");
    assert_eq!(networks.sandbox("web").unwrap().endpoints[1].names, ["shop", "www"]);
    let bridge = networks.find(BRIDGE).unwrap().id.clone();
    networks.disconnect("web", 0, &bridge).unwrap();
    assert_eq!(addresses(&networks.sandbox("web").unwrap()), ["eth1=10.1.0.2"]);
    assert!(matches!(networks.disconnect("web", 0, &bridge), Err(NetworksError::NotOn { .. })));
    assert_eq!(addresses(&start(&networks, "other", &[on(BRIDGE)]).unwrap()), ["eth0=172.17.0.2"], "it was given back");
}

#[test]
fn what_networks_that_are_always_there_lack_is_refused_in_mobys_words() {
    let world = World::new();
    let networks = world.open(&[]);
    networks.create(network("chosen"), &[]).unwrap();
    networks.create(with_subnet("own", "10.1.0.0/24"), &[]).unwrap();
    let refused = |network: &str, ipv4: &str, aliases: &[&str]| {
        let aliases = aliases.iter().map(|alias| (*alias).to_owned()).collect();
        let error =
            networks.check(&NetworkAttachment { ipv4_address: ipv4.into(), aliases, ..on(network) }).unwrap_err();
        let (first, rest) = error.to_string().split_once('\n').map(|(a, b)| (a.to_owned(), b.to_owned())).unwrap();
        assert_eq!(first, format!("invalid config for network {network}: invalid endpoint settings:"));
        rest
    };
    const DEFAULT: &str = "user specified IP address is supported on user defined networks only";
    const CHOSEN: &str =
        "user specified IP address is supported only when connecting to networks with user configured subnets";
    assert_eq!(refused("bridge", "172.17.0.99", &[]), DEFAULT);
    assert_eq!(
        refused("bridge", "1.2.3.4", &[]),
        format!("* {DEFAULT}\n* no configured subnet or ip-range contain the IP address 1.2.3.4")
    );
    assert_eq!(refused("host", "1.2.3.4", &[]), format!("* {DEFAULT}\n* {CHOSEN}"));
    assert_eq!(
        refused("bridge", "", &["x"]),
        "network-scoped alias is supported only for containers in user defined networks"
    );
    assert_eq!(refused("chosen", "172.18.0.77", &[]), CHOSEN);
    assert_eq!(refused("chosen", "foo", &[]), format!("* invalid IPv4 address: foo\n* {CHOSEN}"));
    assert_eq!(refused("own", "10.2.0.1", &[]), "no configured subnet or ip-range contain the IP address 10.2.0.1");
    networks.check(&NetworkAttachment { ipv4_address: "10.1.0.9".into(), ..on("own") }).unwrap();
    networks.check(&on("nosuch")).unwrap();
}

#[test]
fn a_network_that_nobody_chose_the_addresses_of_is_not_where_the_host_goes() {
    let world = World::new();
    let networks = world.open(&[]);
    let subnet = |name: &str| networks.find(name).unwrap().pools[0].subnet.to_string();
    let host =
        ["172.18.0.0/15", "192.168.0.0/24", "172.20.0.0/14", "172.24.0.0/13"].map(|text| Subnet::parse(text).unwrap());
    networks.create(network("beside"), &host).unwrap();
    // 192.168.0.0/20 is the host's, and 192.168.64.0/20 holds what stands for the host.
    assert_eq!(subnet("beside"), "192.168.16.0/20");
    networks.create(with_subnet("wanted", "172.19.0.0/16"), &host).unwrap();
    assert_eq!(subnet("wanted"), "172.19.0.0/16");
    let everything = [Subnet::parse("128.0.0.0/1").unwrap()];
    networks.create(network("for-want-of-others"), &everything).unwrap();
    assert_eq!(subnet("for-want-of-others"), "172.18.0.0/16");
}
