//! Networks of the user's own: who reaches whom, with which address, and what is refused.

use anyhow::{Result, ensure};
use cove_tests::{image::BUSYBOX, world::World};

crate::tests![
    a_network_is_made_shown_and_removed,
    what_cannot_be_is_refused_in_dockerds_words,
    those_on_a_network_reach_each_other_and_nobody_else,
    containers_can_be_kept_from_each_other,
    addresses_are_as_asked,
    networks_are_joined_and_left_while_a_container_runs,
    networks_are_joined_and_left_while_it_does_not_run,
    several_networks_have_one_way_out,
    an_internal_network_leads_nowhere,
    a_network_may_have_ipv6,
    host_and_none_are_places_too,
    what_happens_to_networks_is_told,
    unused_networks_are_pruned,
    cove_has_networks_too,
    networks_outlive_the_agent_and_the_machine,
];

pub(crate) fn sleeper(world: &World, name: &str, options: &[&str]) -> Result<()> {
    world.says(&[&["run", "-d", "--name", name], options, &[BUSYBOX, "sleep", "1000"]].concat())?;
    Ok(())
}

pub(crate) fn remove(world: &World, containers: &[&str], networks: &[&str]) -> Result<()> {
    if !containers.is_empty() {
        world.docker(&[&["rm", "-f"], containers].concat())?.ok()?;
    }
    if !networks.is_empty() {
        world.docker(&[&["network", "rm"], networks].concat())?.ok()?;
    }
    Ok(())
}

fn address(world: &World, container: &str, network: &str) -> Result<String> {
    let format = format!("{{{{(index .NetworkSettings.Networks {network:?}).IPAddress}}}}");
    world.says(&["inspect", "-f", &format, container])
}

fn in_it(world: &World, container: &str, script: &str) -> Result<String> {
    world.says(&["exec", container, "sh", "-c", script])
}

fn a_network_is_made_shown_and_removed(world: &World) -> Result<()> {
    let _use = world.shared();
    let options = [
        "--subnet=10.77.0.0/24",
        "--gateway=10.77.0.5",
        "--ip-range=10.77.0.128/25",
        "--aux-address=h=10.77.0.129",
        "--label=a=b",
        "--attachable",
        "--opt=com.docker.network.bridge.name=madebr0",
        "--opt=com.docker.network.driver.mtu=1400",
    ];
    let id = world.says(&[&["network", "create"], &options[..], &["made"]].concat())?;
    let format =
        "{{.Id}} {{.Driver}} {{.Scope}} {{.EnableIPv6}} {{json .IPAM.Config}} {{json .Options}} {{json .Labels}}";
    let said = world.says(&["network", "inspect", "-f", format, &id[..12]])?;
    let expected = concat!(
        r#"[{"AuxiliaryAddresses":{"h":"10.77.0.129"},"Gateway":"10.77.0.5","IPRange":"10.77.0.128/25","Subnet":"10.77.0.0/24"}] "#,
        r#"{"com.docker.network.bridge.name":"madebr0","com.docker.network.driver.mtu":"1400"} {"a":"b"}"#
    );
    ensure!(said == format!("{id} bridge local false {expected}"), "{said}");
    let listed = world.says(&["network", "ls", "--filter", "label=a=b", "--format", "{{.Name}}"])?;
    ensure!(listed == "made", "{listed}");
    let own =
        world.says(&["run", "--rm", "--network", "made", BUSYBOX, "sh", "-c", "ip -o addr show eth0; ip route"])?;
    ensure!(own.contains("10.77.0.128/24") && own.contains("default via 10.77.0.5"), "{own}");
    let mtu = world.says(&["run", "--rm", "--network", "made", BUSYBOX, "cat", "/sys/class/net/eth0/mtu"])?;
    ensure!(mtu == "1400", "{mtu}");
    ensure!(world.says(&["network", "rm", "made"])? == "made");
    world.docker(&["network", "inspect", "made"])?.exits(1)?.complains("network made not found")?;
    Ok(())
}

