//! `docker cp`, both ways, of containers that run and of those that do not.

use std::{fs, os::unix::fs::PermissionsExt as _};

use anyhow::{Result, ensure};
use cove_tests::{
    command,
    image::{self, BUSYBOX},
    world::World,
};

crate::tests![
    files_go_in_and_come_out_again,
    a_container_that_never_ran_takes_files,
    volumes_are_seen_at_their_places,
    links_lead_within_the_container,
    what_cannot_be_is_said_in_dockerds_words,
    owners_are_those_asked_for,
    a_read_only_root_takes_nothing_and_its_volumes_do,
    a_link_that_comes_and_goes_is_no_way_out,
    nothing_of_the_container_is_run,
    the_kernels_own_files_are_not_copied,
    cove_copies_as_docker_does,
];

/// A folder with a file, a link and a folder in it.
fn sample(world: &World) -> Result<tempfile::TempDir> {
    let folder = world.scratch()?;
    fs::create_dir_all(folder.path().join("d/deep"))?;
    fs::write(folder.path().join("d/deep/f"), "deep")?;
    fs::write(folder.path().join("d/x"), "run me")?;
    fs::set_permissions(folder.path().join("d/x"), fs::Permissions::from_mode(0o755))?;
    std::os::unix::fs::symlink("deep/f", folder.path().join("d/l"))?;
    Ok(folder)
}

fn files_go_in_and_come_out_again(world: &World) -> Result<()> {
    let _use = world.shared();
    let folder = sample(world)?;
    let (d, out) = (folder.path().join("d"), folder.path().join("out"));
    let path = |path: &std::path::Path| path.display().to_string();
    let container = world.says(&["run", "-d", BUSYBOX, "sleep", "1000"])?;
    let name = &container[..12];
    // A folder into a place that is not there becomes that place; into a folder it goes below it.
    world.docker(&["cp", &path(&d), &format!("{name}:/new")])?.ok()?;
    world.docker(&["cp", &path(&d), &format!("{name}:/tmp")])?.ok()?;
    world.docker(&["cp", &format!("{}/.", path(&d)), &format!("{name}:/tmp")])?.ok()?;
    let look = "cat /new/l /tmp/d/deep/f /tmp/deep/f; stat -c ' %a' /tmp/x; readlink /tmp/d/l";
    let said = world.says(&["exec", name, "sh", "-c", look])?;
    ensure!(said == "deepdeepdeep 755\ndeep/f", "{said}");
    world.docker(&["cp", &format!("{name}:/tmp/d"), &path(&out)])?.ok()?;
    ensure!(fs::read_to_string(out.join("l"))? == "deep" && fs::read_link(out.join("l"))?.ends_with("deep/f"), "out");
    // One file, under a name of its own, and as a tar.
    world.docker(&["cp", &format!("{name}:/tmp/x"), &path(&folder.path().join("y"))])?.ok()?;
    ensure!(fs::read_to_string(folder.path().join("y"))? == "run me", "y");
    let tar = world.docker(&["cp", &format!("{name}:/tmp/d/."), "-"])?.ok()?.bytes;
    let names: Vec<String> = tar::Archive::new(tar.as_slice())
        .entries()?
        .map(|entry| Ok(entry?.path()?.display().to_string()))
        .collect::<Result<_>>()?;
    ensure!(names == ["./", "./deep/", "./deep/f", "./l", "./x"], "{names:?}");
    world.docker_with(&["cp", "-", &format!("{name}:/srv")], &tar)?.exits(1)?;
    world.docker_with(&["cp", "-", &format!("{name}:/home")], &tar)?.ok()?;
    ensure!(world.says(&["exec", name, "cat", "/home/l"])? == "deep", "from a tar");
    world.docker(&["rm", "-f", name])?.ok()?;
    Ok(())
}

