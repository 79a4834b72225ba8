//! Folders of this computer in containers.

use std::{
    fs,
    os::unix::fs::{PermissionsExt as _, symlink},
    path::Path,
};

use anyhow::{Context as _, Result, ensure};
use cove_tests::{
    command::{Stranger, kill},
    image::{self, BUSYBOX},
    world::World,
};
use serde_json::{Value, json};

use crate::lifecycle::kill_the_agent;

crate::tests![
    what_one_side_writes_the_other_reads,
    a_bind_is_shown_as_dockerd_shows_it,
    a_read_only_bind_cannot_be_written,
    a_single_file_is_bound,
    what_is_missing_is_made_for_v_and_refused_for_mount,
    owners_and_modes_are_kept,
    links_lead_where_the_container_is,
    many_files_are_made_listed_and_removed,
    containers_share_a_bind_and_copies_reach_it,
    a_folder_outside_of_what_is_shared_is_refused,
    a_share_is_listed_and_taken_back,
    what_changes_here_is_an_event_there,
    cove_binds_too,
    a_bind_outlives_the_daemon,
    a_bind_outlives_the_agent,
    a_bind_is_there_again_after_a_restart_of_the_machine,
];

fn folder() -> Result<tempfile::TempDir> {
    let folder = tempfile::Builder::new().prefix("bind").tempdir()?;
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755))?;
    Ok(folder)
}

fn bind(folder: &Path, target: &str) -> String {
    format!("{}:{target}", folder.display())
}

/// Runs a script in a container that sees a folder at /x.
fn in_it(world: &World, folder: &Path, mode: &str, script: &str) -> Result<String> {
    world.says(&["run", "--rm", "-v", &bind(folder, &format!("/x{mode}")), BUSYBOX, "sh", "-c", script])
}

fn what_one_side_writes_the_other_reads(world: &World) -> Result<()> {
    let _use = world.shared();
    let folder = folder()?;
    fs::write(folder.path().join("from-host"), "hello")?;
    let said = in_it(world, folder.path(), "", "cat /x/from-host; mkdir -p /x/a/b; echo back > /x/a/b/from-container")?;
    ensure!(said == "hello", "{said}");
    ensure!(fs::read_to_string(folder.path().join("a/b/from-container"))? == "back\n");
    let bytes: Vec<u8> = (0..3_000_000_u32).map(|number| number.wrapping_mul(2_654_435_761).to_le_bytes()[3]).collect();
    fs::write(folder.path().join("large"), &bytes)?;
    in_it(world, folder.path(), "", "cp /x/large /x/copy && cmp /x/large /x/copy && mv /x/copy /x/moved")?;
    ensure!(fs::read(folder.path().join("moved"))? == bytes, "the copy is another");
    Ok(())
}

fn a_bind_is_shown_as_dockerd_shows_it(world: &World) -> Result<()> {
    let _use = world.shared();
    let folder = folder()?;
    let (plain, with_mode) = (bind(folder.path(), "/a"), bind(folder.path(), "/b:cached,ro"));
    let mount = format!("type=bind,src={},dst=/c,bind-propagation=rslave", folder.path().display());
    let id = world.says(&["create", "-v", &plain, "-v", &with_mode, "--mount", &mount, BUSYBOX, "true"])?;
    let found: Value = world.docker(&["inspect", &id])?.ok()?.json()?;
    let mut mounts = found[0]["Mounts"].as_array().context("no mounts")?.clone();
    mounts.sort_by_key(|mount| mount["Destination"].to_string());
    let shown = |target: &str, mode: &str, writable: bool, propagation: &str| {
        json!({"Type": "bind", "Source": folder.path(), "Destination": target, "Mode": mode, "RW": writable,
            "Propagation": propagation})
    };
    let expected = [
        shown("/a", "", true, "rprivate"),
        shown("/b", "cached,ro", false, "rprivate"),
        shown("/c", "", true, "rslave"),
    ];
    ensure!(mounts == expected, "{mounts:#?}");
    ensure!(found[0]["HostConfig"]["Binds"] == json!([plain, with_mode]), "{}", found[0]["HostConfig"]["Binds"]);
    world.docker(&["rm", &id])?.ok()?;
    Ok(())
}