fn what_cannot_be_is_refused_in_dockerds_words(world: &World) -> Result<()> {
    let _use = world.shared();
    world.says(&["network", "create", "--subnet", "10.78.0.0/24", "taken"])?;
    let create = |arguments: &[&str], words: &str| {
        world.docker(&[&["network", "create"], arguments, &["refused"]].concat())?.exits(1)?.complains(words)
    };
    create(&["--subnet", "10.78.0.0/16"], "invalid pool request: Pool overlaps with other one on this address space")?;
    create(&["--subnet", "10.79.0.5/24"], "invalid subnet 10.79.0.5/24: it should be 10.79.0.0/24")?;
    create(&["--subnet", "10.79.0.0"], "invalid subnet 10.79.0.0: invalid CIDR block notation")?;
    create(&["--driver", "nosuch"], "plugin \"nosuch\" not found")?;
    create(&["--driver", "host"], "only one instance of \"host\" network is allowed")?;
    create(&["--driver", "overlay"], "This node is not a swarm manager.")?;
    create(&["--ipv4=false"], "IPv4 or IPv6 must be enabled")?;
    create(&["-o", "com.docker.network.bridge.enable_icc=maybe"], "value: maybe (strconv.ParseBool:")?;
    create(&["-o", "com.docker.network.bridge.name=docker0"], "(docker0): networks have same bridge name")?;
    for (arguments, words) in [
        (["network", "create", "taken"], "network with name taken already exists"),
        (["network", "create", "host"], "operation is not permitted on predefined host network"),
        (["network", "rm", "bridge"], "bridge is a pre-defined network and cannot be removed"),
        (["network", "rm", "nosuch"], "network nosuch not found"),
    ] {
        world.docker(&arguments)?.exits(1)?.complains(words)?;
    }
    let missing = world.docker(&["run", "--name", "nowhere", "--network", "nosuch", BUSYBOX, "true"])?.exits(125)?;
    missing.complains("failed to set up container networking: network nosuch not found")?;
    sleeper(world, "on-taken", &["--network", "taken"])?;
    world
        .docker(&["network", "rm", "taken"])?
        .exits(1)?
        .complains("network taken has active endpoints (name:\"on-taken\" id:")?;
    remove(world, &["on-taken", "nowhere"], &["taken"])
}

fn those_on_a_network_reach_each_other_and_nobody_else(world: &World) -> Result<()> {
    let _use = world.shared();
    for network in ["near", "far"] {
        world.says(&["network", "create", network])?;
        sleeper(world, &format!("in-{network}"), &["--network", network])?;
    }
    let (near, far) = (address(world, "in-near", "near")?, address(world, "in-far", "far")?);
    let ping = |from: &str, to: &str| {
        world.says(&[
            "run",
            "--rm",
            "--network",
            from,
            BUSYBOX,
            "sh",
            "-c",
            &format!("ping -c 1 -W 1 {to} >/dev/null && echo reached || echo lost"),
        ])
    };
    for (from, to, expected) in
        [("near", &near, "reached"), ("near", &far, "lost"), ("far", &near, "lost"), ("bridge", &near, "lost")]
    {
        let said = ping(from, to)?;
        ensure!(said == expected, "from {from} to {to}: {said}");
    }
    // Nor when somebody who may switches forwarding on.
    let forward = "echo 1 > /proc/sys/net/ipv4/ip_forward";
    world.says(&["run", "--rm", "--privileged", "--network", "host", BUSYBOX, "sh", "-c", forward])?;
    ensure!(ping("near", &far)? == "lost", "forwarded to {far}");
    remove(world, &["in-near", "in-far"], &["near", "far"])
}

fn containers_can_be_kept_from_each_other(world: &World) -> Result<()> {
    let _use = world.shared();
    world.says(&["network", "create", "-o", "com.docker.network.bridge.enable_icc=false", "apart"])?;
    sleeper(world, "apart-1", &["--network", "apart"])?;
    let (other, try_it) =
        (address(world, "apart-1", "apart")?, "ping -c 1 -W 1 $0 >/dev/null && echo reached || echo lost");
    let gateway = world.says(&["inspect", "-f", "{{.NetworkSettings.Networks.apart.Gateway}}", "apart-1"])?;
    world.only_cove();
    for (to, expected) in [(other, "lost"), (gateway, "reached")] {
        let said = world.says(&["run", "--rm", "--network", "apart", BUSYBOX, "sh", "-c", try_it, &to])?;
        ensure!(said == expected, "{to}: {said}");
    }
    remove(world, &["apart-1"], &["apart"])
}

