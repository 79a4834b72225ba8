//! Volumes and what else a container sees beside its root file system.

use anyhow::{Context as _, Result, ensure};
use cove_tests::{
    image::{self, BUSYBOX},
    world::World,
};
use serde_json::{Value, json};

crate::tests![
    what_a_container_writes_into_a_volume_the_next_one_reads,
    a_volume_is_shown_as_dockerd_shows_it,
    a_volume_in_use_is_not_removed,
    what_cannot_be_is_said_in_dockerds_words,
    nameless_volumes_go_with_their_container_when_told,
    a_new_volume_has_what_the_image_has,
    an_image_whose_volumes_lead_out_gets_its_own_files,
    a_volume_can_be_read_only_or_in_part,
    a_part_that_leads_out_of_a_volume_is_refused,
    memory_has_the_options_asked_for,
    a_volume_of_memory_is_shared_and_gone_with_its_last_user,
    the_files_of_an_image_are_there_to_read,
    volumes_of_another_container_are_taken_over,
    a_read_only_root_has_writable_volumes,
    no_target_is_a_way_out_of_the_container,
    a_link_that_comes_and_goes_is_no_way_out,
    containers_are_found_by_their_volumes,
    unused_volumes_are_pruned,
    mounts_are_told,
    cove_has_volumes_too,
    volumes_outlast_the_machine,
];

fn inspected(world: &World, container: &str) -> Result<Value> {
    let found = world.docker(&["inspect", container])?.ok()?.json()?;
    Ok(found[0].clone())
}

fn what_a_container_writes_into_a_volume_the_next_one_reads(world: &World) -> Result<()> {
    let _use = world.shared();
    world.says(&["run", "--rm", "-v", "handed:/data", BUSYBOX, "sh", "-c", "echo here > /data/file"])?;
    let said = world.says(&["run", "--rm", "-v", "handed:/deep/down", BUSYBOX, "cat", "/deep/down/file"])?;
    ensure!(said == "here", "{said}");
    let both = ["run", "--rm", "-v", "handed:/a", "--mount", "type=volume,src=handed,dst=/b", BUSYBOX];
    let said = world.says(&[&both[..], &["sh", "-c", "echo more >> /a/file; cat /b/file"]].concat())?;
    ensure!(said == "here\nmore", "{said}");
    world.docker(&["volume", "rm", "handed"])?.ok()?;
    Ok(())
}

