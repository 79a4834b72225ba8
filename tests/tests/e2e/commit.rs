//! `docker commit`, `diff`, `export`.

use anyhow::{Result, ensure};
use cove_tests::{command, image::BUSYBOX, world::World};

crate::tests![
    a_container_becomes_an_image,
    a_commit_says_who_and_why_and_changes_what_runs,
    what_is_gone_is_gone_in_the_image_too,
    changes_are_listed_as_dockerd_lists_them,
    an_export_has_the_containers_own_files,
    an_export_can_be_imported_and_run,
    what_cannot_be_is_said_in_dockerds_words,
    commits_are_told,
    cove_has_words_of_its_own_for_it,
];

/// A container in which a command was run.
fn changed(world: &World, name: &str, command: &str) -> Result<()> {
    let script = format!("{command}; echo done; exec sleep 1000");
    world.says(&["run", "-d", "--name", name, "-v", &format!("{name}:/vol"), BUSYBOX, "sh", "-c", &script])?;
    world.log_line(name, "done")?;
    Ok(())
}

fn gone(world: &World, name: &str) -> Result<()> {
    world.docker(&["rm", "-f", name])?.ok()?;
    world.docker(&["volume", "rm", name])?.ok()?;
    Ok(())
}

fn a_container_becomes_an_image(world: &World) -> Result<()> {
    let _use = world.shared();
    changed(world, "commit-runs", "echo mark > /mark; chown 5:6 /mark; chmod 2750 /mark; echo v > /vol/v")?;
    for pause in ["true", "false"] {
        let id = world.says(&["commit", &format!("--pause={pause}"), "commit-runs", "cove-test/commit:1"])?;
        ensure!(id.starts_with("sha256:"), "{id}");
        let status = world.says(&["inspect", "-f", "{{.State.Status}}", "commit-runs"])?;
        ensure!(status == "running", "{status}");
        let said = world.says(&[
            "run",
            "--rm",
            "cove-test/commit:1",
            "sh",
            "-c",
            "cat /mark; stat -c %a:%u:%g /mark; ls /vol; cat /etc/hosts | wc -c",
        ])?;
        ensure!(said.starts_with("mark\n2750:5:6"), "{said}");
        ensure!(!said.contains("\nv\n"), "a volume is no part of an image: {said}");
    }
    world.docker(&["stop", "-t", "0", "commit-runs"])?.ok()?;
    world.says(&["commit", "commit-runs", "cove-test/commit:2"])?;
    ensure!(world.says(&["run", "--rm", "cove-test/commit:2", "cat", "/mark"])? == "mark", "of a stopped one");
    // The image outlives what it was made from, and goes through a file.
    gone(world, "commit-runs")?;
    let saved = world.docker(&["save", "cove-test/commit:2"])?.ok()?.bytes;
    world.docker(&["rmi", "cove-test/commit:1", "cove-test/commit:2"])?.ok()?;
    world.docker_with(&["load"], &saved)?.ok()?;
    ensure!(world.says(&["run", "--rm", "cove-test/commit:2", "cat", "/mark"])? == "mark", "loaded again");
    world.docker(&["rmi", "cove-test/commit:2"])?.ok()?;
    Ok(())
}

fn a_commit_says_who_and_why_and_changes_what_runs(world: &World) -> Result<()> {
    let _use = world.shared();
    let container = world.says(&["create", "-e", "OWN=1", "-l", "own=1", BUSYBOX, "sh", "-c", "x"])?;
    let arguments = ["commit", "-a", "Some One <a@b.c>", "-m", "why", "-c", "CMD [\"echo\", \"ran\"]", "-c", "ENV B=2"];
    world.says(&[&arguments[..], &[&container, "cove-test/said:1"]].concat())?;
    let said = world.says(&[
        "inspect",
        "-f",
        "{{.Author}}|{{.Comment}}|{{json .Config.Cmd}}|{{json .Config.Env}}|{{index .Config.Labels \"own\"}}",
        "cove-test/said:1",
    ])?;
    ensure!(said.starts_with("Some One <a@b.c>|why|[\"echo\",\"ran\"]|["), "{said}");
    ensure!(said.contains("\"OWN=1\"") && said.contains("\"B=2\"]") && said.ends_with("|1"), "{said}");
    let history = world.says(&["history", "--format", "{{.CreatedBy}}|{{.Comment}}", "cove-test/said:1"])?;
    ensure!(history.lines().next() == Some("sh -c x|why"), "{history}");
    ensure!(world.says(&["run", "--rm", "cove-test/said:1"])? == "ran", "what it runs");
    world.docker(&["rm", &container])?.ok()?;
    world.docker(&["rmi", "cove-test/said:1"])?.ok()?;
    Ok(())
}

