//! A real Debian as an image: imported, run, committed, saved, loaded, pushed and pulled, it stays what it is. Its tar is
//! named by COVE_TEST_DISTRIBUTION, which `make distribution` does; without it there is no such test.

use std::{env, fs};

use anyhow::{Context as _, Result, ensure};
use cove_tests::{registry::Registry, world::World};

crate::tests![a_real_debian_stays_what_it_is];

/// The name of the variable.
pub(crate) const TAR: &str = "COVE_TEST_DISTRIBUTION";

const IMAGE: &str = "cove-test/bookworm:1";
const COMMITTED: &str = "cove-test/bookworm:2";

fn a_real_debian_stays_what_it_is(world: &World) -> Result<()> {
    let _use = world.alone();
    let tar = fs::read(env::var_os(TAR).context("no distribution")?)?;
    world.docker_with(&["import", "-c", "CMD [\"bash\"]", "-", IMAGE], &tar)?.ok()?;
    drop(tar);
    is_debian(world, IMAGE)?;
    let id = |image: &str| world.says(&["inspect", "-f", "{{.Id}} {{json .RootFS.Layers}}", image]);
    let imported = id(IMAGE)?;

    let change = "echo committed > /etc/motd; rm /usr/bin/yes; chmod 4711 /usr/bin/expr";
    world.says(&["run", "--name", "debian-changed", IMAGE, "bash", "-c", change])?;
    world.docker(&["commit", "debian-changed", COMMITTED])?.ok()?;
    world.docker(&["rm", "debian-changed"])?.ok()?;
    let committed = id(COMMITTED)?;
    is_changed(world, COMMITTED)?;

    let folder = world.scratch()?;
    let file = folder.path().join("saved.tar").display().to_string();
    world.docker(&["save", "-o", &file, IMAGE, COMMITTED])?.ok()?;
    world.docker(&["rmi", COMMITTED, IMAGE])?.ok()?;
    world.docker(&["load", "-i", &file])?.ok()?;
    fs::remove_file(&file)?;
    ensure!(id(IMAGE)? == imported && id(COMMITTED)? == committed, "other images were loaded");
    is_changed(world, COMMITTED)?;

    let registry = Registry::open()?;
    let there = registry.name("bookworm:2");
    world.docker(&["tag", COMMITTED, &there])?.ok()?;
    world.docker(&["push", &there])?.ok()?;
    world.docker(&["rmi", &there, COMMITTED, IMAGE])?.ok()?;
    world.docker(&["pull", &there])?.ok()?;
    ensure!(id(&there)? == committed, "another image was pulled");
    is_changed(world, &there)?;
    world.docker(&["rmi", &there])?.ok()?;
    Ok(())
}

/// Its own tools find it whole.
fn is_debian(world: &World, image: &str) -> Result<()> {
    let run = |command: &[&str]| world.says(&[&["run", "--rm", image], command].concat());
    let packages = run(&["dpkg", "-l"])?;
    ensure!(packages.lines().filter(|line| line.starts_with("ii ")).count() > 80, "{packages}");
    ensure!(run(&["apt-get", "--version"])?.starts_with("apt 2.6"), "its apt");
    ensure!(run(&["perl", "-e", "print join ',', map { $_ ** 2 } 1 .. 5"])? == "1,4,9,16,25", "its perl");
    ensure!(run(&["stat", "-c", "%a %U:%G", "/usr/bin/passwd", "/var/mail"])? == "4755 root:root\n2775 root:mail");
    let damaged = run(&["dpkg", "--verify"])?;
    ensure!(damaged.is_empty(), "{damaged}");
    Ok(())
}

/// Whole, but for what was changed in it.
fn is_changed(world: &World, image: &str) -> Result<()> {
    let look = "cat /etc/motd; stat -c %a /usr/bin/expr; dpkg --verify coreutils base-files libc6";
    let said = world.says(&["run", "--rm", image, "bash", "-c", look])?;
    let mut lines = said.lines();
    ensure!(lines.next() == Some("committed") && lines.next() == Some("4711"), "{said}");
    let damaged: Vec<&str> = lines.filter_map(|line| line.split_whitespace().last()).collect();
    ensure!(damaged.iter().all(|path| ["/etc/motd", "/usr/bin/yes", "/usr/bin/expr"].contains(path)), "{said}");
    ensure!(damaged.contains(&"/usr/bin/yes"), "{said}");
    Ok(())
}