fn a_volume_is_shown_as_dockerd_shows_it(world: &World) -> Result<()> {
    let _use = world.shared();
    ensure!(world.says(&["volume", "create", "--label", "a=b", "shown"])? == "shown", "not its name");
    ensure!(world.says(&["volume", "create", "shown"])? == "shown", "not the same again");
    let volume = &world.docker(&["volume", "inspect", "shown"])?.ok()?.json()?[0];
    ensure!(volume["Driver"] == "local" && volume["Scope"] == "local" && volume["Options"].is_null(), "{volume}");
    ensure!(volume["Labels"] == json!({"a": "b"}), "{volume}");
    ensure!(volume["Mountpoint"].as_str().is_some_and(|path| path.ends_with("/volumes/shown/_data")), "{volume}");
    let listed = world.says(&["volume", "ls", "-q", "--filter", "label=a=b", "--filter", "name=show"])?;
    ensure!(listed == "shown", "{listed}");
    let mount = "type=volume,src=shown,dst=/c,readonly,volume-nocopy";
    let run = ["create", "--name", "shower", "-v", "shown:/a", "-v", "/b", "--mount", mount, "--tmpfs", "/d:size=1m"];
    world.says(&[&run[..], &[BUSYBOX]].concat())?;
    let container = inspected(world, "shower")?;
    let mounts = container["Mounts"].as_array().context("no mounts")?;
    let seen: Vec<String> = mounts
        .iter()
        .map(|mount| format!("{} {} {} {}", mount["Type"], mount["Destination"], mount["Mode"], mount["RW"]))
        .collect();
    let expected = [r#""volume" "/a" "z" true"#, r#""volume" "/c" "z" false"#, r#""volume" "/b" "" true"#];
    ensure!(seen == expected, "{seen:?}");
    ensure!(mounts[0]["Source"] == volume["Mountpoint"] && mounts[0]["Name"] == "shown", "{}", mounts[0]);
    let host = &container["HostConfig"];
    ensure!(host["Binds"] == json!(["shown:/a"]) && host["Tmpfs"] == json!({"/d": "size=1m"}), "{host}");
    ensure!(host["Mounts"][0]["Target"] == "/c", "{host}");
    ensure!(container["Config"]["Volumes"] == json!({"/b": {}}), "{}", container["Config"]);
    world.docker(&["rm", "-v", "shower"])?.ok()?;
    world.docker(&["volume", "rm", "shown"])?.ok()?;
    Ok(())
}

fn a_volume_in_use_is_not_removed(world: &World) -> Result<()> {
    let _use = world.shared();
    let id = world.says(&["create", "-v", "used:/data", BUSYBOX, "true"])?;
    let words = format!("remove used: volume is in use - [{id}]");
    world.docker(&["volume", "rm", "used"])?.exits(1)?.complains(&words)?;
    world.docker(&["volume", "rm", "-f", "used"])?.exits(1)?.complains(&words)?;
    world.docker(&["rm", "-v", &id])?.ok()?;
    world.docker(&["volume", "rm", "used"])?.ok()?;
    world.docker(&["volume", "rm", "used"])?.exits(1)?.complains("get used: no such volume")?;
    world.docker(&["volume", "rm", "-f", "used"])?.ok()?;
    world.docker(&["volume", "inspect", "used"])?.exits(1)?.complains("get used: no such volume")?;
    Ok(())
}

fn what_cannot_be_is_said_in_dockerds_words(world: &World) -> Result<()> {
    let _use = world.shared();
    world.only_cove();
    for (options, words) in [
        (&["-v", "v1:/x", "--tmpfs", "/x"][..], "Duplicate mount point: /x"),
        (&["-v", "v1:/x", "--mount", "type=volume,src=v2,dst=/x"], "Duplicate mount point: /x"),
        (&["-v", "v1:/x:rshared"], "field BindOptions must not be specified"),
        (
            &["-v", "v1:/x", "--volume-driver", "nosuch"],
            "error looking up volume plugin nosuch: plugin \"nosuch\" not found",
        ),
        (&["--tmpfs", "/x:zork"], "invalid tmpfs option \"zork\""),
        (&["--mount", "type=image,src=nosuch,dst=/x"], "No such image: nosuch:latest"),
        (&["--volumes-from", "nosuch"], "No such container: nosuch"),
        (&["-v", "/home:/x"], "the path /home is not shared from this computer"),
    ] {
        // docker takes any "not found" for that of the image, and would pull it.
        let arguments = [&["run", "--rm", "--pull", "never"], options, &[BUSYBOX, "true"]].concat();
        world.docker(&arguments)?.exits(125)?.complains(words)?;
    }
    for (arguments, words) in [
        (
            &["--driver", "nosuch", "v1"][..],
            "create v1: error looking up volume plugin nosuch: plugin \"nosuch\" not found",
        ),
        (&["--opt", "zork=1", "never"], "create never: invalid option: \"zork\""),
        (&["--opt", "type=nfs", "--opt", "device=:/x", "never"], "volumes of type \"nfs\" are not supported"),
        (&["a/b"], "create a/b: \"a/b\" includes invalid characters for a local volume name"),
    ] {
        world.docker(&[&["volume", "create"], arguments].concat())?.exits(1)?.complains(words)?;
    }
    ensure!(world.says(&["volume", "ls", "-q", "--filter", "name=never"])?.is_empty(), "something was left");
    world.docker(&["volume", "rm", "-f", "v1", "v2"])?.ok()?;
    Ok(())
}

fn nameless_volumes_go_with_their_container_when_told(world: &World) -> Result<()> {
    let _use = world.shared();
    let nameless = |name: &str| world.says(&["inspect", "-f", "{{(index .Mounts 0).Name}}", name]);
    let there = |volume: &str| Ok::<_, anyhow::Error>(world.docker(&["volume", "inspect", volume])?.code() == 0);
    world.says(&["create", "--name", "nameless", "-v", "/data", BUSYBOX])?;
    let kept = nameless("nameless")?;
    world.docker(&["rm", "nameless"])?.ok()?;
    ensure!(kept.len() == 64 && there(&kept)?, "{kept} is gone");
    world.says(&["create", "--name", "nameless", "-v", "/data", "-v", &format!("{kept}:/kept"), BUSYBOX])?;
    let own = world.says(&["inspect", "-f", "{{range .Mounts}}{{println .Name}}{{end}}", "nameless"])?;
    let own = own.lines().find(|name| *name != kept).context("no volume of its own")?.to_owned();
    world.docker(&["rm", "-v", "nameless"])?.ok()?;
    ensure!(!there(&own)? && there(&kept)?, "{own} and {kept}");
    world.docker(&["volume", "rm", &kept])?.ok()?;
    let run = ["run", "-d", "--rm", "--name", "nameless", "-v", "/data", BUSYBOX, "sleep", "1000"];
    world.says(&run)?;
    let own = nameless("nameless")?;
    let label = world.says(&["volume", "ls", "-q", "--filter", "label=com.docker.volume.anonymous"])?;
    ensure!(label.lines().any(|name| name == own), "{label}");
    world.docker(&["kill", "nameless"])?.ok()?;
    // The removal is seen when the name is free again.
    let mut removed = world.docker(&["wait", "nameless"])?;
    while removed.code() == 0 {
        removed = world.docker(&["wait", "nameless"])?;
    }
    ensure!(!there(&own)?, "{own} is left");
    Ok(())
}

/// An image with a volume at /data, and what else an unfriendly author might put into one.
fn image_with_volumes(world: &World) -> Result<&'static str> {
    unfriendly_image(world, "cove-test/volumes:1", &json!({"/data": {}, "/../../etc": {}, "/evil": {}}))
}

