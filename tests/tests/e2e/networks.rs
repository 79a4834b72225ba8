//! The default bridge, and what is not on it.

use std::collections::BTreeSet;

use anyhow::{Result, ensure};
use cove_tests::{image::BUSYBOX, world::World};

crate::tests![
    containers_reach_each_other_and_the_gateway_by_address,
    an_address_is_inspected_while_it_is_had,
    many_containers_have_different_addresses,
    a_container_without_a_network_has_loopback_alone,
    the_networks_that_are_always_there_are_listed_and_inspected,
    being_on_a_network_is_told,
    the_agent_is_not_reached_over_the_bridge,
    a_link_is_a_line_and_variables,
    the_gateway_keeps_its_hardware_address,
    nothing_is_left_of_an_ended_container,
];

const ADDRESS: &str = "{{.NetworkSettings.IPAddress}}";

fn sleeper(world: &World, name: &str, options: &[&str]) -> Result<String> {
    world.says(&[&["run", "-d", "--name", name], options, &[BUSYBOX, "sleep", "1000"]].concat())?;
    world.says(&["inspect", "-f", ADDRESS, name])
}

fn containers_reach_each_other_and_the_gateway_by_address(world: &World) -> Result<()> {
    let _use = world.shared();
    let server = "echo from-a-container | nc -l -p 7777";
    world.says(&["run", "-d", "--name", "reached", BUSYBOX, "sh", "-c", &format!("{server}; sleep 1000")])?;
    let address = world.says(&["inspect", "-f", ADDRESS, "reached"])?;
    let ask = format!("until nc {address} 7777 </dev/null; do :; done; ping -c 1 {address} >/dev/null && echo pinged");
    let said = world.says(&["run", "--rm", BUSYBOX, "sh", "-c", &ask])?;
    ensure!(said == "from-a-container\npinged", "{said}");
    world.says(&["run", "--rm", BUSYBOX, "ping", "-c", "1", "172.17.0.1"])?;
    let route = world.says(&["run", "--rm", BUSYBOX, "ip", "route"])?;
    ensure!(route.contains("default via 172.17.0.1 dev eth0"), "{route}");
    world.docker(&["rm", "-f", "reached"])?.ok()?;
    Ok(())
}

fn an_address_is_inspected_while_it_is_had(world: &World) -> Result<()> {
    let _use = world.shared();
    let address = sleeper(world, "addressed", &["--hostname", "named"])?;
    ensure!(address.starts_with("172.17."), "{address}");
    let endpoint = "{{with .NetworkSettings}}{{.IPPrefixLen}} {{.Gateway}} {{.Networks.bridge.IPAddress}} \
                    {{len .Networks.bridge.NetworkID}} {{len .EndpointID}}{{end}}";
    let said = world.says(&["inspect", "-f", endpoint, "addressed"])?;
    ensure!(said == format!("16 172.17.0.1 {address} 64 64"), "{said}");
    let own = world.says(&["exec", "addressed", "sh", "-c", "hostname -i; ip -o -4 addr show eth0; cat /etc/hosts"])?;
    ensure!(own.starts_with(&address) && own.contains(&format!("inet {address}/16")), "{own}");
    ensure!(own.contains(&format!("{address}\tnamed")), "{own}");
    world.docker(&["stop", "-t", "0", "addressed"])?.ok()?;
    let left = "{{.NetworkSettings.IPAddress}}{{with .NetworkSettings.Networks.bridge}}{{.EndpointID}} {{len .NetworkID}}{{end}}";
    let said = world.says(&["inspect", "-f", left, "addressed"])?;
    ensure!(said == " 64" || said == "64", "{said} without running");
    world.docker(&["start", "addressed"])?.ok()?;
    ensure!(world.says(&["inspect", "-f", ADDRESS, "addressed"])?.starts_with("172.17."), "it has no address again");
    world.docker(&["rm", "-f", "addressed"])?.ok()?;
    Ok(())
}

