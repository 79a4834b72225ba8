//! The default bridge: addresses, who reaches whom, and what is left when a container has gone.

use std::{
    collections::BTreeSet,
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, ensure};
use cove_tests::{command::DEADLINE, image::BUSYBOX, world::World};

use crate::lifecycle::{fact, kill_agent};

crate::tests![
    containers_reach_one_another_and_the_gateway,
    an_address_is_given_out_again,
    where_a_container_is_is_shown_as_dockerd_shows_it,
    networks_are_listed_and_inspected,
    without_a_network_there_is_loopback_alone,
    many_at_once_get_different_addresses_and_leave_nothing,
    addresses_outlive_the_agent,
    the_address_of_the_gateway_leads_to_nothing_of_the_agent,
];

fn running(world: &World, name: &str, options: &[&str]) -> Result<()> {
    let arguments = [&["run", "-d", "--name", name], options, &[BUSYBOX, "sleep", "1000"]].concat();
    world.says(&arguments).map(drop)
}

fn remove(world: &World, names: &[&str]) -> Result<()> {
    world.docker(&[&["rm", "-f"], names].concat())?.ok().map(drop)
}

fn address(world: &World, name: &str) -> Result<String> {
    world.says(&["inspect", "-f", "{{.NetworkSettings.IPAddress}}", name])
}

/// Looks into the machine's own network.
fn in_the_machine(world: &World, script: &str) -> Result<String> {
    world.says(&["run", "--rm", "--network", "host", BUSYBOX, "sh", "-c", script])
}

/// Asks until it is so: what is given back off the request path is given back soon, and nobody is told.
fn eventually(so: impl Fn() -> Result<bool>, what: &str) -> Result<()> {
    let end = Instant::now() + DEADLINE;
    while !so()? {
        ensure!(Instant::now() < end, "it never came true: {what}");
        thread::sleep(Duration::from_millis(100));
    }
    Ok(())
}

fn containers_reach_one_another_and_the_gateway(world: &World) -> Result<()> {
    let _use = world.shared();
    running(world, "reach-one", &["--hostname", "one", "--domainname", "example.org"])?;
    running(world, "reach-two", &["--user", "1000"])?;
    let (one, two) = (address(world, "reach-one")?, address(world, "reach-two")?);
    ensure!(one != two && one.starts_with("172.17.") && two.starts_with("172.17."), "{one} and {two}");
    for (from, to) in [("reach-one", two.as_str()), ("reach-two", &one), ("reach-two", "172.17.0.1")] {
        world.docker(&["exec", from, "ping", "-c", "1", "-W", "20", to])?.ok()?;
    }
    // A port below 1024, without being root.
    world.docker(&["exec", "-d", "reach-two", "nc", "-l", "-p", "80", "-e", "echo", "hello"])?.ok()?;
    let ask = format!("until nc {two} 80; do sleep 0.1; done");
    ensure!(world.says(&["exec", "reach-one", "sh", "-c", &ask])? == "hello", "nothing came");
    let hosts = world.says(&["exec", "reach-one", "tail", "-n", "1", "/etc/hosts"])?;
    ensure!(hosts == format!("{one}\tone.example.org one"), "{hosts}");
    let route = world.says(&["exec", "reach-one", "ip", "route"])?;
    ensure!(route.contains("default via 172.17.0.1 dev eth0"), "{route}");
    let counted = world.says(&["stats", "--no-stream", "--format", "{{.NetIO}}", "reach-one"])?;
    ensure!(!counted.starts_with("0B"), "nothing was counted: {counted}");
    // There is no way out yet, and that is said at once.
    let out = world.docker(&["exec", "reach-one", "ping", "-c", "1", "-W", "1", "192.0.2.1"])?;
    ensure!(out.code() != 0, "{out}");
    remove(world, &["reach-one", "reach-two"])
}

fn an_address_is_given_out_again(world: &World) -> Result<()> {
    let _use = world.alone();
    running(world, "again", &[])?;
    let first = address(world, "again")?;
    remove(world, &["again"])?;
    let again = || -> Result<bool> {
        running(world, "again", &[])?;
        let now = address(world, "again")?;
        remove(world, &["again"])?;
        Ok(now == first)
    };
    eventually(again, &format!("{first} again"))
}