fn unfriendly_image<'a>(world: &World, name: &'a str, volumes: &Value) -> Result<&'a str> {
    let root = image::root_tar(&[
        ("data/sub/script", b"#!/bin/sh\n".to_vec(), 0o4755),
        ("etc/own", b"of the image".to_vec(), 0o600),
    ])?;
    let mut tar = tar::Builder::new(Vec::new());
    tar.get_mut().extend_from_slice(&root[..root.len() - 1024]);
    for (kind, path, goal, uid, mode) in [
        (tar::EntryType::Symlink, "data/link", "/etc/passwd", 1000, 0o777),
        (tar::EntryType::Directory, "data/", "", 1000, 0o750),
        (tar::EntryType::Symlink, "evil", "../../../../../../etc", 0, 0o777),
        (tar::EntryType::Symlink, "kernel", "/proc", 0, 0o777),
        (tar::EntryType::Symlink, "all", "/", 0, 0o777),
    ] {
        let mut header = tar::Header::new_ustar();
        header.set_entry_type(kind);
        header.set_mode(mode);
        header.set_uid(uid);
        header.set_gid(uid);
        header.set_size(0);
        header.set_mtime(1_700_000_000);
        if goal.is_empty() {
            tar.append_data(&mut header, path, &[][..])?;
        } else {
            tar.append_link(&mut header, path, goal)?;
        }
    }
    let config = json!({"Cmd": ["sh"], "Volumes": volumes});
    world.docker_with(&["load"], &image::docker_archive(name, &tar.into_inner()?, config)?)?.ok()?;
    Ok(name)
}

fn a_new_volume_has_what_the_image_has(world: &World) -> Result<()> {
    let _use = world.shared();
    let image = image_with_volumes(world)?;
    let look = "stat -c '%n %u %a' /data /data/sub/script; readlink /data/link; stat -c %Y /data/sub/script";
    let expected = "/data 1000 750\n/data/sub/script 0 4755\n/etc/passwd\n1700000000";
    for volume in ["/data", "copied:/data"] {
        let said = world.says(&["run", "--rm", "-v", volume, image, "sh", "-c", look])?;
        ensure!(said == expected, "{volume}: {said}");
    }
    // It is in the volume, not behind it; and a volume that has something is left alone.
    let said = world.says(&["run", "--rm", "-v", "copied:/x", BUSYBOX, "ls", "-A", "/x"])?;
    ensure!(said == "link\nsub", "{said}");
    world.says(&["run", "--rm", "-v", "copied:/x", BUSYBOX, "rm", "/x/link"])?;
    let said = world.says(&["run", "--rm", "-v", "copied:/data", image, "ls", "-A", "/data"])?;
    ensure!(said == "sub", "{said}");
    for mount in ["type=volume,src=bare,dst=/data,volume-nocopy", "type=tmpfs,dst=/data"] {
        let said = world.says(&["run", "--rm", "--mount", mount, image, "ls", "-A", "/data"])?;
        ensure!(said.is_empty(), "{mount}: {said}");
    }
    world.docker(&["volume", "rm", "copied", "bare"])?.ok()?;
    Ok(())
}