fn addresses_are_as_asked(world: &World) -> Result<()> {
    let _use = world.shared();
    world.says(&["network", "create", "--subnet", "10.60.0.0/24", "asked"])?;
    world.says(&["network", "create", "chosen"])?;
    let own = ["--network", "asked", "--ip", "10.60.0.77", "--mac-address", "02:42:0a:3c:00:99"];
    sleeper(world, "asked-1", &own)?;
    let said = in_it(world, "asked-1", "ip addr show eth0")?;
    ensure!(said.contains("02:42:0a:3c:00:99") && said.contains("inet 10.60.0.77/24 brd 10.60.0.255"), "{said}");
    let format = "{{with index .NetworkSettings.Networks \"asked\"}}{{.IPAMConfig.IPv4Address}} {{.MacAddress}} {{.Gateway}}{{end}}";
    let said = world.says(&["inspect", "-f", format, "asked-1"])?;
    ensure!(said == "10.60.0.77 02:42:0a:3c:00:99 10.60.0.1", "{said}");
    let run = |network: &str, ip: &str, words: &str| {
        world.docker(&["run", "--rm", "--network", network, "--ip", ip, BUSYBOX, "true"])?.exits(125)?.complains(words)
    };
    run("asked", "10.60.0.77", "failed to set up container networking: Address already in use")?;
    run("asked", "10.61.0.77", "no configured subnet or ip-range contain the IP address 10.61.0.77")?;
    run("asked", "foo", "invalid IPv4 address: foo")?;
    run(
        "chosen",
        "172.18.0.77",
        "user specified IP address is supported only when connecting to networks with user configured",
    )?;
    // It is free as soon as its container has gone.
    world.docker(&["rm", "-f", "asked-1"])?.ok()?;
    sleeper(world, "asked-2", &own)?;
    world.docker(&["restart", "-t", "0", "asked-2"])?.ok()?;
    ensure!(address(world, "asked-2", "asked")? == "10.60.0.77");
    remove(world, &["asked-2"], &["asked", "chosen"])
}

fn networks_are_joined_and_left_while_a_container_runs(world: &World) -> Result<()> {
    let _use = world.shared();
    world.says(&["network", "create", "--subnet", "10.62.0.0/24", "live"])?;
    sleeper(world, "joiner", &["--hostname", "h"])?;
    world.says(&["network", "connect", "--ip", "10.62.0.9", "--alias", "nick", "live", "joiner"])?;
    let said = in_it(world, "joiner", "ip -o -4 addr show eth1; grep 10.62 /etc/hosts; ip route | grep default")?;
    ensure!(said.contains("inet 10.62.0.9/24") && said.contains("10.62.0.9\th"), "{said}");
    ensure!(said.contains("default via 172.17.0.1 dev eth0"), "the network whose name comes first leads out: {said}");
    let format = "{{json (index .NetworkSettings.Networks \"live\").DNSNames}} {{json (index .NetworkSettings.Networks \"live\").Aliases}}";
    let id = world.says(&["inspect", "-f", "{{.Id}}", "joiner"])?;
    let said = world.says(&["inspect", "-f", format, "joiner"])?;
    ensure!(said == format!("[\"joiner\",\"nick\",\"{}\",\"h\"] [\"nick\"]", &id[..12]), "{said}");
    let on_it = world.says(&[
        "network",
        "inspect",
        "-f",
        &format!("{{{{(index .Containers {id:?}).IPv4Address}}}}"),
        "live",
    ])?;
    ensure!(on_it == "10.62.0.9/24", "{on_it}");
    for (arguments, words) in [
        (["connect", "live", "joiner"], "endpoint with name joiner already exists in network live"),
        (["connect", "host", "joiner"], "cannot connect container to host network - container must be created in host"),
        (
            ["connect", "none", "joiner"],
            "container cannot be connected to multiple networks with one of the networks in",
        ),
        (["connect", "live", "nosuch"], "No such container: nosuch"),
        (["disconnect", "nosuch", "joiner"], "network nosuch not found"),
    ] {
        world.docker(&[&["network"], &arguments[..]].concat())?.exits(1)?.complains(words)?;
    }
    world.says(&["network", "disconnect", "bridge", "joiner"])?;
    let said = in_it(world, "joiner", "ls /sys/class/net; ip route; cat /etc/hosts")?;
    ensure!(said.starts_with("eth1\nlo\n") && said.contains("default via 10.62.0.1"), "{said}");
    ensure!(!said.contains("172.17."), "{said}");
    world.says(&["network", "disconnect", "live", "joiner"])?;
    let missing = world.docker(&["network", "disconnect", "live", "joiner"])?.exits(1)?;
    missing.complains(&format!("container {id} is not connected to network live"))?;
    ensure!(in_it(world, "joiner", "ls /sys/class/net")? == "lo");
    ensure!(world.says(&["inspect", "-f", "{{json .NetworkSettings.Networks}}", "joiner"])? == "{}");
    world
        .docker(&["network", "disconnect", "-f", "live", "nosuch"])?
        .exits(1)?
        .complains("endpoint nosuch not found")?;
    remove(world, &["joiner"], &["live"])
}