fn where_a_container_is_is_shown_as_dockerd_shows_it(world: &World) -> Result<()> {
    let _use = world.shared();
    world.says(&["create", "--name", "shown", BUSYBOX, "sleep", "1000"])?;
    let seen = || -> Result<serde_json::Value> {
        let settings = world.says(&["inspect", "-f", "{{json .NetworkSettings}}", "shown"])?;
        Ok(serde_json::from_str(&settings)?)
    };
    let created = seen()?;
    ensure!(created["Networks"]["bridge"]["NetworkID"] == "" && created["IPAddress"] == "", "{created}");
    world.docker(&["start", "shown"])?.ok()?;
    let runs = seen()?;
    let ip = runs["IPAddress"].as_str().context("no address")?;
    let mac: Vec<String> =
        ip.split('.').map(|part| part.parse().map(|byte: u8| format!("{byte:02x}"))).collect::<Result<_, _>>()?;
    ensure!(runs["MacAddress"] == format!("02:42:{}", mac.join(":")), "{runs}");
    ensure!(runs["Gateway"] == "172.17.0.1" && runs["IPPrefixLen"] == 16, "{runs}");
    for member in ["IPAddress", "MacAddress", "Gateway", "IPPrefixLen", "EndpointID"] {
        ensure!(runs[member] == runs["Networks"]["bridge"][member], "{member}: {runs}");
    }
    let sandbox = runs["SandboxID"].as_str().context("no sandbox")?;
    ensure!(runs["SandboxKey"] == format!("/var/run/docker/netns/{}", &sandbox[..12]), "{runs}");
    let inside = world.says(&["exec", "shown", "cat", "/sys/class/net/eth0/address"])?;
    ensure!(runs["MacAddress"] == inside, "{inside} inside");
    world.docker(&["stop", "-t", "0", "shown"])?.ok()?;
    let stopped = seen()?;
    for member in ["IPAddress", "MacAddress", "Gateway", "EndpointID", "SandboxID", "SandboxKey"] {
        ensure!(stopped[member] == "", "{member}: {stopped}");
    }
    ensure!(stopped["Networks"]["bridge"]["NetworkID"] == runs["Networks"]["bridge"]["NetworkID"], "{stopped}");
    remove(world, &["shown"])
}

fn networks_are_listed_and_inspected(world: &World) -> Result<()> {
    let _use = world.shared();
    let list = world.says(&["network", "ls", "--format", "{{.Name}} {{.Driver}} {{.Scope}}"])?;
    ensure!(list == "bridge bridge local\nhost host local\nnone null local", "{list}");
    running(world, "member", &[])?;
    let bridge = world.docker(&["network", "inspect", "bridge"])?.ok()?.json()?[0].clone();
    ensure!(bridge["IPAM"]["Config"][0]["Subnet"] == "172.17.0.0/16", "{bridge}");
    let id = world.says(&["inspect", "-f", "{{.Id}}", "member"])?;
    let member = &bridge["Containers"][&id];
    ensure!(member["Name"] == "member", "{bridge}");
    ensure!(member["IPv4Address"] == format!("{}/16", address(world, "member")?), "{member}");
    remove(world, &["member"])?;
    let left = world.says(&["network", "inspect", "-f", "{{json .Containers}}", "bridge"])?;
    ensure!(!left.contains(&id), "{left}");
    world.docker(&["network", "create", "mine"])?.exits(1)?.complains("not supported by this version of Cove yet")?;
    world
        .docker(&["network", "rm", "bridge"])?
        .exits(1)?
        .complains("is a pre-defined network and cannot be removed")?;
    world.docker(&["network", "inspect", "nosuch"])?.exits(1)?.complains("network nosuch not found")?;
    let plugins = world.says(&["info", "--format", "{{.Plugins.Network}}"])?;
    ensure!(plugins == "[bridge host null]", "{plugins}");
    Ok(())
}

