//! The way out of containers: what the host reaches they reach, and what the host is told they are told.

use anyhow::{Context, Result, ensure};
use cove_tests::{
    image::{BUSYBOX, with_program},
    outside::{Borrowed, Server, echo_datagrams},
    world::World,
};

crate::tests![
    the_host_is_reached_by_its_names,
    errors_are_those_of_the_host,
    both_ends_of_a_connection_end_by_themselves,
    bytes_arrive_as_they_were_whatever_the_size_of_writes,
    many_connections_at_once_and_in_a_row_leave_nothing,
    datagrams_of_all_sizes_come_back,
    pings_are_answered_by_those_who_were_asked,
    six_is_reached_as_four_is,
    who_has_the_machines_network_gets_out_too,
    an_internal_network_leads_nowhere,
    what_is_the_hosts_own_is_denied,
    the_user_denies_addresses,
    a_proxy_takes_all_connections,
    flows_and_failures_are_shown,
    networks_are_not_where_the_host_goes,
];

/// The host, as containers know it.
const HOST: &str = "192.168.65.254";

/// What the program says in a container with these options.
fn program(world: &World, options: &[&str], arguments: &[&str]) -> Result<String> {
    let image = with_program(world, "egress")?;
    world.says(&[&["run", "--rm"], options, &[image.as_str(), "/egress"], arguments].concat())
}

fn the_host_is_reached_by_its_names(world: &World) -> Result<()> {
    let _use = world.shared();
    world.only_cove();
    let server = Server::at("127.0.0.1")?;
    world.says(&["network", "create", "e-names"])?;
    for (options, name) in [
        (["--network", "bridge"], "host.docker.internal"),
        (["--network", "e-names"], "host.docker.internal"),
        (["--network", "e-names"], "gateway.docker.internal"),
        (["--network", "host"], "host.docker.internal"),
        (["--add-host", "me:host-gateway"], "me"),
    ] {
        let url = format!("http://{name}:{}/", server.port());
        let said = world.says(&[&["run", "--rm"], &options[..], &[BUSYBOX, "wget", "-qO-", &url]].concat())?;
        ensure!(said == "the host", "{options:?} {name}: {said}");
    }
    world.says(&["network", "rm", "e-names"])?;
    Ok(())
}

fn errors_are_those_of_the_host(world: &World) -> Result<()> {
    let _use = world.shared();
    world.only_cove();
    let closed = Server::at("127.0.0.1")?.port();
    let _unreachable = Borrowed::route("unreachable", "198.51.100.66/32")?;
    let _prohibited = Borrowed::route("prohibit", "198.51.100.67/32")?;
    let _thrown = Borrowed::route("throw", "198.51.100.68/32")?;
    for network in ["bridge", "host"] {
        for (address, errno) in [
            (format!("{HOST}:{closed}"), 111),
            ("198.51.100.66:80".to_owned(), 113),
            // ICMP of IPv4 has no word for "forbidden" that Linux's connect repeats.
            ("198.51.100.67:80".to_owned(), 113),
            ("198.51.100.68:80".to_owned(), 101),
        ] {
            let said = program(world, &["--network", network], &["connect", &address])?;
            ensure!(said.starts_with(&format!("errno {errno} ")), "{network} {address}: {said}");
        }
    }
    Ok(())
}

fn both_ends_of_a_connection_end_by_themselves(world: &World) -> Result<()> {
    let _use = world.shared();
    world.only_cove();
    let server = Server::at("127.0.0.1")?;
    let address = format!("{HOST}:{}", server.port());
    let said = program(world, &[], &["half", &address])?;
    ensure!(said == "ok 5", "an answer after the end: {said}");
    let said = program(world, &[], &["reset", &address])?;
    ensure!(said.starts_with("errno 104 "), "a connection that was cut: {said}");
    Ok(())
}

