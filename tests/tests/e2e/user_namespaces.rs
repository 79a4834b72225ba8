//! User namespaces: the root of a container that has one is nobody in the machine.

use anyhow::{Context as _, Result, ensure};
use cove_tests::{image::BUSYBOX, world::World};

crate::tests![
    root_of_a_container_is_nobody_in_the_machine,
];

const REMAP: [&str; 2] = ["--label", "dev.cove.userns=remap"];

/// Runs a shell in a container with a user namespace, and says what it says.
fn remapped(world: &World, options: &[&str], script: &str) -> Result<String> {
    world.says(&[&["run", "--rm"], &REMAP[..], options, &[BUSYBOX, "sh", "-c", script]].concat())
}

fn root_of_a_container_is_nobody_in_the_machine(world: &World) -> Result<()> {
    let _use = world.shared();
    world.only_cove();
    let said = remapped(world, &[], "id -u; cat /proc/self/uid_map /proc/self/gid_map; cat /proc/self/setgroups")?;
    let words: Vec<&str> = said.split_whitespace().collect();
    ensure!(words == ["0", "0", "100000", "65536", "0", "100000", "65536", "allow"], "{said}");
    Ok(())
}