fn what_is_gone_is_gone_in_the_image_too(world: &World) -> Result<()> {
    let _use = world.shared();
    changed(world, "commit-gone", "rm /etc/group; rm -r /home; mkdir /home; echo n > /home/n; rm -r /var")?;
    world.says(&["commit", "commit-gone", "cove-test/gone:1"])?;
    let look = "ls /etc/group /var 2>&1; ls /home";
    let said = world.says(&["run", "--rm", "cove-test/gone:1", "sh", "-c", look])?;
    ensure!(said == "ls: /etc/group: No such file or directory\nls: /var: No such file or directory\nn", "{said}");
    gone(world, "commit-gone")?;
    world.docker(&["rmi", "cove-test/gone:1"])?.ok()?;
    Ok(())
}

fn changes_are_listed_as_dockerd_lists_them(world: &World) -> Result<()> {
    let _use = world.shared();
    let command =
        "echo x > /etc/new; rm /etc/group; mkdir /q; touch /q/z; chmod 700 /home; mkdir -p /tmp/a; rmdir /tmp/a";
    changed(world, "diff-all", command)?;
    let mut lines: Vec<String> = world.says(&["diff", "diff-all"])?.lines().map(str::to_owned).collect();
    lines.sort();
    ensure!(lines == ["A /etc/new", "A /q", "A /q/z", "A /vol", "C /etc", "C /home", "D /etc/group"], "{lines:?}");
    world.docker(&["stop", "-t", "0", "diff-all"])?.ok()?;
    ensure!(world.says(&["diff", "diff-all"])?.lines().count() == 7, "the same when it has ended");
    gone(world, "diff-all")?;
    let name = world.says(&["create", BUSYBOX, "true"])?;
    ensure!(world.says(&["diff", &name])?.is_empty(), "nothing changed");
    world.docker(&["start", "-a", &name])?.ok()?;
    ensure!(world.says(&["diff", &name])?.is_empty(), "nothing changed by running");
    world.docker(&["rm", &name])?.ok()?;
    Ok(())
}

fn an_export_has_the_containers_own_files(world: &World) -> Result<()> {
    let _use = world.shared();
    changed(world, "export-all", "echo mark > /mark; rm /etc/group; echo v > /vol/v")?;
    for state in ["running", "stopped"] {
        let tar = world.docker(&["export", "export-all"])?.ok()?.bytes;
        let mut names = Vec::new();
        for entry in tar::Archive::new(tar.as_slice()).entries()? {
            names.push(entry?.path()?.display().to_string());
        }
        let has = |name: &str| names.iter().any(|known| known == name);
        ensure!(has("mark") && has("bin/busybox") && has("vol/") && has("proc/"), "{state}: {names:?}");
        ensure!(!has("etc/group") && !has("vol/v") && !names.iter().any(|name| name.starts_with("proc/1")), "{state}");
        if state == "running" {
            world.docker(&["stop", "-t", "0", "export-all"])?.ok()?;
        }
    }
    gone(world, "export-all")
}

fn an_export_can_be_imported_and_run(world: &World) -> Result<()> {
    let _use = world.shared();
    changed(world, "export-run", "echo mark > /mark")?;
    let tar = world.docker(&["export", "export-run"])?.ok()?.bytes;
    world.docker_with(&["import", "-", "cove-test/exported:1"], &tar)?.ok()?;
    let said = world.says(&["run", "--rm", "cove-test/exported:1", "/bin/cat", "/mark"])?;
    ensure!(said == "mark", "{said}");
    world.docker(&["rmi", "cove-test/exported:1"])?.ok()?;
    gone(world, "export-run")
}