fn bytes_arrive_as_they_were_whatever_the_size_of_writes(world: &World) -> Result<()> {
    let _use = world.shared();
    world.only_cove();
    let server = Server::at("127.0.0.1")?;
    let address = format!("{HOST}:{}", server.port());
    for (size, total) in [
        (1, 3_000),
        (7, 20_000),
        (1_460, 400_000),
        (4_096, 1_000_000),
        (16_379, 1_000_000),
        (16_384, 1_000_000),
        (32_769, 2_000_000),
        (65_536, 2_000_000),
        (262_144, 4_000_000),
    ] {
        let said = program(world, &[], &["send", &address, &size.to_string(), &total.to_string()])?;
        ensure!(said == format!("ok {total}"), "writes of {size}: {said}");
    }
    Ok(())
}

/// The flows of containers, as `cove net` tells programs.
fn flows(world: &World) -> Result<serde_json::Value> {
    world.cove(&["--format", "json", "net"])?.ok()?.json()
}

fn many_connections_at_once_and_in_a_row_leave_nothing(world: &World) -> Result<()> {
    let _use = world.alone();
    let server = Server::at("127.0.0.1")?;
    let address = format!("{HOST}:{}", server.port());
    let daemon = world.cove(&["--format", "json", "status"])?.ok()?.json()?;
    let daemon = daemon["daemon_pid"].as_u64().context("no pid")?;
    let open = || Ok::<_, anyhow::Error>(std::fs::read_dir(format!("/proc/{daemon}/fd"))?.count());
    program(world, &[], &["many", &address, "100"])?;
    let before = open()?;
    let said = program(world, &[], &["many", &address, "500"])?;
    ensure!(said == "ok 500", "at once: {said}");
    let row = std::env::var("COVE_TEST_CONNECTIONS").unwrap_or_else(|_| "2000".to_owned());
    let said = program(world, &[], &["row", &address, &row])?;
    ensure!(said == format!("ok {row}"), "in a row: {said}");
    let after = open()?;
    // Streams are kept for the next connections, a limited number of them.
    ensure!(after <= before + 16, "{before} descriptors were open, {after} are");
    let told = flows(world)?;
    // Those of datagrams that other tests sent live until they are idle.
    let left = told["flows"].as_array().context("no flows")?.iter().filter(|flow| flow["protocol"] == "tcp").count();
    ensure!(left == 0, "{told}");
    Ok(())
}

fn datagrams_of_all_sizes_come_back(world: &World) -> Result<()> {
    let _use = world.shared();
    world.only_cove();
    let _address = Borrowed::address("198.51.100.2/32")?;
    let (host, other) = (echo_datagrams("127.0.0.1")?, echo_datagrams("198.51.100.2")?);
    for (address, size) in [
        (format!("{HOST}:{host}"), "0"),
        (format!("{HOST}:{host}"), "1"),
        (format!("{HOST}:{host}"), "1472"),
        (format!("198.51.100.2:{other}"), "1473"),
        (format!("198.51.100.2:{other}"), "16384"),
        (format!("198.51.100.2:{other}"), "65507"),
    ] {
        let said = program(world, &[], &["udp", &address, size])?;
        ensure!(said == format!("ok {size}"), "{address}: {said}");
    }
    Ok(())
}

fn pings_are_answered_by_those_who_were_asked(world: &World) -> Result<()> {
    let _use = world.shared();
    world.only_cove();
    let _address = Borrowed::address("198.51.100.3/32")?;
    for network in ["bridge", "host"] {
        for (address, size) in [("198.51.100.3", "56"), (HOST, "1400")] {
            let ping = ["run", "--rm", "--network", network, BUSYBOX, "ping", "-c", "3", "-s", size, address];
            let said = world.says(&ping)?;
            let answers = said.matches(&format!("bytes from {address}: seq=")).count();
            ensure!(answers == 3, "{network} {address}: {said}");
        }
    }
    Ok(())
}