fn a_read_only_bind_cannot_be_written(world: &World) -> Result<()> {
    let _use = world.shared();
    let folder = folder()?;
    fs::write(folder.path().join("f"), "kept")?;
    let tries = "cat /x/f; echo y > /x/f; rm /x/f; mkdir /x/d; mount -o remount,rw /x; echo y > /x/g";
    let run = ["run", "--rm", "--privileged", "-v", &bind(folder.path(), "/x:ro"), BUSYBOX, "sh", "-c", tries];
    let done = world.docker(&run)?;
    ensure!(done.stdout.contains("kept") && done.stderr.contains("Read-only file system"), "{done}");
    ensure!(fs::read_dir(folder.path())?.count() == 1 && fs::read_to_string(folder.path().join("f"))? == "kept");
    Ok(())
}

fn a_single_file_is_bound(world: &World) -> Result<()> {
    let _use = world.shared();
    let folder = folder()?;
    let file = folder.path().join("config");
    fs::write(&file, "one")?;
    fs::write(folder.path().join("secret"), "two")?;
    let run = ["run", "--rm", "-v", &bind(&file, "/etc/app/config"), BUSYBOX, "sh", "-c"];
    let said = world.says(&[&run[..], &["cat /etc/app/config; ls /etc/app; echo three > /etc/app/config"]].concat())?;
    ensure!(said == "oneconfig", "{said}");
    ensure!(fs::read_to_string(&file)? == "three\n");
    Ok(())
}

fn what_is_missing_is_made_for_v_and_refused_for_mount(world: &World) -> Result<()> {
    let _use = world.shared();
    let folder = folder()?;
    let missing = folder.path().join("not/there");
    let mount = format!("type=bind,src={},dst=/x", missing.display());
    let words =
        format!("invalid mount config for type \"bind\": bind source path does not exist: {}", missing.display());
    world.docker(&["run", "--rm", "--mount", &mount, BUSYBOX, "true"])?.exits(125)?.complains(&words)?;
    ensure!(!missing.exists(), "a refused mount made a folder");
    in_it(world, &missing, "", "touch /x/made")?;
    ensure!(missing.join("made").exists());
    Ok(())
}

fn owners_and_modes_are_kept(world: &World) -> Result<()> {
    let _use = world.shared();
    let folder = folder()?;
    fs::write(folder.path().join("f"), "x")?;
    let script = "umask 0; chown 999:998 /x/f; chmod 640 /x/f; touch /x/g; mkdir -m 2775 /x/d; \
                  stat -c '%n %u:%g %a' /x/f /x/g /x/d; ln -s nowhere /x/l; ln /x/g /x/h; stat -c %h /x/g";
    let said = in_it(world, folder.path(), "", script)?;
    ensure!(said == "/x/f 999:998 640\n/x/g 0:0 666\n/x/d 0:0 2775\n2", "{said}");
    let said = in_it(world, folder.path(), "", "stat -c '%u:%g %a' /x/f; readlink /x/l")?;
    ensure!(said == "999:998 640\nnowhere", "{said}");
    Ok(())
}

fn links_lead_where_the_container_is(world: &World) -> Result<()> {
    let _use = world.shared();
    let (folder, secret) = (folder()?, folder()?);
    fs::write(secret.path().join("secret"), "of the host")?;
    symlink(secret.path(), folder.path().join("folder"))?;
    symlink(secret.path().join("secret"), folder.path().join("file"))?;
    symlink("/etc/hostname", folder.path().join("own"))?;
    fs::create_dir(folder.path().join("d"))?;
    let tries = "cat /x/own; cat /x/file; cat /x/folder/secret; cat /x/../x/d/../file; ls /x/d/../..; \
        mv /x/d /x/d2; ln -s ../.. /x/d; cat /x/d/*/secret";
    let run = ["run", "--rm", "--hostname", "inside", "--privileged", "-v", &bind(folder.path(), "/x")];
    let done = world.docker(&[&run[..], &[BUSYBOX, "sh", "-c", tries]].concat())?;
    ensure!(done.stdout.starts_with("inside\n") && !done.stdout.contains("of the host"), "{done}");
    // The folder becomes a link to a secret and a folder again, as fast as it goes, while the container looks into it.
    let race = "i=0; while [ $i -lt 300 ]; do cat /x/race/secret 2>/dev/null; i=$((i+1)); done; echo done";
    let race_folder = folder.path().join("race");
    let done = std::sync::atomic::AtomicBool::new(false);
    let said = std::thread::scope(|scope| {
        scope.spawn(|| {
            while !done.load(std::sync::atomic::Ordering::Relaxed) {
                let _there = fs::create_dir(&race_folder);
                let _gone = fs::remove_dir(&race_folder);
                let _there = symlink(secret.path(), &race_folder);
                let _gone = fs::remove_file(&race_folder);
            }
        });
        let said = in_it(world, folder.path(), "", race);
        done.store(true, std::sync::atomic::Ordering::Relaxed);
        said
    })?;
    ensure!(said == "done", "{said}");
    Ok(())
}

