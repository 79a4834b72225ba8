//! Names on networks of the user's own: who is found by which, at 127.0.0.11.

use std::collections::BTreeSet;

use anyhow::{Result, ensure};
use cove_tests::{image::BUSYBOX, name_server, outside::Borrowed, world::World};

use crate::user_networks::{remove, sleeper};

crate::tests![
    containers_find_each_other_by_name_alias_and_id,
    an_address_has_a_name,
    names_of_nobody_fail_at_once_where_nobody_else_can_be_asked,
    those_who_share_an_alias_take_turns,
    a_link_is_a_name_of_ones_own,
    names_follow_renames_and_ends,
    a_container_may_have_a_name_server_of_its_own,
    questions_may_come_by_tcp_and_nonsense_is_let_go,
    who_joins_a_network_finds_its_names,
    the_file_of_name_servers_is_dockerds,
    servers_that_were_asked_for_are_asked,
    names_of_the_hosts_file_are_known_everywhere,
];

fn in_it(world: &World, container: &str, script: &str) -> Result<String> {
    world.says(&["exec", container, "sh", "-c", script])
}

fn address(world: &World, container: &str) -> Result<String> {
    world.says(&["inspect", "-f", "{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}", container])
}

/// The addresses of a name; nothing when there is none.
fn find(world: &World, from: &str, name: &str) -> Result<String> {
    in_it(world, from, &format!("nslookup {name} 2>/dev/null | sed -n '3,$s/^Address: //p'"))
}

fn containers_find_each_other_by_name_alias_and_id(world: &World) -> Result<()> {
    let _use = world.shared();
    world.says(&["network", "create", "n-find"])?;
    sleeper(world, "finder", &["--network", "n-find"])?;
    sleeper(world, "found", &["--network", "n-find", "--network-alias", "nick", "--hostname", "myhost"])?;
    let (id, expected) = (world.says(&["inspect", "-f", "{{.Id}}", "found"])?, address(world, "found")?);
    for name in ["found", "FOUND", "nick", &id[..12], "myhost", "found.n-find", "nick.n-find"] {
        let said = find(world, "finder", name)?;
        ensure!(said == expected, "{name}: {said}");
    }
    in_it(world, "finder", "ping -c 1 found")?;
    // Of a family that it has no address of there is nothing, and that is no failure.
    let said = in_it(world, "finder", "nslookup -type=aaaa found")?;
    ensure!(!said.contains("can't find"), "{said}");
    remove(world, &["finder", "found"], &["n-find"])
}

fn an_address_has_a_name(world: &World) -> Result<()> {
    let _use = world.shared();
    world.says(&["network", "create", "--subnet", "10.81.0.0/24", "n-back"])?;
    sleeper(world, "backwards", &["--network", "n-back", "--ip", "10.81.0.7"])?;
    let said = in_it(world, "backwards", "nslookup 10.81.0.7")?;
    ensure!(said.contains("7.0.81.10.in-addr.arpa\tname = backwards.n-back"), "{said}");
    remove(world, &["backwards"], &["n-back"])
}

fn names_of_nobody_fail_at_once_where_nobody_else_can_be_asked(world: &World) -> Result<()> {
    let _use = world.shared();
    for network in ["n-one", "n-two"] {
        world.says(&["network", "create", "--internal", network])?;
    }
    sleeper(world, "in-one", &["--network", "n-one"])?;
    sleeper(world, "in-two", &["--network", "n-two"])?;
    for name in ["in-two", "in-one.n-two", "nosuch", "example.com"] {
        let said = in_it(world, "in-one", &format!("nslookup {name} 2>&1 || true"))?;
        ensure!(said.contains(&format!("can't find {name}: SERVFAIL")), "{name}: {said}");
    }
    remove(world, &["in-one", "in-two"], &["n-one", "n-two"])
}

fn those_who_share_an_alias_take_turns(world: &World) -> Result<()> {
    let _use = world.shared();
    world.says(&["network", "create", "n-turns"])?;
    for name in ["turn-1", "turn-2"] {
        sleeper(world, name, &["--network", "n-turns", "--network-alias", "both"])?;
    }
    let first =
        "for n in 1 2 3 4 5 6 7 8 9 10 11 12; do nslookup -type=a both | sed -n '3,$s/^Address: //p' | head -n 1; done";
    let said = in_it(world, "turn-1", first)?;
    let different: BTreeSet<&str> = said.lines().collect();
    ensure!(different.len() == 2, "{said}");
    remove(world, &["turn-1", "turn-2"], &["n-turns"])
}