fn many_containers_have_different_addresses(world: &World) -> Result<()> {
    let _use = world.shared();
    let names: Vec<String> = (0..20).map(|number| format!("many-{number}")).collect();
    let addresses: Result<Vec<String>> = std::thread::scope(|scope| {
        let threads: Vec<_> = names.iter().map(|name| scope.spawn(move || sleeper(world, name, &[]))).collect();
        threads.into_iter().map(|thread| thread.join().unwrap_or_else(|_| anyhow::bail!("a thread panicked"))).collect()
    });
    let different: BTreeSet<String> = addresses?.into_iter().collect();
    ensure!(different.len() == names.len(), "{different:?}");
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    world.docker(&[&["rm", "-f"], &names[..]].concat())?.ok()?;
    Ok(())
}

fn a_container_without_a_network_has_loopback_alone(world: &World) -> Result<()> {
    let _use = world.shared();
    let said = world.says(&["run", "--rm", "--network", "none", BUSYBOX, "ls", "/sys/class/net"])?;
    ensure!(said == "lo", "{said}");
    let said = world.says(&["run", "--rm", BUSYBOX, "ls", "/sys/class/net"])?;
    ensure!(said == "eth0\nlo", "{said}");
    Ok(())
}

fn the_networks_that_are_always_there_are_listed_and_inspected(world: &World) -> Result<()> {
    let _use = world.shared();
    let list = world.says(&["network", "ls", "--format", "{{.Name}} {{.Driver}} {{.Scope}}"])?;
    ensure!(list.lines().take(3).eq(["bridge bridge local", "host host local", "none null local"]), "{list}");
    let address = sleeper(world, "inspected-on", &[])?;
    let id = world.says(&["inspect", "-f", "{{.Id}}", "inspected-on"])?;
    let format = format!("{{{{(index .IPAM.Config 0).Subnet}}}} {{{{(index .Containers {id:?}).IPv4Address}}}}");
    let said = world.says(&["network", "inspect", "-f", &format, "bridge"])?;
    ensure!(said == format!("172.17.0.0/16 {address}/16"), "{said}");
    world.docker(&["network", "inspect", "nosuch"])?.exits(1)?.complains("network nosuch not found")?;
    world.docker(&["rm", "-f", "inspected-on"])?.ok()?;
    Ok(())
}

fn being_on_a_network_is_told(world: &World) -> Result<()> {
    let _use = world.shared();
    let since = world.says(&["info", "--format", "{{.SystemTime}}"])?;
    world.says(&["run", "--name", "told-of", BUSYBOX, "true"])?;
    let id = world.says(&["inspect", "-f", "{{.Id}}", "told-of"])?;
    world.docker(&["rm", "told-of"])?.ok()?;
    let until = world.says(&["info", "--format", "{{.SystemTime}}"])?;
    let format = "{{.Action}} {{.Actor.Attributes.name}} {{.Actor.Attributes.type}} {{.Actor.Attributes.container}}";
    let asked = ["events", "--since", &since, "--until", &until, "--filter", "type=network", "--format", format];
    let told = world.says(&asked)?;
    let of_it: Vec<&str> = told.lines().filter(|line| line.ends_with(&id)).collect();
    ensure!(of_it == [format!("connect bridge bridge {id}"), format!("disconnect bridge bridge {id}")], "{told}");
    Ok(())
}