/// CVE-2022-23648: what is copied is the image's, wherever its paths seem to lead.
fn an_image_whose_volumes_lead_out_gets_its_own_files(world: &World) -> Result<()> {
    let _use = world.shared();
    let image = image_with_volumes(world)?;
    let said = world.says(&[
        "run",
        "--rm",
        image,
        "sh",
        "-c",
        "cat /etc/own; ls /etc/cove /etc/machine-id 2>/dev/null; true",
    ])?;
    ensure!(said == "of the image", "{said}");
    let said = world.says(&["run", "--rm", "-v", "lead:/evil", image, "cat", "/evil/own"])?;
    ensure!(said == "of the image", "{said}");
    let said = world.says(&["run", "--rm", "-v", "lead:/x", BUSYBOX, "ls", "-A", "/x"])?;
    ensure!(said.lines().any(|name| name == "own") && said.lines().all(|name| name != "mke2fs.conf"), "{said}");
    world.docker(&["volume", "rm", "lead"])?.ok()?;
    Ok(())
}

fn a_volume_can_be_read_only_or_in_part(world: &World) -> Result<()> {
    let _use = world.shared();
    let make = "mkdir -p /v/a/b; echo x > /v/a/b/file; ln -s a/b /v/inside";
    world.says(&["run", "--rm", "-v", "parts:/v", BUSYBOX, "sh", "-c", make])?;
    let write = world.docker(&["run", "--rm", "-v", "parts:/v:ro", BUSYBOX, "touch", "/v/new"])?;
    write.exits(1)?.complains("Read-only file system")?;
    for (subpath, shown) in [("a", "b"), ("a/b", "file"), ("inside", "file"), ("a/../a/b", "file")] {
        let mount = format!("type=volume,src=parts,dst=/p,volume-subpath={subpath}");
        let said = world.says(&["run", "--rm", "--mount", &mount, BUSYBOX, "ls", "/p"])?;
        ensure!(said == shown, "{subpath}: {said}");
    }
    // A file is mounted on a file.
    let mount = "type=volume,src=parts,dst=/p/q,volume-subpath=a/b/file,readonly";
    let said = world.says(&["run", "--rm", "--mount", mount, BUSYBOX, "cat", "/p/q"])?;
    ensure!(said == "x", "{said}");
    world.docker(&["volume", "rm", "parts"])?.ok()?;
    Ok(())
}

fn a_part_that_leads_out_of_a_volume_is_refused(world: &World) -> Result<()> {
    let _use = world.shared();
    let make = "ln -s /etc /v/absolute; ln -s ../../.. /v/up; ln -s /proc/self/root /v/magic; mkdir /v/ok";
    world.says(&["run", "--rm", "-v", "leaky:/v", BUSYBOX, "sh", "-c", make])?;
    for (subpath, words) in [
        ("absolute", "path concatenation escapes the base directory, base: "),
        ("up", "path concatenation escapes the base directory, base: "),
        ("magic", "path concatenation escapes the base directory, base: "),
        ("nosuch", "cannot access path"),
        ("../x", "subpath must be a relative path within the volume"),
    ] {
        let mount = format!("type=volume,src=leaky,dst=/p,volume-subpath={subpath}");
        // The client has an exit code of its own for what is not there.
        let code = if subpath == "nosuch" { 127 } else { 125 };
        world.docker(&["run", "--rm", "--mount", &mount, BUSYBOX, "ls", "/p"])?.exits(code)?.complains(words)?;
    }
    // One that changes while it is looked up: it is the folder, or it is refused.
    let swap = "while :; do mv /v/ok /v/away; ln -s /etc /v/ok; rm /v/ok; mv /v/away /v/ok; done";
    world.says(&["run", "-d", "--name", "swapper", "-v", "leaky:/v", BUSYBOX, "sh", "-c", swap])?;
    for _ in 0..10 {
        let mount = "type=volume,src=leaky,dst=/p,volume-subpath=ok";
        let done = world.docker(&["run", "--rm", "--mount", mount, BUSYBOX, "ls", "-A", "/p"])?;
        ensure!(done.stdout.is_empty() && [0, 125, 127].contains(&done.code()), "{done}");
    }
    world.docker(&["rm", "-f", "swapper"])?.ok()?;
    world.docker(&["volume", "rm", "leaky"])?.ok()?;
    Ok(())
}