fn many_files_are_made_listed_and_removed(world: &World) -> Result<()> {
    let _use = world.shared();
    let folder = folder()?;
    let make = "cd /x; for d in 0 1 2 3 4 5 6 7 8 9; do mkdir $d; for f in $(seq 100); do echo $f > $d/$f; done; done";
    in_it(world, folder.path(), "", make)?;
    let on_host = || -> Result<usize> {
        let folders: Vec<_> = fs::read_dir(folder.path())?.collect::<Result<_, _>>()?;
        folders.iter().map(|entry| Ok(fs::read_dir(entry.path())?.count())).sum()
    };
    ensure!(on_host()? == 1000, "{} files", on_host()?);
    let said =
        in_it(world, folder.path(), "", "find /x -type f | wc -l; cat /x/*/* | sort -n | uniq | wc -l; rm -r /x/*")?;
    ensure!(said == "1000\n100", "{said}");
    ensure!(fs::read_dir(folder.path())?.count() == 0, "something is left");
    Ok(())
}

fn containers_share_a_bind_and_copies_reach_it(world: &World) -> Result<()> {
    let _use = world.shared();
    let folder = folder()?;
    let spec = bind(folder.path(), "/x");
    world.says(&["run", "-d", "--name", "binder", "-v", &spec, BUSYBOX, "sleep", "1000"])?;
    in_it(world, folder.path(), "", "echo shared > /x/f")?;
    ensure!(world.says(&["exec", "binder", "cat", "/x/f"])? == "shared");
    let from = world.scratch()?;
    fs::write(from.path().join("copied"), "in")?;
    let source = from.path().join("copied").display().to_string();
    world.docker(&["cp", &source, "binder:/x/copied"])?.ok()?;
    ensure!(fs::read_to_string(folder.path().join("copied"))? == "in");
    world.docker(&["rm", "-f", "binder"])?.ok()?;
    // Into one that never ran.
    let id = world.says(&["create", "-v", &spec, BUSYBOX, "true"])?;
    world.docker(&["cp", &source, &format!("{id}:/x/again")])?.ok()?;
    ensure!(fs::read_to_string(folder.path().join("again"))? == "in");
    let taken = world.says(&["run", "--rm", "--volumes-from", &id, BUSYBOX, "cat", "/x/again"])?;
    ensure!(taken == "in", "{taken}");
    world.docker(&["rm", &id])?.ok()?;
    Ok(())
}

fn a_folder_outside_of_what_is_shared_is_refused(world: &World) -> Result<()> {
    let _use = world.shared();
    world.only_cove();
    let folder = folder()?;
    symlink("/etc", folder.path().join("link"))?;
    let through_link = folder.path().join("link").display().to_string();
    for path in ["/etc", "/", "/usr/../etc", "/dev/null", &through_link] {
        let refused = world.docker(&["run", "--rm", "-v", &format!("{path}:/x"), BUSYBOX, "true"])?.exits(125)?;
        refused.complains("is not shared from this computer")?;
    }
    Ok(())
}

fn a_share_is_listed_and_taken_back(world: &World) -> Result<()> {
    let _use = world.shared();
    world.only_cove();
    let folder = folder()?;
    let path = folder.path().display().to_string();
    world.says(&["create", "--name", "sharer", "-v", &bind(folder.path(), "/x"), BUSYBOX, "true"])?;
    let listed = world.cove(&["share", "ls"])?.ok()?.stdout;
    let line = listed.lines().find(|line| line.contains(&path)).context("it is not listed")?;
    ensure!(line.contains("read-write") && line.contains("sharer"), "{line}");
    world.docker(&["start", "-a", "sharer"])?.ok()?;
    world.cove(&["share", "rm", &path])?.ok()?;
    world.docker(&["start", "sharer"])?.exits(1)?.complains("no such share")?;
    world.docker(&["rm", "sharer"])?.ok()?;
    ensure!(world.cove(&["share", "roots"])?.ok()?.stdout.contains("/tmp"), "the default is another");
    Ok(())
}