fn the_agent_is_not_reached_over_the_bridge(world: &World) -> Result<()> {
    let _use = world.shared();
    // Whatever listens in the guest's own network would be reached at the gateway's address.
    // The way out listens on loopback, and has the names of others while it answers in them.
    let look = r#"awk '$4 == "0A" && $2 !~ /^(0100007F|00000000000000000000000001000000):/ ||
        $4 == "07" && $2 ~ /^(0+|010011AC):/' /proc/net/tcp /proc/net/tcp6 /proc/net/udp /proc/net/udp6 | wc -l"#;
    let said = world.says(&["run", "--rm", "--network", "host", BUSYBOX, "sh", "-c", look])?;
    world.only_cove();
    ensure!(said == "0", "{said} sockets listen in the machine");
    // Nor is the address of the gateway anybody's who takes it.
    let take = "ip addr add 172.17.0.1/32 dev eth0 && ip addr show eth0";
    world.says(&["run", "--rm", "--cap-add", "NET_ADMIN", BUSYBOX, "sh", "-c", take])?;
    world.says(&["run", "--rm", BUSYBOX, "ping", "-c", "1", "172.17.0.1"])?;
    Ok(())
}

fn a_link_is_a_line_and_variables(world: &World) -> Result<()> {
    let _use = world.shared();
    let address = sleeper(world, "linked", &["-e", "FOO=bar", "--expose", "80"])?;
    world.says(&[
        "create",
        "--name",
        "linker",
        "--link",
        "linked:db",
        BUSYBOX,
        "sh",
        "-c",
        "env; cat /etc/hosts; ping -c 1 db",
    ])?;
    ensure!(world.says(&["inspect", "-f", "{{.HostConfig.Links}}", "linker"])? == "[/linked:/linker/db]");
    let said = world.says(&["start", "-a", "linker"])?;
    for line in
        ["DB_ENV_FOO=bar", "DB_NAME=/linker/db", &format!("DB_PORT=tcp://{address}:80"), &format!("{address}\tdb ")]
    {
        ensure!(said.contains(line), "{line} is not in {said}");
    }
    let refused = world.docker(&["create", "--link", "nosuch:db", BUSYBOX])?.exits(1)?;
    refused.complains("could not get container for nosuch: No such container: nosuch")?;
    world.docker(&["stop", "-t", "0", "linked"])?.ok()?;
    let refused = world.docker(&["start", "linker"])?.exits(1)?;
    refused.complains("Cannot link to a non running container: /linked AS /linker/db")?;
    world.docker(&["rm", "--link", "linker"])?.exits(1)?.complains("cannot remove the default link name")?;
    world.docker(&["rm", "--link", "linker/sql"])?.exits(1)?.complains("No such container: linker/sql")?;
    world.docker(&["rm", "--link", "linker/db"])?.ok()?;
    ensure!(world.says(&["inspect", "-f", "{{json .HostConfig.Links}}", "linker"])? == "null");
    world.docker(&["start", "linker"])?.ok()?;
    world.docker(&["rm", "-f", "linked", "linker"])?.ok()?;
    Ok(())
}

/// Of a bridge that has none of its own it is the least of its links', which come and go.
fn the_gateway_keeps_its_hardware_address(world: &World) -> Result<()> {
    let _use = world.shared();
    world.only_cove();
    let look = ["run", "--rm", "--network", "host", BUSYBOX, "cat", "/sys/class/net/docker0/address"];
    for name in ["hardware-1", "hardware-2"] {
        sleeper(world, name, &[])?;
        let said = world.says(&look)?;
        ensure!(said == "02:42:ac:11:00:01", "{said}");
    }
    world.docker(&["rm", "-f", "hardware-1", "hardware-2"])?.ok()?;
    Ok(())
}

fn nothing_is_left_of_an_ended_container(world: &World) -> Result<()> {
    let _use = world.alone();
    // Four namespaces are ready, and each has a link; a link of an ended container goes a moment later.
    let count = "while [ $(ls /sys/class/net | grep -c ^veth) -gt 4 ]; do :; done; ls /sys/class/net | grep -c ^veth";
    let links = || world.says(&["run", "--rm", "--network", "host", BUSYBOX, "sh", "-c", count]);
    for _ in 0..3 {
        world.says(&["run", "--rm", BUSYBOX, "true"])?;
    }
    let left: usize = links()?.parse()?;
    ensure!(left <= 4, "{left} links");
    Ok(())
}