fn memory_has_the_options_asked_for(world: &World) -> Result<()> {
    let _use = world.shared();
    let options = |mount: &[&str]| {
        let look = ["sh", "-c", "grep ' /m ' /proc/mounts | cut -d' ' -f3,4; stat -c %a /m; touch /m/file"];
        world.docker(&[&["run", "--rm"], mount, &[BUSYBOX], &look[..]].concat())
    };
    let said = options(&["--tmpfs", "/m"])?.ok()?.stdout;
    ensure!(said.starts_with("tmpfs rw,nosuid,nodev,noexec") && said.ends_with("\n1777"), "{said}");
    let said = options(&["--tmpfs", "/m:size=1m,mode=700,uid=1000,exec"])?.ok()?.stdout;
    ensure!(said.contains("size=1024k") && said.contains("mode=700") && said.contains("uid=1000"), "{said}");
    ensure!(!said.contains("noexec") && said.ends_with("\n700"), "{said}");
    let said = options(&["--mount", "type=tmpfs,dst=/m,tmpfs-size=65536,tmpfs-mode=750"])?.ok()?.stdout;
    ensure!(said.contains("size=64k") && said.ends_with("\n750"), "{said}");
    options(&["--tmpfs", "/m:ro"])?.exits(1)?.complains("Read-only file system")?;
    let write = world.docker(&["run", "--rm", "--tmpfs", "/var:ro", BUSYBOX, "touch", "/var/file"])?;
    write.exits(1)?.complains("Read-only file system")?;
    let fill = ["dd", "if=/dev/zero", "of=/m/file", "bs=64k", "count=100"];
    let full = world.docker(&[&["run", "--rm", "--tmpfs", "/m:size=1m", BUSYBOX], &fill[..]].concat())?;
    full.exits(1)?.complains("No space left on device")?;
    // Memory over a folder of the image has its mode.
    let said = world
        .says(&["run", "--rm", "--tmpfs", "/tmp", "--tmpfs", "/etc", BUSYBOX, "stat", "-c", "%a", "/tmp", "/etc"])?;
    ensure!(said == "1777\n755", "{said}");
    Ok(())
}

fn a_volume_of_memory_is_shared_and_gone_with_its_last_user(world: &World) -> Result<()> {
    let _use = world.shared();
    let create = ["volume", "create", "--opt", "type=tmpfs", "--opt", "device=tmpfs", "--opt", "o=size=2m,mode=700"];
    world.says(&[&create[..], &["swift"]].concat())?;
    world.says(&["run", "-d", "--name", "swift1", "-v", "swift:/m", BUSYBOX, "sleep", "1000"])?;
    world.says(&["exec", "swift1", "sh", "-c", "echo here > /m/file"])?;
    let look = "cat /m/file; grep ' /m ' /proc/mounts | cut -d' ' -f3,4";
    let said = world.says(&["run", "--rm", "-v", "swift:/m", BUSYBOX, "sh", "-c", look])?;
    ensure!(said.starts_with("here\ntmpfs rw,") && said.contains("size=2048k,mode=700"), "{said}");
    world.docker(&["rm", "-f", "swift1"])?.ok()?;
    let said = world.says(&["run", "--rm", "-v", "swift:/m", BUSYBOX, "ls", "-A", "/m"])?;
    ensure!(said.is_empty(), "{said}");
    let other = [&create[..6], &["--opt", "o=size=3m", "swift"]].concat();
    ensure!(world.says(&other)? == "swift", "the one that is there is not given");
    let options = world.says(&["volume", "inspect", "-f", "{{.Options.o}}", "swift"])?;
    ensure!(options == "size=2m,mode=700", "{options}");
    world.docker(&["volume", "rm", "swift"])?.ok()?;
    Ok(())
}