fn a_link_is_a_name_of_ones_own(world: &World) -> Result<()> {
    let _use = world.shared();
    world.says(&["network", "create", "n-link"])?;
    sleeper(world, "link-db", &["--network", "n-link"])?;
    sleeper(world, "link-web", &["--network", "n-link", "--link", "link-db:sql"])?;
    let said = find(world, "link-web", "sql")?;
    ensure!(said == address(world, "link-db")?, "{said}");
    ensure!(find(world, "link-db", "sql")?.is_empty(), "nobody else knows it");
    remove(world, &["link-db", "link-web"], &["n-link"])
}

fn names_follow_renames_and_ends(world: &World) -> Result<()> {
    let _use = world.shared();
    world.says(&["network", "create", "n-gone"])?;
    sleeper(world, "stays", &["--network", "n-gone"])?;
    sleeper(world, "before", &["--network", "n-gone"])?;
    world.docker(&["rename", "before", "after"])?.ok()?;
    let expected = address(world, "after")?;
    ensure!(find(world, "stays", "after")? == expected && find(world, "stays", "before")?.is_empty());
    world.docker(&["stop", "-t", "0", "after"])?.ok()?;
    ensure!(find(world, "stays", "after")?.is_empty());
    world.docker(&["start", "after"])?.ok()?;
    ensure!(!find(world, "stays", "after")?.is_empty());
    remove(world, &["stays", "after"], &["n-gone"])
}

fn a_container_may_have_a_name_server_of_its_own(world: &World) -> Result<()> {
    let _use = world.shared();
    world.says(&["network", "create", "n-own"])?;
    let serve = "echo mine | nc -l -p 53 & nc -u -l -p 53 & sleep 1000";
    world.says(&["run", "-d", "--name", "own-server", "--network", "n-own", BUSYBOX, "sh", "-c", serve])?;
    let other = address(world, "own-server")?;
    let ask = format!("until nc {other} 53 </dev/null; do :; done; nslookup own-server >/dev/null && echo found");
    let said = world.says(&["run", "--rm", "--network", "n-own", BUSYBOX, "sh", "-c", &ask])?;
    ensure!(said == "mine\nfound", "{said}");
    ensure!(find(world, "own-server", "own-server")? == other);
    remove(world, &["own-server"], &["n-own"])
}

fn questions_may_come_by_tcp_and_nonsense_is_let_go(world: &World) -> Result<()> {
    let _use = world.shared();
    world.says(&["network", "create", "n-tcp"])?;
    sleeper(world, "tcp-1", &["--network", "n-tcp"])?;
    // Length, header, one question: tcp-1, A, IN.
    let question = r"\000\027\000\007\001\000\000\001\000\000\000\000\000\000\005tcp-1\000\000\001\000\001";
    let ask = format!("printf '{question}' | nc 127.0.0.11 53 | od -An -tx1 | tr -d ' \\n'");
    let said = in_it(world, "tcp-1", &ask)?;
    let address = address(world, "tcp-1")?;
    let hex: String = address.split('.').map(|byte| format!("{:02x}", byte.parse::<u8>().unwrap_or(0))).collect();
    ensure!(said.contains("00078180000100010000") && said.ends_with(&format!("0004{hex}")), "{said}");
    world.only_cove();
    let nonsense = "printf '\\000\\003abc' | nc 127.0.0.11 53 | wc -c";
    ensure!(in_it(world, "tcp-1", nonsense)? == "0");
    // One that says nothing keeps nobody from being answered.
    let said = in_it(world, "tcp-1", &format!("(sleep 60 | nc 127.0.0.11 53) & {ask}"))?;
    ensure!(said.contains(&hex), "{said}");
    remove(world, &["tcp-1"], &["n-tcp"])
}