fn networks_are_joined_and_left_while_it_does_not_run(world: &World) -> Result<()> {
    let _use = world.shared();
    world.says(&["network", "create", "later"])?;
    world.says(&["create", "--name", "late", "--network", "none", BUSYBOX, "sleep", "1000"])?;
    let refused = world.docker(&["network", "connect", "later", "late"])?.exits(1)?;
    refused.complains(
        "container cannot be connected to multiple networks with one of the networks in private (none) mode",
    )?;
    world.says(&["network", "disconnect", "none", "late"])?;
    world.says(&["network", "connect", "--alias", "nick", "later", "late"])?;
    world.docker(&["start", "late"])?.ok()?;
    ensure!(in_it(world, "late", "ls /sys/class/net")? == "eth0\nlo");
    ensure!(!address(world, "late", "later")?.is_empty());
    world.docker(&["stop", "-t", "0", "late"])?.ok()?;
    ensure!(address(world, "late", "later")?.is_empty());
    world.says(&["network", "rm", "later"])?;
    remove(world, &["late"], &[])
}

fn several_networks_have_one_way_out(world: &World) -> Result<()> {
    let _use = world.shared();
    for (network, subnet) in [("way-a", "10.63.0.0/24"), ("way-b", "10.64.0.0/24")] {
        world.says(&["network", "create", "--subnet", subnet, network])?;
    }
    let look = "ip route | grep default; ip -o -4 addr show eth0; ip -o -4 addr show eth1";
    let run = |options: &[&str]| world.says(&[&["run", "--rm"], options, &[BUSYBOX, "sh", "-c", look]].concat());
    let said = run(&["--network", "way-b", "--network", "way-a"])?;
    ensure!(said.starts_with("default via 10.63.0.1 dev eth") && said.contains("inet 10.64.0.2"), "{said}");
    let said = run(&["--network", "way-a", "--network", "name=way-b,gw-priority=5,ip=10.64.0.50"])?;
    ensure!(said.starts_with("default via 10.64.0.1 dev eth") && said.contains("inet 10.64.0.50"), "{said}");
    world.docker(&["network", "rm", "way-a", "way-b"])?.ok()?;
    Ok(())
}

fn an_internal_network_leads_nowhere(world: &World) -> Result<()> {
    let _use = world.shared();
    world.says(&["network", "create", "--internal", "inside"])?;
    sleeper(world, "insider", &["--network", "inside"])?;
    let said = in_it(world, "insider", "ip route | grep -c default || true")?;
    ensure!(said == "0", "{said}");
    let format = "{{with index .NetworkSettings.Networks \"inside\"}}[{{.Gateway}}]{{end}}";
    ensure!(world.says(&["inspect", "-f", format, "insider"])? == "[]");
    let other = address(world, "insider", "inside")?;
    world.says(&["run", "--rm", "--network", "inside", BUSYBOX, "ping", "-c", "1", &other])?;
    remove(world, &["insider"], &["inside"])
}

