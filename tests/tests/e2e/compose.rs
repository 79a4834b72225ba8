//! Projects of several containers, by docker compose.

use std::{fs, path::Path};

use anyhow::{Context as _, Result, ensure};
use cove_tests::{
    command::{self, Done},
    image::BUSYBOX,
    world::World,
};

crate::tests![services_find_each_other_by_name, projects_that_come_and_go_leave_nothing];

/// Two services; the second asks the first, by its name, until it answers, and says what that said.
const PROJECT: &str = r#"
services:
  server:
    image: BUSYBOX
    command: sh -c 'while :; do echo from-the-server | nc -l -p 7777; done'
    networks:
      default:
        aliases: [other-name]
  client:
    image: BUSYBOX
    command: sh -c 'for name in server other-name; do until nc $$name 7777 </dev/null; do :; done; done; sleep 1000'
    depends_on: [server]
"#;

/// `docker compose` in a folder of a project.
fn compose(world: &World, folder: &Path, arguments: &[&str]) -> Result<Done> {
    let mut command = world.command("docker-compose");
    command.current_dir(folder).args(["--ansi", "never"]).args(arguments);
    command::run(command, &[])
}

fn project(world: &World, name: &str) -> Result<tempfile::TempDir> {
    let folder = tempfile::Builder::new().prefix("compose").tempdir()?;
    let text = format!("name: {name}\n{}", PROJECT.replace("BUSYBOX", BUSYBOX));
    fs::write(folder.path().join("compose.yaml"), text)?;
    compose(world, folder.path(), &["version"])?.ok().context("docker compose is missing; run: make setup")?;
    Ok(folder)
}

fn services_find_each_other_by_name(world: &World) -> Result<()> {
    let _use = world.shared();
    let folder = project(world, "find")?;
    compose(world, folder.path(), &["up", "-d"])?.ok()?;
    let said = compose(world, folder.path(), &["ps", "--format", "{{.Service}} {{.State}}"])?.ok()?.stdout;
    ensure!(said == "client running\nserver running", "{said}");
    loop {
        let said = compose(world, folder.path(), &["logs", "--no-log-prefix", "client"])?.ok()?.stdout;
        if said.matches("from-the-server").count() == 2 {
            break;
        }
    }
    ensure!(
        world.says(&["network", "ls", "--filter", "name=find_default", "--format", "{{.Name}}"])? == "find_default"
    );
    compose(world, folder.path(), &["down", "-t", "0"])?.ok()?;
    world.docker(&["network", "inspect", "find_default"])?.exits(1)?;
    Ok(())
}

fn projects_that_come_and_go_leave_nothing(world: &World) -> Result<()> {
    let _use = world.alone();
    let folder = project(world, "come")?;
    // Namespaces that are ready, and their links, are made anew in a moment.
    let settled = "while [ $(ls /sys/class/net | grep -c ^veth) -ne 4 ]; do :; done; ls /sys/class/net | grep -v ^veth";
    let links = || world.says(&["run", "--rm", "--network", "host", BUSYBOX, "sh", "-c", settled]);
    let namespaces = "for ns in /proc/[0-9]*/ns/net; do readlink $ns; done | sort -u | wc -l";
    let host = ["run", "--rm", "--privileged", "--network", "host", "--pid", "host", BUSYBOX, "sh", "-c", namespaces];
    let before = (links()?, world.says(&host)?);
    for round in 0..20 {
        compose(world, folder.path(), &["up", "-d"])?.ok().with_context(|| format!("up {round}"))?;
        compose(world, folder.path(), &["down", "-t", "0"])?.ok().with_context(|| format!("down {round}"))?;
    }
    let after = (links()?, world.says(&host)?);
    ensure!(before == after, "before: {before:?}\nafter: {after:?}");
    Ok(())
}