fn who_joins_a_network_finds_its_names(world: &World) -> Result<()> {
    let _use = world.shared();
    world.says(&["network", "create", "n-join"])?;
    sleeper(world, "join-there", &["--network", "n-join"])?;
    sleeper(world, "join-late", &[])?;
    world.says(&["network", "connect", "--alias", "late", "n-join", "join-late"])?;
    ensure!(find(world, "join-late", "join-there")? == address(world, "join-there")?);
    let format = "{{(index .NetworkSettings.Networks \"n-join\").IPAddress}}";
    ensure!(find(world, "join-there", "late")? == world.says(&["inspect", "-f", format, "join-late"])?);
    world.says(&["network", "disconnect", "n-join", "join-late"])?;
    ensure!(find(world, "join-there", "late")?.is_empty());
    remove(world, &["join-there", "join-late"], &["n-join"])
}

fn the_file_of_name_servers_is_dockerds(world: &World) -> Result<()> {
    let _use = world.shared();
    world.says(&["network", "create", "n-file"])?;
    let lines = |options: &[&str]| {
        let cat = "grep -v '^#' /etc/resolv.conf | grep .";
        world.says(&[&["run", "--rm", "--network", "n-file"], options, &[BUSYBOX, "sh", "-c", cat]].concat())
    };
    let said = lines(&[])?;
    ensure!(said == "nameserver 127.0.0.11\noptions ndots:0", "{said}");
    let said = lines(&["--dns", "9.9.9.9", "--dns-search", "foo.bar", "--dns-option", "ndots:3"])?;
    ensure!(said == "nameserver 127.0.0.11\nsearch foo.bar\noptions ndots:3", "{said}");
    remove(world, &[], &["n-file"])
}

fn servers_that_were_asked_for_are_asked(world: &World) -> Result<()> {
    let _use = world.shared();
    let _address = Borrowed::address("198.51.100.53/32")?;
    let asked = name_server::at("198.51.100.53:53")?;
    world.says(&["network", "create", "n-dns"])?;
    for network in ["n-dns", "bridge"] {
        sleeper(world, "dns-asks", &["--network", network, "--dns", "198.51.100.53", "--dns-search", "test"])?;
        for name in ["one.test", "one"] {
            let said = find(world, "dns-asks", name)?;
            ensure!(said == "203.0.113.1", "{network} {name}: {said}");
        }
        let said = in_it(world, "dns-asks", "nslookup nosuch.test 2>&1 || true")?;
        ensure!(said.contains("can't find nosuch.test: NXDOMAIN"), "{network}: {said}");
        let said = in_it(world, "dns-asks", "nslookup -type=txt one.test")?;
        ensure!(said.contains("a text"), "{network}: {said}");
        remove(world, &["dns-asks"], &[])?;
    }
    // Three hundred addresses do not fit into a datagram, and come by TCP.
    let question = r"\000\033\000\007\001\000\000\001\000\000\000\000\000\000\004many\004test\000\000\001\000\001";
    sleeper(world, "dns-tcp", &["--network", "n-dns", "--dns", "198.51.100.53"])?;
    let length = format!("printf '{question}' | nc 127.0.0.11 53 | wc -c");
    let said = in_it(world, "dns-tcp", &length)?;
    ensure!(said == (2 + 27 + 300 * 16).to_string(), "{said} bytes");
    ensure!(asked.try_iter().any(|name| name == "many.test"), "the server was not asked");
    remove(world, &["dns-tcp"], &["n-dns"])
}

fn names_of_the_hosts_file_are_known_everywhere(world: &World) -> Result<()> {
    let _use = world.shared();
    world.only_cove();
    let hosts = std::fs::read_to_string("/etc/hosts")?;
    let loopback = hosts.lines().filter_map(|line| line.strip_prefix("127.0.0.1")).flat_map(str::split_whitespace);
    let Some(name) = loopback.into_iter().find(|name| *name != "localhost") else { return Ok(()) };
    for network in ["bridge", "host"] {
        let ask = format!("nslookup {name} | sed -n '3,$s/^Address: //p'");
        let said = world.says(&["run", "--rm", "--network", network, BUSYBOX, "sh", "-c", &ask])?;
        // The host's loopback is at another address for containers.
        ensure!(said.lines().any(|line| line == "192.168.65.254"), "{network} {name}: {said}");
    }
    Ok(())
}