fn the_files_of_an_image_are_there_to_read(world: &World) -> Result<()> {
    let _use = world.shared();
    let root = image::root_tar(&[("share/deep/file", b"of another".to_vec(), 0o644)])?;
    world.docker_with(&["import", "-", "cove-test/files:1"], &root)?.ok()?;
    let run =
        |mount: &str, command: &[&str]| world.docker(&[&["run", "--rm", "--mount", mount, BUSYBOX], command].concat());
    let said = run("type=image,src=cove-test/files:1,dst=/i", &["cat", "/i/share/deep/file"])?.ok()?.stdout;
    ensure!(said == "of another", "{said}");
    let part = "type=image,src=cove-test/files:1,dst=/i,image-subpath=share/deep";
    let said = run(part, &["sh", "-c", "ls /i; grep -c ' /i ' /proc/mounts"])?.ok()?.stdout;
    ensure!(said == "file\n1", "{said}");
    run(part, &["touch", "/i/new"])?.exits(1)?.complains("Read-only file system")?;
    world.says(&["create", "--name", "reader", "--mount", part, BUSYBOX])?;
    world.docker(&["rmi", "cove-test/files:1"])?.exits(1)?.complains("is using its referenced image")?;
    world.docker(&["rm", "reader"])?.ok()?;
    world.docker(&["rmi", "cove-test/files:1"])?.ok()?;
    Ok(())
}

fn volumes_of_another_container_are_taken_over(world: &World) -> Result<()> {
    let _use = world.shared();
    world.says(&[
        "run",
        "--name",
        "giver",
        "-v",
        "given:/a",
        "-v",
        "/b",
        BUSYBOX,
        "sh",
        "-c",
        "echo 1 > /a/f; echo 2 > /b/f",
    ])?;
    let said = world.says(&["run", "--rm", "--volumes-from", "giver", BUSYBOX, "cat", "/a/f", "/b/f"])?;
    ensure!(said == "1\n2", "{said}");
    let write = world.docker(&["run", "--rm", "--volumes-from", "giver:ro", BUSYBOX, "touch", "/b/new"])?;
    write.exits(1)?.complains("Read-only file system")?;
    let said =
        world.says(&["run", "--rm", "--volumes-from", "giver", "--tmpfs", "/a", BUSYBOX, "ls", "-A", "/a", "/b"])?;
    ensure!(said == "/a:\n\n/b:\nf", "{said}");
    // What a container that removes itself has taken over is not its own to take along.
    let said = world.says(&["run", "--rm", "--volumes-from", "giver", BUSYBOX, "cat", "/b/f"])?;
    ensure!(said == "2", "{said}");
    world.docker(&["rm", "-v", "giver"])?.ok()?;
    world.docker(&["volume", "rm", "given"])?.ok()?;
    Ok(())
}

fn a_read_only_root_has_writable_volumes(world: &World) -> Result<()> {
    let _use = world.shared();
    let run = ["run", "--rm", "--read-only", "-v", "/v", "--tmpfs", "/m", BUSYBOX, "sh", "-c"];
    let done = world.docker(&[&run[..], &["touch /v/a /m/a && echo both; touch /a"]].concat())?;
    ensure!(done.stdout == "both" && done.stderr.contains("Read-only file system"), "{done}");
    Ok(())
}