fn six_is_reached_as_four_is(world: &World) -> Result<()> {
    let _use = world.shared();
    world.only_cove();
    let _address = Borrowed::address("2001:db8:5::1/128")?;
    let (server, port) = (Server::at("2001:db8:5::1")?, echo_datagrams("2001:db8:5::1")?);
    world.says(&["network", "create", "--ipv6", "e-six"])?;
    for network in ["e-six", "host"] {
        let on = ["--network", network];
        let address = format!("[2001:db8:5::1]:{}", server.port());
        let said = program(world, &on, &["send", &address, "16384", "300000"])?;
        ensure!(said == "ok 300000", "{network}: {said}");
        let said = program(world, &on, &["udp", &format!("[2001:db8:5::1]:{port}"), "1400"])?;
        ensure!(said == "ok 1400", "{network}: {said}");
        let said = program(world, &on, &["connect", "[2001:db8:5::1]:9"])?;
        ensure!(said.starts_with("errno 111 "), "{network}: {said}");
        let said = world.says(&["run", "--rm", "--network", network, BUSYBOX, "ping", "-c", "1", "2001:db8:5::1"])?;
        ensure!(said.contains("bytes from 2001:db8:5::1: seq=0 "), "{network}: {said}");
    }
    world.says(&["network", "rm", "e-six"])?;
    Ok(())
}

fn who_has_the_machines_network_gets_out_too(world: &World) -> Result<()> {
    let _use = world.shared();
    world.only_cove();
    let _address = Borrowed::address("198.51.100.4/32")?;
    let (server, port) = (Server::at("198.51.100.4")?, echo_datagrams("198.51.100.4")?);
    let on = ["--network", "host"];
    let address = format!("198.51.100.4:{}", server.port());
    let said = program(world, &on, &["send", &address, "32768", "1000000"])?;
    ensure!(said == "ok 1000000", "{said}");
    let said = program(world, &on, &["udp", &format!("198.51.100.4:{port}"), "9000"])?;
    ensure!(said == "ok 9000", "{said}");
    // Who marks packets as the agent does reaches nobody by that.
    let listening = world.says(&["run", "--rm", "--network", "host", BUSYBOX, "netstat", "-ltn"])?;
    let listener = listening.split_whitespace().find(|word| word.starts_with("127.0.0.1:")).context("no listener")?;
    let said = program(world, &on, &["reset", listener])?;
    ensure!(said.starts_with("errno 104 ") || said.starts_with("errno 32 "), "{said}");
    Ok(())
}

fn an_internal_network_leads_nowhere(world: &World) -> Result<()> {
    let _use = world.shared();
    world.only_cove();
    let server = Server::at("127.0.0.1")?;
    world.says(&["network", "create", "--internal", "--subnet", "10.83.0.0/24", "e-inner"])?;
    let address = format!("{HOST}:{}", server.port());
    let said = program(world, &["--network", "e-inner"], &["connect", &address])?;
    ensure!(said.starts_with("errno 101 "), "{said}");
    // Not by a route of its own either, nor by asking for names.
    let script = format!(
        "ip route add default via 10.83.0.1 && ! wget -T 3 -qO- http://{address}/ && \
         ! nslookup host.docker.internal >/dev/null && echo shut"
    );
    let on = ["run", "--rm", "--network", "e-inner", "--cap-add", "NET_ADMIN", BUSYBOX, "sh", "-c"];
    let said = world.says(&[&on[..], &[&script]].concat())?;
    ensure!(said == "shut", "{said}");
    world.says(&["network", "rm", "e-inner"])?;
    Ok(())
}

fn what_is_the_hosts_own_is_denied(world: &World) -> Result<()> {
    let _use = world.shared();
    world.only_cove();
    let server = Server::at("127.0.0.1")?;
    for address in ["169.254.169.254:80".to_owned(), format!("192.168.65.2:{}", server.port())] {
        let said = program(world, &[], &["connect", &address])?;
        ensure!(said.starts_with("errno 113 "), "{address}: {said}");
    }
    Ok(())
}

