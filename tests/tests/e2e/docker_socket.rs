//! `/var/run/docker.sock` in a container: Docker's API, as whoever mounts it expects to find it there.

use std::fs;

use anyhow::{Context as _, Result, ensure};
use cove_tests::{
    command::{Stranger, kill},
    image::{self, BUSYBOX},
    world::World,
};

use crate::lifecycle::{fact, kill_the_agent};

crate::tests![a_container_with_dockers_socket_runs_containers, it_outlives_agent_and_daemon, a_setting_shuts_it,];

/// Where clients look for it.
const SOCKET: &str = "/var/run/docker.sock";

/// An image with this computer's docker command, which is static.
fn client(world: &World) -> Result<String> {
    let name = "cove-test/docker:1".to_owned();
    if world.docker(&["image", "inspect", &name])?.code() != 0 {
        let path = std::env::var_os("PATH").context("no PATH")?;
        let docker = std::env::split_paths(&path).map(|folder| folder.join("docker")).find(|file| file.is_file());
        let docker = fs::read(docker.context("docker is missing; run: make setup")?)?;
        let root = image::root_tar(&[("bin/docker", docker, 0o755)])?;
        let archive = image::docker_archive(&name, &root, serde_json::json!({ "Env": ["PATH=/bin"] }))?;
        world.docker_with(&["load"], &archive)?.ok()?;
    }
    Ok(name)
}

/// Starts a container with the socket, as a user that is not root.
fn start(world: &World, name: &str) -> Result<()> {
    let image = client(world)?;
    let socket = format!("{SOCKET}:{SOCKET}");
    let run = ["run", "-d", "--name", name, "--user", "1000", "-v", &socket, &image, "sleep", "1000"];
    world.docker(&run)?.ok().map(drop)
}

fn a_container_with_dockers_socket_runs_containers(world: &World) -> Result<()> {
    let _use = world.shared();
    world.only_cove();
    start(world, "talks")?;
    let inside = |arguments: &[&str]| world.docker(&[&["exec", "talks", "docker"], arguments].concat());
    let version = ["version", "-f", "{{.Server.Version}}"];
    ensure!(inside(&version)?.ok()?.stdout == world.says(&version)?);
    // A sibling, with what it says and how it ends, through a connection that was taken over.
    let run = ["run", "--name", "sibling", BUSYBOX, "sh", "-c", "echo from the sibling; exit 7"];
    let ran = inside(&run)?.exits(7)?;
    ensure!(ran.stdout == "from the sibling", "{ran}");
    ensure!(world.says(&["ps", "-a", "--filter", "name=sibling", "--format", "{{.Names}}"])? == "sibling");
    inside(&["rm", "sibling"])?.ok()?;
    // A half-close goes through: the end of what is piped in is the end of cat.
    let piped = ["exec", "talks", "sh", "-c", "echo piped | docker run --rm -i cove-test/busybox cat"];
    ensure!(world.says(&piped)? == "piped");
    // Docker's own option for it.
    world.docker(&["run", "--rm", "--use-api-socket", &client(world)?, "docker", "ps", "-q"])?.ok()?;
    // It is shown as any bind is, and as a share.
    let shown = world.says(&["inspect", "-f", "{{range .Mounts}}{{.Type}} {{.Source}} {{.RW}}{{end}}", "talks"])?;
    ensure!(shown == format!("bind {SOCKET} true"), "{shown}");
    let shares = world.cove(&["share", "ls"])?.ok()?.stdout;
    let line = shares.lines().find(|line| line.starts_with(SOCKET)).context("it is no share")?;
    ensure!(line.contains("Docker's API") && line.contains("talks"), "{line}");
    world.docker(&["rm", "-f", "talks"])?.ok()?;
    // Read-only, by --mount, by the daemon's own path; and in none that did not ask for it.
    let own = world.socket("docker");
    for source in [SOCKET, &own.display().to_string()] {
        let mount = format!("type=bind,src={source},dst={SOCKET},readonly");
        let said = world.says(&["run", "--rm", "--mount", &mount, &client(world)?, "docker", "ps", "-q"])?;
        ensure!(said.len() == 12, "{said}");
    }
    world.docker(&["run", "--rm", BUSYBOX, "test", "-e", SOCKET])?.exits(1)?;
    Ok(())
}

fn it_outlives_agent_and_daemon(world: &World) -> Result<()> {
    let _use = world.alone();
    start(world, "lasting")?;
    let ps = ["exec", "lasting", "docker", "ps", "--format", "{{.Names}}"];
    ensure!(world.says(&ps)?.contains("lasting"));
    kill_the_agent(world)?;
    ensure!(world.says(&ps)?.contains("lasting"), "after the agent");
    let daemon = fact(world, "/daemon/pid")?;
    let gone = Stranger::hold(daemon)?;
    kill(daemon);
    gone.ends()?;
    world.cove(&["start", "--docker-context=no"])?.ok()?;
    ensure!(world.says(&ps)?.contains("lasting"), "after the daemon");
    world.docker(&["restart", "-t", "0", "lasting"])?.ok()?;
    ensure!(world.says(&ps)?.contains("lasting"), "after a restart");
    world.docker(&["rm", "-f", "lasting"])?.ok()?;
    Ok(())
}

fn a_setting_shuts_it(world: &World) -> Result<()> {
    let _use = world.alone();
    start(world, "shut")?;
    ensure!(world.cove(&["share", "docker-socket"])?.ok()?.stdout == "on");
    world.cove(&["share", "docker-socket", "off"])?.ok()?;
    let refused = "containers may not use Docker's API of this computer";
    // At once for those that have it, and for those that want it.
    world.docker(&["exec", "shut", "docker", "ps"])?.exits(1)?.complains(refused)?;
    let socket = format!("{SOCKET}:{SOCKET}");
    world.docker(&["run", "--rm", "-v", &socket, BUSYBOX, "true"])?.exits(125)?.complains(refused)?;
    world.docker(&["restart", "-t", "0", "shut"])?.exits(1)?.complains(refused)?;
    world.cove(&["share", "docker-socket", "on"])?.ok()?;
    world.docker(&["start", "shut"])?.ok()?;
    world.docker(&["exec", "shut", "docker", "ps"])?.ok()?;
    world.docker(&["rm", "-f", "shut"])?.ok()?;
    Ok(())
}