fn no_target_is_a_way_out_of_the_container(world: &World) -> Result<()> {
    let _use = world.shared();
    let image = unfriendly_image(world, "cove-test/links:1", &json!({}))?;
    let done = world.docker(&["run", "--rm", "-v", "way:/proc", image, "true"])?.exits(125)?;
    done.complains("cannot be mounted because it is not of type proc")?;
    for target in ["/proc/self", "/proc/nosuch", "/kernel/sys", "/kernel"] {
        let done = world.docker(&["run", "--rm", "-v", &format!("way:{target}"), image, "true"])?.exits(125)?;
        done.complains("cannot be mounted because it is inside /proc")?;
    }
    let done = world.docker(&["run", "--rm", "-v", "way:/all", image, "true"])?.exits(125)?;
    done.complains("leads to /, which nothing can be mounted over")?;
    for (target, place) in [("/evil", "/etc"), ("/evil/new", "/etc/new"), ("/a/../../../b", "/b")] {
        let look = format!("grep -c ' {place} ' /proc/mounts");
        let said = world.says(&["run", "--rm", "-v", &format!("way:{target}"), image, "sh", "-c", &look])?;
        ensure!(said == "1", "{target}: {said}");
    }
    // Where a file is, no folder can be mounted.
    let done = world.docker(&["run", "--rm", "-v", "way:/etc/passwd", BUSYBOX, "true"])?.exits(125)?;
    ensure!(done.stderr.contains("to rootfs at \"/etc/passwd\": not a directory"), "{done}");
    world.docker(&["volume", "rm", "way"])?.ok()?;
    Ok(())
}

/// CVE-2021-30465: a target below a volume in which another container exchanges a folder for a link.
fn a_link_that_comes_and_goes_is_no_way_out(world: &World) -> Result<()> {
    let _use = world.shared();
    let swap = "mkdir /v/sub; while :; do for goal in /proc /sys/fs/cgroup ../../../../../../var/lib /; do \
        mv /v/sub /v/away; ln -s $goal /v/sub; rm /v/sub; mv /v/away /v/sub; done; done";
    world.says(&["run", "-d", "--name", "racer", "-v", "race:/v", BUSYBOX, "sh", "-c", swap])?;
    let mut started = 0;
    for _ in 0..15 {
        let look = "grep -v ' /v ' /proc/self/mountinfo | grep '/volumes/raced/' | cut -d' ' -f5";
        let run = ["run", "--rm", "-v", "race:/v", "-v", "raced:/v/sub", BUSYBOX, "sh", "-c", look];
        let done = world.docker(&run)?;
        // Where it ended up is a place of this container, or nothing started.
        ensure!([0, 125, 127].contains(&done.code()), "{done}");
        ensure!(!done.stdout.starts_with("/proc") && done.stdout.lines().count() <= 1, "{done}");
        started += usize::from(done.code() == 0);
    }
    ensure!(started > 0, "none of them started");
    world.docker(&["rm", "-f", "racer"])?.ok()?;
    // The guest itself has nothing of it: everybody else sees their own.
    let said =
        world.says(&["run", "--rm", BUSYBOX, "sh", "-c", "grep -c raced /proc/self/mountinfo; ls /proc/1/stat"])?;
    ensure!(said == "0\n/proc/1/stat", "{said}");
    world.docker(&["volume", "rm", "race", "raced"])?.ok()?;
    Ok(())
}

fn containers_are_found_by_their_volumes(world: &World) -> Result<()> {
    let _use = world.shared();
    world.says(&["create", "--name", "finder", "-v", "found:/where", BUSYBOX])?;
    for filter in ["volume=found", "volume=/where"] {
        let said = world.says(&["ps", "-a", "--filter", filter, "--format", "{{.Names}} {{.Mounts}}"])?;
        ensure!(said == "finder found", "{filter}: {said}");
    }
    ensure!(world.says(&["ps", "-aq", "--filter", "volume=foun"])?.is_empty(), "half a name is no name");
    world.docker(&["rm", "finder"])?.ok()?;
    world.docker(&["volume", "rm", "found"])?.ok()?;
    Ok(())
}

fn unused_volumes_are_pruned(world: &World) -> Result<()> {
    // Alone: whatever is unused goes.
    let _use = world.alone();
    world.docker(&["volume", "prune", "-af"])?.ok()?;
    let write = ["dd", "if=/dev/zero", "of=/data/file", "bs=1000", "count=50"];
    world
        .docker(&[&["run", "--name", "prunee", "-v", "/data", "-v", "named:/named", BUSYBOX], &write[..]].concat())?
        .ok()?;
    let said = world.says(&["volume", "prune", "-af"])?;
    ensure!(said == "Total reclaimed space: 0B", "{said}");
    world.docker(&["rm", "prunee"])?.ok()?;
    let said = world.says(&["volume", "prune", "-f"])?;
    ensure!(said.starts_with("Deleted Volumes:\n") && said.ends_with("Total reclaimed space: 50kB"), "{said}");
    ensure!(world.says(&["volume", "ls", "-q", "--filter", "dangling=true"])? == "named", "not the named one alone");
    let said = world.says(&["volume", "prune", "-af", "--filter", "label=nosuch"])?;
    ensure!(said == "Total reclaimed space: 0B", "{said}");
    let said = world.says(&["volume", "prune", "-af"])?;
    ensure!(said.contains("\nnamed\n"), "{said}");
    Ok(())
}