fn without_a_network_there_is_loopback_alone(world: &World) -> Result<()> {
    let _use = world.shared();
    let links = world.says(&["run", "--rm", "--network", "none", BUSYBOX, "ls", "/sys/class/net"])?;
    ensure!(links == "lo", "{links}");
    let shown = world.says(&["run", "--rm", "--network", "none", BUSYBOX, "ping", "-c", "1", "127.0.0.1"])?;
    ensure!(shown.contains("1 packets received"), "{shown}");
    let out =
        world.docker(&["run", "--rm", "--network", "none", BUSYBOX, "ping", "-c", "1", "-W", "1", "172.17.0.1"])?;
    ensure!(out.code() != 0, "{out}");
    Ok(())
}

fn many_at_once_get_different_addresses_and_leave_nothing(world: &World) -> Result<()> {
    const MANY: usize = 20;
    let _use = world.alone();
    let names: Vec<String> = (0..MANY).map(|n| format!("many-{n}")).collect();
    thread::scope(|scope| {
        let starts: Vec<_> = names.iter().map(|name| scope.spawn(|| running(world, name, &[]))).collect();
        starts.into_iter().try_for_each(|start| start.join().unwrap_or_else(|_| anyhow::bail!("a thread broke")))
    })?;
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let format = ["inspect", "-f", "{{.NetworkSettings.IPAddress}}"];
    let addresses = world.says(&[&format[..], &names].concat())?;
    let different: BTreeSet<&str> = addresses.lines().filter(|line| line.starts_with("172.17.")).collect();
    ensure!(different.len() == MANY, "{addresses}");
    remove(world, &names)?;
    // What is ready for the next is at most eight.
    let links = || -> Result<bool> {
        let left: usize = in_the_machine(world, "ls -d /sys/class/net/veth* | wc -l")?.parse()?;
        Ok(left <= 8)
    };
    eventually(links, "no more links than are ready")?;
    let agent = fact(world, "/guest/agent_pid")?;
    let look = format!("ls -l /proc/{agent}/fd | grep -c net:");
    let held = || -> Result<bool> {
        let held = world.docker(&["run", "--rm", "--privileged", "--pid", "host", BUSYBOX, "sh", "-c", &look])?;
        Ok(held.stdout.trim().parse::<usize>().with_context(|| held.to_string())? <= 8)
    };
    eventually(held, "no more namespaces than are ready")
}

fn addresses_outlive_the_agent(world: &World) -> Result<()> {
    let _use = world.alone();
    running(world, "outlives", &[])?;
    running(world, "ends-meanwhile", &["--restart", "no"])?;
    let before = address(world, "outlives")?;
    kill_agent(world)?;
    ensure!(address(world, "outlives")? == before, "{} now", address(world, "outlives")?);
    running(world, "newcomer", &[])?;
    let newcomer = address(world, "newcomer")?;
    ensure!(newcomer != before && newcomer != address(world, "ends-meanwhile")?, "{newcomer} is somebody's");
    world.docker(&["exec", "newcomer", "ping", "-c", "1", "-W", "20", &before])?.ok()?;
    remove(world, &["outlives", "ends-meanwhile", "newcomer"])
}

fn the_address_of_the_gateway_leads_to_nothing_of_the_agent(world: &World) -> Result<()> {
    let _use = world.alone();
    // Each of these files has a line of headings, and one for each socket.
    let sockets = in_the_machine(
        world,
        "cat /proc/net/tcp /proc/net/tcp6 /proc/net/udp /proc/net/udp6 | grep -v local_address | wc -l",
    )?;
    ensure!(sockets == "0", "{sockets} sockets of the machine");
    // One that takes the gateway's address for itself is heard by its neighbours alone, as with dockerd.
    running(world, "spoof", &["--cap-add", "NET_ADMIN"])?;
    world.docker(&["exec", "spoof", "ip", "address", "add", "172.17.0.1/16", "dev", "eth0"])?.ok()?;
    world.docker(&["exec", "spoof", "arping", "-U", "-c", "1", "-I", "eth0", "172.17.0.1"])?;
    ensure!(world.says(&["run", "--rm", BUSYBOX, "echo", "served"])? == "served", "the agent does not serve");
    let forwards = in_the_machine(world, "cat /proc/sys/net/ipv4/ip_forward")?;
    ensure!(forwards == "0", "the machine forwards");
    remove(world, &["spoof"])
}