fn a_container_that_never_ran_takes_files(world: &World) -> Result<()> {
    let _use = world.shared();
    let folder = sample(world)?;
    let name = world.says(&["create", BUSYBOX, "sh", "-c", "cat /etc/d/deep/f; echo new >> /etc/d/deep/f"])?;
    world.docker(&["cp", &folder.path().join("d").display().to_string(), &format!("{name}:/etc")])?.ok()?;
    let run = world.says(&["start", "-a", &name])?;
    ensure!(run == "deep", "{run}");
    // What it wrote is there when it has ended.
    let tar = world.docker(&["cp", &format!("{name}:/etc/d/deep/f"), "-"])?.ok()?.bytes;
    ensure!(String::from_utf8_lossy(&tar).contains("deepnew"), "what it wrote");
    let hostname = world.docker(&["cp", &format!("{name}:/etc/hostname"), "-"])?.ok()?.bytes;
    ensure!(String::from_utf8_lossy(&hostname).contains(&name[..12]), "its hostname");
    world.docker(&["rm", &name])?.ok()?;
    Ok(())
}

fn volumes_are_seen_at_their_places(world: &World) -> Result<()> {
    let _use = world.shared();
    let folder = sample(world)?;
    let x = folder.path().join("d/x").display().to_string();
    for run in [&["create"][..], &["run", "-d"]] {
        let arguments = ["-v", "cove-cp:/v", BUSYBOX, "sleep", "1000"];
        let name = world.says(&[run, &arguments].concat())?;
        world.docker(&["cp", &x, &format!("{name}:/v/x")])?.ok()?;
        let read = world.says(&["run", "--rm", "-v", "cove-cp:/other", BUSYBOX, "cat", "/other/x"])?;
        ensure!(read == "run me", "{run:?}: {read}");
        let tar = world.docker(&["cp", &format!("{name}:/v"), "-"])?.ok()?.bytes;
        ensure!(tar::Archive::new(tar.as_slice()).entries()?.count() == 2, "{run:?}: what is in it");
        world.docker(&["rm", "-f", &name])?.ok()?;
        world.docker(&["volume", "rm", "cove-cp"])?.ok()?;
    }
    Ok(())
}

fn links_lead_within_the_container(world: &World) -> Result<()> {
    let _use = world.shared();
    let folder = sample(world)?;
    let x = folder.path().join("d/x").display().to_string();
    let name = world.says(&[
        "run",
        "-d",
        BUSYBOX,
        "sh",
        "-c",
        "mkdir /in; ln -s /in /tmp/l; ln -s ../../../etc /tmp/up; sleep 1000",
    ])?;
    world.says(&["exec", &name, "sh", "-c", "until [ -e /tmp/up ]; do sleep 0.1; done"])?;
    world.docker(&["cp", &x, &format!("{name}:/tmp/l")])?.ok()?;
    world.docker(&["cp", &x, &format!("{name}:/tmp/up/y")])?.ok()?;
    let said = world.says(&["exec", &name, "cat", "/in/x", "/etc/y"])?;
    ensure!(said == "run merun me", "{said}");
    // The link itself, or with -L what it leads to.
    let out = folder.path().join("out");
    world.docker(&["cp", &format!("{name}:/tmp/l"), &out.display().to_string()])?.ok()?;
    ensure!(fs::read_link(&out)?.to_str() == Some("/in"), "a link is copied as a link");
    let out = folder.path().join("followed");
    world.docker(&["cp", "-L", &format!("{name}:/tmp/l"), &out.display().to_string()])?.ok()?;
    ensure!(fs::read_to_string(out.join("x"))? == "run me", "what it leads to");
    world.docker(&["rm", "-f", &name])?.ok()?;
    Ok(())
}