fn a_network_may_have_ipv6(world: &World) -> Result<()> {
    let _use = world.shared();
    world.says(&["network", "create", "--ipv6", "--subnet", "10.66.0.0/24", "--subnet", "fd66::/64", "six"])?;
    sleeper(world, "six-1", &["--network", "six", "--ip6", "fd66::99"])?;
    let format = "{{with index .NetworkSettings.Networks \"six\"}}{{.GlobalIPv6Address}} {{.GlobalIPv6PrefixLen}} {{.IPv6Gateway}}{{end}}";
    let said = world.says(&["inspect", "-f", format, "six-1"])?;
    ensure!(said == "fd66::99 64 fd66::1", "{said}");
    let try_it = "ping -c 1 -W 5 fd66::99 >/dev/null && ip -6 route | grep default && grep fd66 /etc/hosts";
    let said = world.says(&["run", "--rm", "--network", "six", "--hostname", "h", BUSYBOX, "sh", "-c", try_it])?;
    ensure!(said.contains("default via fd66::1 dev eth0") && said.contains("fd66::2\th"), "{said}");
    world.says(&["network", "create", "--ipv6", "--ipv4=false", "six-only"])?;
    let said = world.says(&["run", "--rm", "--network", "six-only", BUSYBOX, "ip", "-o", "addr", "show", "eth0"])?;
    ensure!(said.contains("inet6 fd") && !said.contains("inet "), "{said}");
    remove(world, &["six-1"], &["six", "six-only"])
}

fn host_and_none_are_places_too(world: &World) -> Result<()> {
    let _use = world.shared();
    for mode in ["host", "none"] {
        let name = format!("place-{mode}");
        sleeper(world, &name, &["--network", mode])?;
        let format = format!(
            "{{{{len .NetworkSettings.SandboxID}}}} {{{{with .NetworkSettings.Networks.{mode}}}}}{{{{len .EndpointID}}}} {{{{len .NetworkID}}}}{{{{end}}}}"
        );
        let said = world.says(&["inspect", "-f", &format, &name])?;
        ensure!(said == "64 64 64", "{mode}: {said}");
        let id = world.says(&["inspect", "-f", "{{.Id}}", &name])?;
        let on_it =
            world.says(&["network", "inspect", "-f", &format!("{{{{(index .Containers {id:?}).Name}}}}"), mode])?;
        ensure!(on_it == name, "{on_it}");
    }
    let key = world.says(&["inspect", "-f", "{{.NetworkSettings.SandboxKey}}", "place-host"])?;
    ensure!(key.ends_with("/netns/default"), "{key}");
    let shared = "container sharing network namespace with another container or host cannot be connected to any other";
    world.docker(&["network", "connect", "bridge", "place-host"])?.exits(1)?.complains(shared)?;
    let stays = "cannot disconnect container from host network - container was created in host network mode";
    world.docker(&["network", "disconnect", "host", "place-host"])?.exits(1)?.complains(stays)?;
    remove(world, &["place-host", "place-none"], &[])
}

fn what_happens_to_networks_is_told(world: &World) -> Result<()> {
    let _use = world.shared();
    let since = world.says(&["info", "--format", "{{.SystemTime}}"])?;
    world.says(&["network", "create", "told"])?;
    world.says(&["create", "--name", "told-1", "--network", "told", BUSYBOX, "sleep", "1000"])?;
    world.says(&["network", "connect", "bridge", "told-1"])?;
    world.docker(&["start", "told-1"])?.ok()?;
    world.says(&["network", "disconnect", "bridge", "told-1"])?;
    remove(world, &["told-1"], &["told"])?;
    let until = world.says(&["info", "--format", "{{.SystemTime}}"])?;
    let format = "{{.Action}} {{.Actor.Attributes.name}} {{.Actor.Attributes.type}}";
    let asked =
        ["events", "--since", &since, "--until", &until, "--filter", "type=network", "--filter", "network=told"];
    let told = world.says(&[&asked[..], &["--format", format]].concat())?;
    let lines: Vec<&str> = told.lines().collect();
    ensure!(
        lines == ["create told bridge", "connect told bridge", "disconnect told bridge", "destroy told bridge"],
        "{told}"
    );
    Ok(())
}