fn mounts_are_told(world: &World) -> Result<()> {
    let _use = world.shared();
    let since = world.says(&["info", "--format", "{{.SystemTime}}"])?;
    world.docker(&["run", "--rm", "-v", "told:/t:ro", BUSYBOX, "true"])?.ok()?;
    world.docker(&["volume", "rm", "told"])?.ok()?;
    let until = world.says(&["info", "--format", "{{.SystemTime}}"])?;
    let format = "{{.Action}} {{.Actor.ID}} {{index .Actor.Attributes \"destination\"}} {{index .Actor.Attributes \"read/write\"}}";
    let asked = ["events", "--since", &since, "--until", &until, "--filter", "volume=told", "--format", format];
    let said = world.says(&asked)?;
    let lines: Vec<_> = said.lines().map(str::trim_end).collect();
    ensure!(lines == ["create told", "mount told /t false", "unmount told", "destroy told"], "{said}");
    Ok(())
}

fn cove_has_volumes_too(world: &World) -> Result<()> {
    let _use = world.shared();
    ensure!(world.cove(&["volume", "create", "--label", "a=b", "coves"])?.ok()?.stdout == "coves", "not its name");
    let run = ["run", "--rm", "-v", "coves:/data", "-v", "/scratch", "--tmpfs", "/m:size=1m", BUSYBOX, "sh", "-c"];
    world.cove(&[&run[..], &["echo here > /data/file; touch /scratch/x /m/x"]].concat())?.ok()?;
    let said = world.cove(&["run", "--rm", "-v", "coves:/data:ro", BUSYBOX, "cat", "/data/file"])?.ok()?.stdout;
    ensure!(said == "here", "{said}");
    world
        .cove(&["run", "--rm", "-v", "/etc:/x", BUSYBOX, "true"])?
        .complains("the path /etc is not shared from this computer")?;
    let listed = world.cove(&["volume", "ls", "--filter", "label=a=b", "--size", "--format", "json"])?.ok()?.json()?;
    ensure!(listed[0]["name"] == "coves" && listed[0]["bytes"] == 5, "{listed}");
    let shown = world.cove(&["volume", "inspect", "coves"])?.ok()?.json()?;
    ensure!(shown[0]["labels"]["a"] == "b" && shown[0]["containers"] == 0, "{shown}");
    ensure!(world.cove(&["volume", "rm", "coves"])?.ok()?.stdout == "coves", "not its name");
    world.cove(&["volume", "rm", "coves"])?.exits(1)?.complains("get coves: no such volume")?;
    Ok(())
}

fn volumes_outlast_the_machine(world: &World) -> Result<()> {
    let _use = world.alone();
    world.says(&[
        "run",
        "--name",
        "keeper",
        "-v",
        "lasting:/data",
        "-v",
        "/own",
        BUSYBOX,
        "sh",
        "-c",
        "echo kept > /data/file; sync",
    ])?;
    let before = inspected(world, "keeper")?["Mounts"].clone();
    world.cove(&["stop"])?.ok()?;
    world.cove(&["start", "--docker-context=no"])?.ok()?;
    ensure!(inspected(world, "keeper")?["Mounts"] == before, "its mounts are others");
    world.docker(&["volume", "rm", "lasting"])?.exits(1)?.complains("volume is in use")?;
    let said = world.says(&["run", "--rm", "-v", "lasting:/data", BUSYBOX, "cat", "/data/file"])?;
    ensure!(said == "kept", "{said}");
    world.docker(&["rm", "-v", "keeper"])?.ok()?;
    world.docker(&["volume", "rm", "lasting"])?.ok()?;
    Ok(())
}