fn what_cannot_be_is_said_in_dockerds_words(world: &World) -> Result<()> {
    let _use = world.shared();
    let folder = sample(world)?;
    let d = folder.path().join("d").display().to_string();
    let name = world.says(&["create", "--name", "cp-words", BUSYBOX, "true"])?;
    world
        .docker(&["cp", "cp-words:/none", "-"])?
        .exits(1)?
        .complains("Could not find the file /none in container cp-words")?;
    world.docker(&["cp", "cp-none:/x", "-"])?.exits(1)?.complains("No such container: cp-none")?;
    world.docker(&["cp", &d, "cp-words:/none/at/all"])?.exits(1)?;
    let refused = world.docker(&["cp", &d, "cp-words:/etc/passwd"])?.exits(1)?;
    ensure!(
        refused.to_string().contains("cannot copy directory") || refused.to_string().contains("not a directory"),
        "{refused}"
    );
    world.docker_with(&["cp", "-", "cp-words:/etc"], b"junkjunkjunk")?.exits(1)?.complains("unexpected EOF")?;
    world.docker(&["rm", &name])?.ok()?;
    Ok(())
}

fn owners_are_those_asked_for(world: &World) -> Result<()> {
    let _use = world.shared();
    let mut header = tar::Header::new_ustar();
    header.set_size(1);
    header.set_mode(0o4750);
    header.set_uid(123);
    header.set_gid(45);
    let mut builder = tar::Builder::new(Vec::new());
    builder.append_data(&mut header, "f", &b"x"[..])?;
    let tar = builder.into_inner()?;
    let name = world.says(&["run", "-d", "-u", "1000:1001", BUSYBOX, "sleep", "1000"])?;
    for (flags, owner) in [(&["cp", "-"][..], "123:45 4750"), (&["cp", "-a", "-"], "1000:1001 4750")] {
        world.docker_with(&[flags, &[&format!("{name}:/tmp")]].concat(), &tar)?.ok()?;
        let said = world.says(&["exec", &name, "stat", "-c", "%u:%g %a", "/tmp/f"])?;
        ensure!(said == owner, "{flags:?}: {said}");
    }
    world.docker(&["rm", "-f", &name])?.ok()?;
    Ok(())
}

fn a_read_only_root_takes_nothing_and_its_volumes_do(world: &World) -> Result<()> {
    let _use = world.shared();
    let folder = sample(world)?;
    let d = folder.path().join("d").display().to_string();
    for run in [&["create"][..], &["run", "-d"]] {
        let arguments = ["--read-only", "-v", "cove-cp-ro:/ro:ro", "-v", "cove-cp-rw:/rw", BUSYBOX, "sleep", "1000"];
        let name = world.says(&[run, &arguments].concat())?;
        let refused = world.docker(&["cp", &d, &format!("{name}:/tmp")])?.exits(1)?;
        refused.complains("container rootfs is marked read-only")?;
        let refused = world.docker(&["cp", &d, &format!("{name}:/ro")])?.exits(1)?;
        refused.complains("mounted volume is marked read-only")?;
        world.docker(&["cp", &d, &format!("{name}:/rw")])?.ok()?;
        world.docker(&["rm", "-f", &name])?.ok()?;
    }
    world.docker(&["volume", "rm", "cove-cp-ro", "cove-cp-rw"])?.ok()?;
    Ok(())
}

/// CVE-2018-15664.
fn a_link_that_comes_and_goes_is_no_way_out(world: &World) -> Result<()> {
    let _use = world.shared();
    let folder = sample(world)?;
    let x = folder.path().join("d/x").display().to_string();
    let swap = "mkdir /tmp/sub; while :; do for goal in / ../../../../../../../.. /proc/1/root; do \
        mv /tmp/sub /tmp/away; ln -s $goal /tmp/sub; rm /tmp/sub; mv /tmp/away /tmp/sub; done; done";
    let racer = world.says(&["run", "-d", BUSYBOX, "sh", "-c", swap])?;
    for _ in 0..15 {
        // It may fail, or land in the container: never beside it.
        world.docker(&["cp", &x, &format!("{racer}:/tmp/sub/cove-cp-evil")])?;
        let read = world.docker(&["cp", &format!("{racer}:/tmp/sub/cove"), "-"])?;
        ensure!(read.code() != 0, "the guest's own folder was copied out");
    }
    world.docker(&["rm", "-f", &racer])?.ok()?;
    let said = world.says(&["run", "--rm", BUSYBOX, "sh", "-c", "ls / | grep -c cove-cp-evil; true"])?;
    ensure!(said == "0", "{said}");
    Ok(())
}