fn what_changes_here_is_an_event_there(world: &World) -> Result<()> {
    let _use = world.shared();
    let image = image::with_program(world, "watch")?;
    let folder = folder()?;
    fs::write(folder.path().join("old"), "old")?;
    let run = ["run", "-d", "--name", "watcher", "-v", &bind(folder.path(), "/x:ro"), &image];
    world.says(&[&run[..], &["sh", "-c", "cat /x/old; exec /watch /x"]].concat())?;
    world.log_line("watcher", "watching")?;
    let here = |name: &str| folder.path().join(name);
    fs::write(here("new"), "")?;
    world.log_line("watcher", "made new")?;
    fs::write(here("old"), "longer than before")?;
    world.log_line("watcher", "changed old")?;
    ensure!(world.says(&["exec", "watcher", "cat", "/x/old"])? == "longer than before", "it is stale");
    fs::rename(here("new"), here("newer"))?;
    world.log_line("watcher", "from new")?;
    world.log_line("watcher", "to newer")?;
    fs::remove_file(here("newer"))?;
    world.log_line("watcher", "removed newer")?;
    ensure!(world.says(&["exec", "watcher", "ls", "/x"])? == "old", "it is stale");
    world.docker(&["rm", "-f", "watcher"])?.ok()?;
    Ok(())
}

fn cove_binds_too(world: &World) -> Result<()> {
    let _use = world.shared();
    world.only_cove();
    let folder = folder()?;
    let mut command = world.cove_command(&["run", "--rm", "-v", "./sub:/x", BUSYBOX, "touch", "/x/f"]);
    command.current_dir(folder.path());
    cove_tests::command::run(command, &[])?.ok()?;
    ensure!(folder.path().join("sub/f").exists());
    Ok(())
}

fn a_bind_outlives_the_daemon(world: &World) -> Result<()> {
    let _use = world.alone();
    let folder = folder()?;
    fs::write(folder.path().join("f"), "before")?;
    world.says(&["run", "-d", "--name", "outliving", "-v", &bind(folder.path(), "/x"), BUSYBOX, "sleep", "1000"])?;
    ensure!(world.says(&["exec", "outliving", "cat", "/x/f"])? == "before");
    let status = world.cove(&["status", "--format", "json"])?.ok()?.json()?;
    let pid = status["daemon_pid"].as_u64().and_then(|pid| u32::try_from(pid).ok()).context("no pid")?;
    let daemon = Stranger::hold(pid)?;
    kill(pid);
    daemon.ends()?;
    fs::write(folder.path().join("f"), "after")?;
    world.cove(&["start", "--docker-context=no"])?.ok()?;
    let said = world.says(&["exec", "outliving", "sh", "-c", "cat /x/f; echo new > /x/g; ls /x"])?;
    ensure!(said == "afterf\ng", "{said}");
    world.docker(&["rm", "-f", "outliving"])?.ok()?;
    Ok(())
}

fn a_bind_outlives_the_agent(world: &World) -> Result<()> {
    let _use = world.alone();
    let folder = folder()?;
    fs::write(folder.path().join("f"), "before")?;
    let spec = bind(folder.path(), "/x");
    // It reads all the time: some of that is under way when the agent ends.
    let busy = "echo reading; while :; do cat /x/f > /dev/null || echo failed; done";
    world.says(&["run", "-d", "--name", "surviving", "-v", &spec, BUSYBOX, "sh", "-c", busy])?;
    world.log_line("surviving", "reading")?;
    kill_the_agent(world)?;
    fs::write(folder.path().join("f"), "after")?;
    let said = world.says(&["exec", "surviving", "sh", "-c", "cat /x/f; echo new > /x/g; ls /x"])?;
    ensure!(said == "afterf\ng", "{said}");
    // The next container has the same mount, and it goes with the last.
    ensure!(in_it(world, folder.path(), "", "cat /x/g")? == "new");
    world.docker(&["rm", "-f", "surviving"])?.ok()?;
    let count = "grep -c /run/cove.shares/ /proc/1/mounts";
    let left = world.docker(&["run", "--rm", "--privileged", "--pid", "host", BUSYBOX, "sh", "-c", count])?;
    ensure!(left.stdout == "0", "{left}");
    Ok(())
}

fn a_bind_is_there_again_after_a_restart_of_the_machine(world: &World) -> Result<()> {
    let _use = world.alone();
    let folder = folder()?;
    let run = ["run", "-d", "--name", "again", "--restart", "always", "-v", &bind(folder.path(), "/x"), BUSYBOX];
    world.says(&[&run[..], &["sh", "-c", "echo run >> /x/f; echo there; sleep 1000"]].concat())?;
    world.log_line("again", "there")?;
    world.cove(&["restart"])?.ok()?;
    while fs::read_to_string(folder.path().join("f"))? != "run\nrun\n" {
        ensure!(world.says(&["inspect", "-f", "{{.State.Error}}", "again"])?.is_empty(), "it did not start");
    }
    world.docker(&["rm", "-f", "again"])?.ok()?;
    Ok(())
}