fn the_user_denies_addresses(world: &World) -> Result<()> {
    let _use = world.alone();
    let _address = Borrowed::address("198.51.100.5/32")?;
    let (server, own) = (Server::at("198.51.100.5")?, Server::at("127.0.0.1")?);
    let (address, host) = (format!("198.51.100.5:{}", server.port()), format!("{HOST}:{}", own.port()));
    let expect = |to: &str, expected: &str| {
        let said = program(world, &[], &["connect", to])?;
        ensure!(said.starts_with(expected), "{to}: {said}");
        Ok(())
    };
    expect(&address, "ok")?;
    world.cove(&["net", "settings", "--deny", "198.51.100.0/24", "--host", "off"])?.ok()?;
    expect(&address, "errno 113 ")?;
    expect(&host, "errno 113 ")?;
    let refused = world.cove(&["net", "settings", "--deny", "198.51.100.0/99"])?;
    refused.exits(1)?.complains("is no address")?;
    world.cove(&["net", "settings", "--deny", "", "--host", "on"])?.ok()?;
    expect(&address, "ok")?;
    expect(&host, "ok")
}

fn a_proxy_takes_all_connections(world: &World) -> Result<()> {
    let _use = world.alone();
    let server = Server::at("127.0.0.1")?;
    let (proxy, asked) = cove_tests::outside::proxy(server.port())?;
    world
        .cove(&["net", "settings", "--proxy", &format!("http://127.0.0.1:{proxy}"), "--no-proxy", "198.51.100.7"])?
        .ok()?;
    // No computer has this address: only the proxy reaches it.
    let said = program(world, &[], &["half", "203.0.113.9:4321"])?;
    world.cove(&["net", "settings", "--proxy", "", "--no-proxy", ""])?.ok()?;
    ensure!(said == "ok 5", "{said}");
    let asked = asked.recv()?;
    ensure!(asked.starts_with("CONNECT 203.0.113.9:4321 HTTP/1.1"), "{asked}");
    Ok(())
}

fn flows_and_failures_are_shown(world: &World) -> Result<()> {
    let _use = world.shared();
    world.only_cove();
    let server = Server::at("127.0.0.1")?;
    let script = format!("(echo Echo; sleep 1000) | nc {HOST} {}", server.port());
    world.says(&["run", "-d", "--name", "e-shown", BUSYBOX, "sh", "-c", &script])?;
    world.log_line("e-shown", "cho")?;
    let text = world.cove(&["net", "e-shown"])?.ok()?.stdout;
    let line = text.lines().find(|line| line.starts_with("e-shown")).with_context(|| text.clone())?;
    let words: Vec<&str> = line.split_whitespace().collect();
    ensure!(words[1..3] == ["tcp", &format!("host.docker.internal:{}", server.port())], "{text}");
    let id = world.says(&["inspect", "-f", "{{.Id}}", "e-shown"])?;
    let of_it = |told: &serde_json::Value, list: &str| -> Vec<serde_json::Value> {
        let all = told[list].as_array().cloned().unwrap_or_default();
        all.into_iter().filter(|one| one["container"] == id.as_str()).collect()
    };
    let told = flows(world)?;
    ensure!(of_it(&told, "flows").len() == 1 && of_it(&told, "flows")[0]["bytes_sent"] == 5, "{told}");
    world.docker(&["exec", "e-shown", "nc", HOST, "9"])?.exits(1)?;
    let told = flows(world)?;
    let failed = of_it(&told, "failures");
    ensure!(
        failed.len() == 1 && failed[0]["errno"] == 111 && failed[0]["target"] == "host.docker.internal:9",
        "{told}"
    );
    world.docker(&["rm", "-f", "e-shown"])?.ok()?;
    // Its connection goes with it.
    while !of_it(&flows(world)?, "flows").is_empty() {}
    Ok(())
}

fn networks_are_not_where_the_host_goes(world: &World) -> Result<()> {
    let _use = world.alone();
    let _gone = Borrowed::route("unreachable", "172.16.0.0/12")?;
    world.says(&["network", "create", "e-elsewhere"])?;
    let subnet = world.says(&["network", "inspect", "-f", "{{(index .IPAM.Config 0).Subnet}}", "e-elsewhere"])?;
    world.says(&["network", "rm", "e-elsewhere"])?;
    ensure!(subnet.starts_with("192.168."), "{subnet}");
    Ok(())
}
