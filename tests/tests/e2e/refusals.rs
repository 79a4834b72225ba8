//! Bad input and an unfit computer: a clear word, and nothing half-made.

use std::{fs, os::unix::fs::PermissionsExt as _};

use anyhow::{Context as _, Result, ensure};
use cove_tests::{
    command,
    image::{self, BUSYBOX},
    world::World,
};

crate::tests![
    a_torn_archive_leaves_nothing,
    noise_is_no_archive,
    an_unknown_image_is_said_to_be_unknown,
    what_is_not_supported_is_refused_by_its_name,
    a_name_with_wrong_characters_is_refused,
    a_missing_command_is_refused,
    a_home_with_too_long_a_path_is_refused_with_numbers,
    without_qemu_it_says_what_to_install,
    an_old_qemu_is_told_with_both_versions,
    a_second_daemon_gives_way,
];

fn a_torn_archive_leaves_nothing(world: &World) -> Result<()> {
    // Alone: the lists before and after are compared.
    let _use = world.alone();
    let before = world.says(&["images", "-aq", "--no-trunc"])?;
    let layer = image::root_tar(&[("torn", vec![1; 300_000], 0o644)])?;
    let whole = image::docker_archive("cove-test/torn:1", &layer, serde_json::json!({ "Cmd": ["sh"] }))?;
    let torn = world.docker_with(&["load"], &whole[..whole.len() / 2])?;
    ensure!(torn.code() != 0 || torn.stderr.contains("unexpected EOF"), "half an archive was taken\n{torn}");
    // A layer whose bytes are not what its digest says.
    let mut wrong = whole.clone();
    let at = whole.len() / 2;
    wrong[at] ^= 0xff;
    let wrong = world.docker_with(&["load"], &wrong)?;
    ensure!(wrong.code() != 0, "a layer with a wrong digest was taken\n{wrong}");
    ensure!(world.says(&["images", "-aq", "--no-trunc"])? == before, "something was left behind");
    Ok(())
}

fn noise_is_no_archive(world: &World) -> Result<()> {
    let _use = world.shared();
    let done = world.docker_with(&["load"], &[0x5a; 10_000])?;
    ensure!(done.code() == 1 && !done.stderr.is_empty(), "{done}");
    let done = world.docker_with(&["import", "-", "cove-test/noise:1"], &[0x5a; 10_000])?;
    ensure!(done.code() == 1, "{done}");
    world.docker(&["inspect", "cove-test/noise:1"])?.exits(1)?;
    Ok(())
}

fn an_unknown_image_is_said_to_be_unknown(world: &World) -> Result<()> {
    let _use = world.shared();
    world
        .docker(&["run", "--rm", "nosuchimage"])?
        .exits(125)?
        .complains("Unable to find image 'nosuchimage:latest' locally")?;
    world
        .docker(&["run", "--rm", "--pull", "never", "nosuchimage"])?
        .exits(125)?
        .complains("No such image: nosuchimage:latest")?;
    world.docker(&["rmi", "nosuchimage"])?.exits(1)?.complains("No such image: nosuchimage:latest")?;
    world.cove(&["run", "--pull", "never", "nosuchimage"])?.exits(125)?.complains("No such image")?;
    ensure!(world.says(&["ps", "-aq", "--filter", "ancestor=nosuchimage"])?.is_empty(), "a container was left behind");
    Ok(())
}

fn what_is_not_supported_is_refused_by_its_name(world: &World) -> Result<()> {
    let _use = world.shared();
    world.only_cove();
    for (options, named) in [(&["-v", "/etc:/host"][..], "/etc"), (&["--runtime", "runsc"], "--runtime")] {
        let arguments = [&["run", "--rm", "--name", "unsupported"], options, &[BUSYBOX, "true"]].concat();
        let refused = world.docker(&arguments)?.exits(125)?;
        ensure!(refused.stderr.to_lowercase().contains(named), "{options:?} is not named\n{refused}");
    }
    world.docker(&["inspect", "unsupported"])?.exits(1)?;
    Ok(())
}

fn a_name_with_wrong_characters_is_refused(world: &World) -> Result<()> {
    let _use = world.shared();
    let refused = world.docker(&["create", "--name", "no/such", BUSYBOX, "true"])?.exits(1)?;
    refused.complains("Invalid container name (no/such), only [a-zA-Z0-9][a-zA-Z0-9_.-] are allowed")?;
    Ok(())
}

fn a_missing_command_is_refused(world: &World) -> Result<()> {
    let _use = world.shared();
    let root = image::root_tar(&[])?;
    world.docker_with(&["import", "-", "cove-test/empty:1"], &root)?.ok()?;
    world.docker(&["run", "--rm", "cove-test/empty:1"])?.exits(125)?.complains("no command specified")?;
    world.docker(&["rmi", "cove-test/empty:1"])?.ok()?;
    Ok(())
}

fn a_home_with_too_long_a_path_is_refused_with_numbers(world: &World) -> Result<()> {
    let _use = world.shared();
    let folder = world.scratch()?;
    let long = folder.path().join("x".repeat(120));
    let mut command = world.cove_command(&["start", "--docker-context=no"]);
    command.env("COVE_HOME", &long);
    let refused = command::run(command, &[])?.exits(1)?;
    refused.complains("the system allows 107; set COVE_HOME to a shorter folder")?;
    ensure!(!long.exists(), "the folder was made all the same");
    Ok(())
}

fn without_qemu_it_says_what_to_install(_: &World) -> Result<()> {
    let other = World::empty()?.with("COVE_QEMU", "/no/such/qemu-system-x86_64");
    let refused = other.cove(&["start", "--docker-context=no"])?.exits(1)?;
    ensure!(refused.stderr.contains("/no/such/qemu-system-x86_64"), "{refused}");
    ensure!(refused.stderr.contains("qemu-system-x86"), "no word of the package\n{refused}");
    // What needs no machine is answered all the same.
    let version = other.docker(&["version", "--format", "{{.Server.Os}}"])?.ok()?;
    ensure!(version.stdout == "linux", "{version}");
    let checks = other.cove(&["doctor", "--format", "json"])?.exits(1)?.json()?;
    let problem = checks.as_array().context("a list")?.iter().any(|check| check["verdict"] == "problem");
    ensure!(problem, "{checks}");
    Ok(())
}

fn an_old_qemu_is_told_with_both_versions(world: &World) -> Result<()> {
    let folder = world.scratch()?;
    let old = folder.path().join("qemu-system-x86_64");
    fs::write(&old, "#!/bin/sh\necho 'QEMU emulator version 2.5.0, Copyright (c) 2003-2008 Fabrice Bellard'\n")?;
    fs::set_permissions(&old, fs::Permissions::from_mode(0o755))?;
    let other = World::empty()?.with("COVE_QEMU", old.to_str().context("a path in UTF-8")?);
    let refused = other.cove(&["start", "--docker-context=no"])?.exits(1)?;
    ensure!(refused.stderr.contains("2.5.0") && refused.stderr.contains("7.2"), "{refused}");
    Ok(())
}

fn a_second_daemon_gives_way(world: &World) -> Result<()> {
    let _use = world.shared();
    let mut second = world.command(cove_tests::world::dist()?.join("bin/coved"));
    second.arg("--home").arg(world.home());
    let refused = command::run(second, &[])?.exits(1)?;
    refused.complains("coved is already running (pid ")?;
    world.docker(&["ps"])?.ok()?;
    Ok(())
}
