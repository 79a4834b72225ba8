//! Namespaces: of its own, the machine's, another container's.

use anyhow::{Context as _, Result, ensure};
use cove_tests::{image::BUSYBOX, world::World};

crate::tests![
    processes_are_shared_with_the_machine,
    processes_are_shared_with_another_container,
    an_ipc_namespace_and_its_memory_are_shared_with_who_may,
    the_machines_ipc_is_one_for_all_that_share_it,
    a_host_name_is_shared_with_the_machine,
    a_network_is_shared_with_another_container,
    the_machines_cgroups_are_in_sight_on_request,
    what_cannot_be_joined_is_refused_in_dockers_words,
];

/// The namespaces of a container's first process by kind, from inside.
fn namespace(world: &World, container: &str, kind: &str) -> Result<String> {
    world.says(&["exec", container, "readlink", &format!("/proc/self/ns/{kind}")])
}

fn running(world: &World, name: &str, options: &[&str]) -> Result<()> {
    let arguments = [&["run", "-d", "--name", name], options, &[BUSYBOX, "sleep", "1000"]].concat();
    world.says(&arguments).map(drop)
}

fn remove(world: &World, names: &[&str]) -> Result<()> {
    world.docker(&[&["rm", "-f"], names].concat())?.ok().map(drop)
}

fn processes_are_shared_with_the_machine(world: &World) -> Result<()> {
    let _use = world.shared();
    world.only_cove();
    running(world, "pid-host", &["--pid", "host"])?;
    let one = world.says(&["exec", "pid-host", "cat", "/proc/1/comm"])?;
    ensure!(one.contains("cove-guest") || one == "init", "process 1 is {one}");
    // It sees them, and can do nothing to them.
    let reach = "ls /proc/1/root/ || cat /proc/1/environ || readlink /proc/1/exe";
    ensure!(world.docker(&["exec", "pid-host", "sh", "-c", reach])?.code() != 0, "it reaches process 1 of the machine");
    let inspected =
        world.says(&["inspect", "-f", "{{.HostConfig.PidMode}} {{.HostConfig.SecurityOpt}}", "pid-host"])?;
    ensure!(inspected == "host [label=disable]", "{inspected}");
    // It ends although no PID namespace ends with it.
    world.docker(&["exec", "-d", "pid-host", "sleep", "4242"])?.ok()?;
    world.docker(&["rm", "-f", "pid-host"])?.ok()?;
    let left = world.says(&["run", "--rm", "--pid", "host", BUSYBOX, "ps", "-o", "args"])?;
    ensure!(!left.contains("sleep 4242"), "a process outlived its container\n{left}");
    Ok(())
}

fn processes_are_shared_with_another_container(world: &World) -> Result<()> {
    let _use = world.shared();
    running(world, "pid-donor", &[])?;
    running(world, "pid-joiner", &["--pid", "container:pid-donor", "--init"])?;
    let same = namespace(world, "pid-donor", "pid")? == namespace(world, "pid-joiner", "pid")?;
    ensure!(same, "they have not the same PID namespace");
    let seen = world.says(&["exec", "pid-joiner", "ps", "-o", "args"])?;
    ensure!(seen.matches("sleep 1000").count() == 2 && !seen.contains("docker-init"), "{seen}");
    let id = world.says(&["inspect", "-f", "{{.Id}}", "pid-donor"])?;
    let mode = world.says(&["inspect", "-f", "{{.HostConfig.PidMode}}", "pid-joiner"])?;
    ensure!(mode == format!("container:{id}"), "{mode}");
    // With the first process of the namespace all others go.
    world.docker(&["kill", "pid-donor"])?.ok()?;
    ensure!(world.says(&["wait", "pid-joiner"])? == "137", "it outlived its PID namespace");
    remove(world, &["pid-donor", "pid-joiner"])
}

fn an_ipc_namespace_and_its_memory_are_shared_with_who_may(world: &World) -> Result<()> {
    let _use = world.shared();
    running(world, "ipc-donor", &["--ipc", "shareable", "--shm-size", "1m"])?;
    running(world, "ipc-joiner", &["--ipc", "container:ipc-donor"])?;
    world.docker(&["exec", "ipc-donor", "sh", "-c", "echo shared > /dev/shm/word"])?.ok()?;
    let word = world.says(&["exec", "ipc-joiner", "cat", "/dev/shm/word"])?;
    ensure!(word == "shared", "{word}");
    ensure!(namespace(world, "ipc-donor", "ipc")? == namespace(world, "ipc-joiner", "ipc")?, "not the same namespace");
    let size = world.says(&["exec", "ipc-joiner", "sh", "-c", "df -k /dev/shm | tail -1"])?;
    ensure!(size.split_whitespace().nth(1) == Some("1024"), "{size}");
    // The one goes, the other keeps what it has.
    remove(world, &["ipc-donor"])?;
    ensure!(world.says(&["exec", "ipc-joiner", "cat", "/dev/shm/word"])? == "shared", "it lost its memory");
    remove(world, &["ipc-joiner"])?;
    let none = world.says(&["run", "--rm", "--ipc", "none", BUSYBOX, "ls", "/dev"])?;
    ensure!(!none.lines().any(|name| name == "shm"), "{none}");
    Ok(())
}