fn what_cannot_be_is_said_in_dockerds_words(world: &World) -> Result<()> {
    let _use = world.shared();
    for command in ["commit", "export", "diff"] {
        world.docker(&[command, "cove-none"])?.exits(1)?.complains("No such container: cove-none")?;
    }
    let container = world.says(&["create", BUSYBOX, "true"])?;
    let refused = world.docker(&["commit", "-c", "RUN x", &container])?.exits(1)?;
    ensure!(refused.to_string().to_lowercase().contains("run is not a valid change command"), "{refused}");
    world.docker(&["commit", &container, "Bad"])?.exits(1)?.complains("must be lowercase")?;
    world.docker(&["rm", &container])?.ok()?;
    Ok(())
}

fn commits_are_told(world: &World) -> Result<()> {
    let _use = world.shared();
    let container = world.says(&["create", "--name", "commit-told", BUSYBOX, "true"])?;
    let id = world.says(&["commit", "-m", "why", &container, "cove-test/told:1"])?;
    world.docker(&["cp", "commit-told:/etc/passwd", "-"])?.ok()?;
    world.docker(&["export", "commit-told"])?.ok()?;
    let told = world.says(&[
        "events",
        "--since",
        "10m",
        "--until",
        "-2s",
        "--filter",
        &format!("container={container}"),
        "--format",
        "{{.Action}} {{index .Actor.Attributes \"imageID\"}}",
    ])?;
    let lines: Vec<&str> = told.lines().map(str::trim).collect();
    ensure!(lines == ["create", &format!("commit {id}"), "archive-path", "export"], "{told}");
    world.docker(&["rm", &container])?.ok()?;
    world.docker(&["rmi", "cove-test/told:1"])?.ok()?;
    Ok(())
}

fn cove_has_words_of_its_own_for_it(world: &World) -> Result<()> {
    let _use = world.shared();
    changed(world, "commit-cove", "echo mark > /mark; rm /bin/vi")?;
    let changes = world.cove(&["diff", "commit-cove"])?.ok()?;
    ensure!(changes.stdout.contains("A /mark") && changes.stdout.contains("D /bin/vi"), "{changes}");
    let listed = world.cove(&["--format", "json", "diff", "commit-cove"])?.ok()?.json()?;
    ensure!(listed.as_array().is_some_and(|all| all.iter().any(|one| one["path"] == "/mark")), "{listed}");
    let commit = ["commit", "-m", "why", "-c", "CMD [\"cat\", \"/mark\"]", "commit-cove", "cove-test/cove-commit:1"];
    let id = world.cove(&commit)?.ok()?.stdout;
    ensure!(world.says(&["inspect", "-f", "{{.Id}} {{.Comment}}", "cove-test/cove-commit:1"])? == format!("{id} why"));
    ensure!(world.says(&["run", "--rm", "cove-test/cove-commit:1"])? == "mark", "its file is not what it was");
    let folder = world.scratch()?;
    let file = folder.path().join("files.tar").display().to_string();
    world.cove(&["export", "-o", &file, "commit-cove"])?.ok()?;
    let piped = world.cove(&["export", "commit-cove"])?.ok()?.bytes;
    ensure!(std::fs::read(&file)?.len() == piped.len(), "the file is not what is piped");
    let import = ["import", "-c", "CMD [\"cat\", \"/mark\"]", "-c", "ENV PATH=/bin"];
    world.cove(&[&import[..], &[&file, "cove-test/cove-import:1"]].concat())?.ok()?;
    ensure!(world.says(&["run", "--rm", "cove-test/cove-import:1"])? == "mark", "its file is not what it was");
    let piped = command::run(world.cove_command(&[&import[..], &["-"]].concat()), &piped)?.ok()?;
    world.docker(&["rmi", &piped.stdout])?.ok()?;
    world.cove(&["diff", "commit-none"])?.exits(1)?.complains("No such container: commit-none")?;
    world.cove(&["import", "/none.tar"])?.exits(1)?.complains("open /none.tar")?;
    world.docker(&["rmi", "cove-test/cove-commit:1", "cove-test/cove-import:1"])?.ok()?;
    gone(world, "commit-cove")
}