/// CVE-2019-14271: libraries of the container that the engine would load.
fn nothing_of_the_container_is_run(world: &World) -> Result<()> {
    let _use = world.shared();
    let evil = b"#!/bin/sh\necho evil > /evil\n".to_vec();
    let files = ["lib/libnss_files.so.2", "lib/x86_64-linux-gnu/libnss_files.so.2", "usr/bin/tar"];
    let files: Vec<(&str, Vec<u8>, u32)> = files.iter().map(|name| (*name, evil.clone(), 0o755)).collect();
    let config = serde_json::json!({"Cmd": ["sleep", "1000"], "Env": ["PATH=/bin"]});
    let archive = image::docker_archive("cove-test/nss:1", &image::root_tar(&files)?, config)?;
    world.docker_with(&["load"], &archive)?.ok()?;
    let name = world.says(&["run", "-d", "-u", "somebody", "cove-test/nss:1"]);
    ensure!(name.is_err(), "a user that is not there");
    let name = world.says(&["run", "-d", "-u", "7", "cove-test/nss:1"])?;
    let folder = sample(world)?;
    world.docker(&["cp", "-a", &folder.path().join("d").display().to_string(), &format!("{name}:/tmp")])?.ok()?;
    world.docker(&["cp", &format!("{name}:/tmp"), "-"])?.ok()?;
    world.docker(&["cp", &format!("{name}:/evil"), "-"])?.exits(1)?;
    world.docker(&["rm", "-f", &name])?.ok()?;
    world.docker(&["rmi", "-f", "cove-test/nss:1"])?.ok()?;
    Ok(())
}

fn the_kernels_own_files_are_not_copied(world: &World) -> Result<()> {
    let _use = world.shared();
    let name = world.says(&["run", "-d", BUSYBOX, "sleep", "1000"])?;
    for path in ["/proc/1/environ", "/sys/kernel/mm"] {
        world.docker(&["cp", &format!("{name}:{path}"), "-"])?.exits(1)?.complains("Could not find the file")?;
    }
    let tar = world.docker(&["cp", &format!("{name}:/"), "-"])?.ok()?.bytes;
    let mut names = Vec::new();
    for entry in tar::Archive::new(tar.as_slice()).entries()? {
        names.push(String::from_utf8_lossy(&entry?.path_bytes()).into_owned());
    }
    ensure!(
        names.iter().any(|name| name == "/bin/busybox") && names.iter().any(|name| name == "/etc/hosts"),
        "{names:?}"
    );
    ensure!(!names.iter().any(|name| name.starts_with("/proc/") && name.len() > 6), "/proc was walked");
    world.docker(&["rm", "-f", &name])?.ok()?;
    Ok(())
}

/// What `docker cp` and `cove cp` do alike: both do all of it, in folders of their own, and the same is there afterwards.
fn cove_copies_as_docker_does(world: &World) -> Result<()> {
    let _use = world.shared();
    world.only_cove();
    let (of_docker, of_cove) = (copied_by(world, "docker")?, copied_by(world, "cove")?);
    ensure!(of_docker == of_cove, "docker:\n{of_docker}\ncove:\n{of_cove}");
    ensure!(of_docker.contains("/in/renamed/deep/f 644 0 deep") && of_docker.contains("out/file deep"), "{of_docker}");
    Ok(())
}