fn the_machines_ipc_is_one_for_all_that_share_it(world: &World) -> Result<()> {
    let _use = world.shared();
    running(world, "ipc-host", &["--ipc", "host"])?;
    world.docker(&["exec", "ipc-host", "sh", "-c", "echo all > /dev/shm/word"])?.ok()?;
    let said = world.says(&["run", "--rm", "--ipc", "host", BUSYBOX, "cat", "/dev/shm/word"])?;
    remove(world, &["ipc-host"])?;
    ensure!(said == "all", "{said}");
    Ok(())
}

fn a_host_name_is_shared_with_the_machine(world: &World) -> Result<()> {
    let _use = world.shared();
    world.only_cove();
    ensure!(world.says(&["run", "--rm", "--uts", "host", BUSYBOX, "hostname"])? == "cove", "another host name");
    let refused = world.docker(&["run", "--rm", "--uts", "host", "--hostname", "x", BUSYBOX, "true"])?.exits(125)?;
    refused.complains("conflicting options: hostname and the UTS mode")?;
    let refused = world.docker(&["run", "--rm", "--uts", "host", "--domainname", "x", BUSYBOX, "true"])?.exits(125)?;
    refused.complains("sysctl \"kernel.domainname\" is not in a separate kernel namespace")?;
    Ok(())
}

fn a_network_is_shared_with_another_container(world: &World) -> Result<()> {
    let _use = world.shared();
    running(world, "net-donor", &["--network", "none", "--hostname", "donor", "--add-host", "db:10.0.0.7"])?;
    world.docker(&["exec", "-d", "net-donor", "nc", "-l", "-p", "7777", "-e", "echo", "hello"])?.ok()?;
    let options = ["run", "--rm", "--network", "container:net-donor", BUSYBOX, "sh", "-c"];
    let look = "readlink /proc/self/ns/net; hostname; grep -c db /etc/hosts; \
                until nc 127.0.0.1 7777; do sleep 0.1; done";
    let said = world.says(&[&options[..], &[look]].concat())?;
    let expected = namespace(world, "net-donor", "net")?;
    remove(world, &["net-donor"])?;
    ensure!(said == format!("{expected}\ndonor\n1\nhello"), "{said}");
    Ok(())
}

fn the_machines_cgroups_are_in_sight_on_request(world: &World) -> Result<()> {
    let _use = world.shared();
    world.needs_cgroup_v2()?;
    let own = world.says(&["run", "--rm", BUSYBOX, "cat", "/proc/self/cgroup"])?;
    ensure!(own == "0::/", "{own}");
    let options = ["run", "--rm", "--cgroupns", "host", BUSYBOX, "sh", "-c"];
    let said = world.says(&[&options[..], &["cat /proc/self/cgroup; ls -d /sys/fs/cgroup/cove"]].concat())?;
    let (cgroup, folder) = said.split_once('\n').context("one line")?;
    ensure!(cgroup.starts_with("0::/containers/") && folder == "/sys/fs/cgroup/cove", "{said}");
    let write =
        world.docker(&[&options[..], &["mkdir /sys/fs/cgroup/x || echo 1 > /sys/fs/cgroup/cgroup.procs"]].concat())?;
    ensure!(write.code() != 0, "it can write to the machine's cgroups\n{write}");
    Ok(())
}

fn what_cannot_be_joined_is_refused_in_dockers_words(world: &World) -> Result<()> {
    let _use = world.shared();
    world.says(&["create", "--name", "idle-donor", BUSYBOX, "true"])?;
    running(world, "private-donor", &[])?;
    let id = world.says(&["inspect", "-f", "{{.Id}}", "private-donor"])?;
    for (option, mode, words) in [
        (
            "--network",
            "container:nosuch",
            "joining network namespace of container: No such container: nosuch".to_owned(),
        ),
        (
            "--network",
            "container:idle-donor",
            "cannot join network namespace of a non running container: container idle-donor is created".to_owned(),
        ),
        ("--pid", "container:nosuch", "Error response from daemon: No such container: nosuch".to_owned()),
        ("--ipc", "container:nosuch", "Error response from daemon: No such container: nosuch".to_owned()),
        (
            "--ipc",
            "container:private-donor",
            format!("failed to join IPC namespace: container {id}: non-shareable IPC (hint: use IpcMode:shareable"),
        ),
    ] {
        world.docker(&["run", "--rm", option, mode, BUSYBOX, "true"])?.exits(125)?.complains(&words)?;
    }
    remove(world, &["idle-donor", "private-donor"])
}