fn unused_networks_are_pruned(world: &World) -> Result<()> {
    let _use = world.shared();
    for network in ["prune-1", "prune-2"] {
        world.says(&["network", "create", "--label", "prune=me", network])?;
    }
    sleeper(world, "pruner", &["--network", "prune-2"])?;
    let prune = ["network", "prune", "-f", "--filter", "label=prune=me"];
    let said = world.says(&prune)?;
    ensure!(said == "Deleted Networks:\nprune-1", "{said}");
    world.docker(&["rm", "-f", "pruner"])?.ok()?;
    let said = world.says(&prune)?;
    ensure!(said == "Deleted Networks:\nprune-2", "{said}");
    world.docker(&["network", "prune", "-f", "--filter", "foo=bar"])?.exits(1)?.complains("invalid filter 'foo'")?;
    Ok(())
}

fn cove_has_networks_too(world: &World) -> Result<()> {
    let _use = world.shared();
    let create = ["network", "create", "--subnet", "10.70.0.0/24", "--label", "of=cove", "coves"];
    let id = world.cove(&create)?.ok()?.stdout;
    sleeper(world, "coves-1", &[])?;
    world.cove(&["network", "connect", "--ip", "10.70.0.9", "--alias", "nick", "coves", "coves-1"])?.ok()?;
    let shown = world.cove(&["network", "inspect", "coves"])?.ok()?.json()?;
    ensure!(shown[0]["id"] == id.as_str() && shown[0]["subnets"][0] == "10.70.0.0/24", "{shown}");
    ensure!(shown[0]["containers"][0]["ipv4_address"] == "10.70.0.9/24", "{shown}");
    let listed = world.cove(&["network", "ls"])?.ok()?.stdout;
    ensure!(listed.lines().any(|line| line.starts_with("coves ") && line.ends_with("coves-1")), "{listed}");
    world.cove(&["network", "rm", "coves"])?.exits(1)?.complains("has active endpoints")?;
    world.cove(&["network", "disconnect", "coves", "coves-1"])?.ok()?;
    ensure!(world.cove(&["network", "prune", "--filter", "label=of=cove"])?.ok()?.stdout == "coves", "not pruned");
    world.cove(&["network", "rm", "coves"])?.exits(1)?.complains("network coves not found")?;
    remove(world, &["coves-1"], &[])
}

fn networks_outlive_the_agent_and_the_machine(world: &World) -> Result<()> {
    let _use = world.alone();
    world.says(&["network", "create", "--subnet", "10.69.0.0/24", "lasting"])?;
    sleeper(world, "lasting-1", &["--network", "lasting", "--network-alias", "nick", "--restart", "always"])?;
    sleeper(world, "lasting-2", &["--network", "lasting", "--ip", "10.69.0.50", "--restart", "always"])?;
    let holds = |what: &str| -> Result<()> {
        let said = in_it(world, "lasting-2", "nslookup nick; ping -c 1 nick >/dev/null && echo reached")?;
        ensure!(said.contains("10.69.0.") && said.ends_with("reached"), "after {what}: {said}");
        ensure!(address(world, "lasting-2", "lasting")? == "10.69.0.50", "after {what}");
        Ok(())
    };
    holds("the start")?;
    crate::lifecycle::kill_the_agent(world)?;
    holds("the agent's end")?;
    world.cove(&["restart"])?.ok()?;
    let status = "{{.State.Status}}";
    while world.says(&["inspect", "-f", status, "lasting-1"])? != "running" {}
    while world.says(&["inspect", "-f", status, "lasting-2"])? != "running" {}
    holds("the machine's restart")?;
    remove(world, &["lasting-1", "lasting-2"], &["lasting"])
}