fn copied_by(world: &World, client: &str) -> Result<String> {
    let folder = sample(world)?;
    let here = |rest: &str| format!("{}/{rest}", folder.path().display());
    std::os::unix::fs::symlink("d", here("link"))?;
    fs::create_dir(here("out"))?;
    let id = world.says(&["run", "-d", "-u", "1000", BUSYBOX, "sleep", "1000"])?;
    let make = "mkdir /in; ln -s /in /to; mkdir -p /made/d; echo -n f > /made/d/f; ln -s d/f /made/l";
    world.says(&["exec", "-u", "0", &id, "sh", "-c", make])?;
    let name = &id[..12];
    let there = |path: &str| format!("{name}:{path}");
    let cp = |arguments: &[&str], input: &[u8]| {
        let arguments = [&["cp"], arguments].concat();
        match client {
            "cove" => command::run(world.cove_command(&arguments), input),
            _ => world.docker_with(&arguments, input),
        }
    };
    let done = |arguments: &[&str]| cp(arguments, b"")?.ok();
    // In: a folder under its name, as another, and its content; files; by links of either side; with another owner.
    for (from, to) in [
        ("d", "/in"),
        ("d", "/in/renamed"),
        ("d/.", "/in/content"),
        ("d/.", "/in/d"),
        ("d/x", "/in/d/deep/f2"),
        ("d/x", "/to"),
        ("link/", "/in/by-link"),
        ("link", "/in/link"),
    ] {
        ensure!(done(&[&here(from), &there(to)])?.stderr.is_empty(), "it speaks where no terminal is");
    }
    done(&["-q", "-L", &here("link"), &there("/in/followed")])?;
    done(&["-a", &here("d/x"), &there("/in/owned")])?;
    // Out, the same ways.
    for (from, to) in [
        ("/made/d", "out"),
        ("/made/d", "out/renamed"),
        ("/made/d/.", "out/content"),
        ("/made/d/f", "out/d/f2"),
        ("/made/l", "out"),
        ("/in/d/deep/f", "out/file"),
    ] {
        done(&[&there(from), &here(to)])?;
    }
    done(&["-L", &there("/made/l"), &here("out/followed")])?;
    fs::create_dir(here("out/into"))?;
    done(&["-L", &there("/made/l"), &here("out/into")])?;
    // As a tar, out and in again.
    let tar = done(&[&there("/in/d"), "-"])?.bytes;
    world.says(&["exec", "-u", "0", name, "mkdir", "/in/tar"])?;
    cp(&["-", &there("/in/tar")], &tar)?.ok()?;
    for (arguments, code, words) in [
        (&[here("d"), there("/in/d/x")][..], 1, "cannot copy directory"),
        (&[here("d/x"), there("/in/absent/")], 1, "no such directory"),
        (&[here("absent"), there("/in")], 1, "no such file or directory"),
        (&[there("/in/absent"), here("out")], 1, "Could not find the file /in/absent in container"),
        (&[there("/in/d"), here("absent/x")], 1, "invalid output path: directory"),
        (&[there("/in/d"), here("out/file")], 1, "cannot copy directory"),
        (&["-".to_owned(), there("/in/d/x")], 1, "must be a directory"),
        (&[here("d"), here("out")], 1, "must specify at least one container source"),
        (&[there("/in"), there("/made")], 1, "copying between containers is not supported"),
        (&[String::new(), there("/made")], 1, "source can not be empty"),
        (&[format!("absent-{client}:/x"), here("out")], 1, "No such container: absent-"),
    ] {
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        let refused = cp(&arguments, &tar)?.exits(code)?;
        ensure!(refused.stderr.to_lowercase().contains(&words.to_lowercase()), "{arguments:?}: {refused}");
    }
    let look = "cd /; find /in | sort | while read f; do [ -d $f ] && stat -c '%n %a %u' $f || echo \"$f $(stat -c '%a %u' $f; \
                readlink $f) $(cat $f)\"; done";
    let mut seen = world.says(&["exec", "-u", "0", name, "sh", "-c", look])?;
    let mut outside = std::process::Command::new("sh");
    outside
        .current_dir(folder.path())
        .args(["-c", "find out | sort | while read f; do echo \"$f $(cat $f 2>/dev/null)\"; done"]);
    seen += &command::run(outside, b"")?.ok()?.stdout;
    world.docker(&["rm", "-f", name])?.ok()?;
    Ok(seen)
}
