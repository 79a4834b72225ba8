//! `docker ps`, `inspect`, `rm`, `rename`: lists, facts and names.

use anyhow::{Context as _, Result, ensure};
use cove_tests::{image::BUSYBOX, world::World};
use serde_json::Value;

crate::tests![
    ps_lists_what_runs_and_all_on_demand,
    ps_filters_by_name_status_exit_code_label_and_image,
    inspect_has_the_fields_that_clients_use,
    a_running_container_is_removed_only_by_force,
    names_are_unique_and_can_be_changed,
    ids_may_be_shortened,
];

fn ps_lists_what_runs_and_all_on_demand(world: &World) -> Result<()> {
    let _use = world.shared();
    world.says(&["run", "-d", "--name", "ps-runs", BUSYBOX, "sleep", "1000"])?;
    world.docker(&["run", "--name", "ps-ended", BUSYBOX, "sh", "-c", "exit 3"])?.exits(3)?;
    let format = "{{.Names}}|{{.Image}}|{{.Command}}|{{.Status}}";
    let running = world.says(&["ps", "--filter", "name=ps-", "--format", format])?;
    ensure!(
        running.starts_with(&format!("ps-runs|{}|\"sleep 1000\"|Up ", BUSYBOX.trim_end_matches(":latest")))
            || running.starts_with(&format!("ps-runs|{BUSYBOX}|\"sleep 1000\"|Up ")),
        "{running}"
    );
    ensure!(!running.contains("ps-ended"), "{running}");
    let all = world.says(&["ps", "-a", "--filter", "name=ps-", "--format", format])?;
    ensure!(all.contains("ps-ended") && all.contains("|Exited (3) "), "{all}");
    ensure!(all.lines().next().is_some_and(|line| line.starts_with("ps-ended")), "the newest comes first:\n{all}");
    world.docker(&["rm", "-f", "ps-runs", "ps-ended"])?.ok()?;
    Ok(())
}

fn ps_filters_by_name_status_exit_code_label_and_image(world: &World) -> Result<()> {
    let _use = world.shared();
    world.docker(&["run", "--name", "f-one", "--label", "team=a", BUSYBOX, "sh", "-c", "exit 7"])?.exits(7)?;
    world.docker(&["create", "--name", "f-two", "--label", "team=b", BUSYBOX, "true"])?.ok()?;
    let list = |filters: &[&str]| -> Result<String> {
        let mut arguments = vec!["ps", "-a", "--format", "{{.Names}}", "--filter", "name=^f-"];
        for filter in filters {
            arguments.extend(["--filter", filter]);
        }
        world.says(&arguments)
    };
    for (filters, expected) in [
        (&["status=exited"][..], "f-one"),
        (&["status=created"], "f-two"),
        (&["exited=7"], "f-one"),
        (&["label=team"], "f-two\nf-one"),
        (&["label=team=b"], "f-two"),
        (&["ancestor=cove-test/busybox"], "f-two\nf-one"),
        (&["status=exited", "label=team=b"], ""),
    ] {
        let found = list(filters)?;
        ensure!(found == expected, "{filters:?}: {found:?}, not {expected:?}");
    }
    world.docker(&["ps", "--filter", "nosuch=1"])?.exits(1)?.complains("invalid filter")?;
    world.docker(&["rm", "f-one", "f-two"])?.ok()?;
    Ok(())
}

fn inspect_has_the_fields_that_clients_use(world: &World) -> Result<()> {
    let _use = world.shared();
    let arguments =
        ["run", "-d", "--name", "seen", "-m", "64m", "-e", "A=b", "--label", "l=v", BUSYBOX, "sleep", "1000"];
    let id = world.says(&arguments)?;
    let inspected = world.docker(&["inspect", "seen"])?.ok()?.json()?;
    let facts = inspected.get(0).context("an empty list")?;
    let expected = serde_json::json!({
        "/Id": id, "/Name": "/seen", "/Path": "sleep", "/Args": ["1000"], "/RestartCount": 0,
        "/State/Status": "running", "/State/Running": true, "/State/Paused": false, "/State/OOMKilled": false,
        "/State/ExitCode": 0, "/State/FinishedAt": "0001-01-01T00:00:00Z",
        "/Config/Cmd": ["sleep", "1000"], "/Config/Image": BUSYBOX, "/Config/Labels/l": "v", "/Config/Tty": false,
        "/HostConfig/Memory": 67_108_864, "/HostConfig/AutoRemove": false, "/HostConfig/RestartPolicy/Name": "no",
    });
    for (path, value) in expected.as_object().context("an object")? {
        ensure!(facts.pointer(path) == Some(value), "{path}: {:?}, not {value}", facts.pointer(path));
    }
    let text = |path: &str| facts.pointer(path).and_then(Value::as_str).unwrap_or_default();
    ensure!(facts.pointer("/State/Pid").and_then(Value::as_u64).is_some_and(|pid| pid > 1), "no pid");
    ensure!(text("/Image").starts_with("sha256:"), "image {}", text("/Image"));
    ensure!(text("/State/StartedAt") > text("/Created"), "started before it was made");
    ensure!(
        facts.pointer("/Config/Env").and_then(Value::as_array).is_some_and(|env| env.contains(&"A=b".into())),
        "env"
    );
    ensure!(facts.pointer("/NetworkSettings").is_some() && facts.pointer("/Mounts").is_some(), "parts are missing");
    world.docker(&["rm", "-f", "seen"])?.ok()?;
    Ok(())
}

fn a_running_container_is_removed_only_by_force(world: &World) -> Result<()> {
    let _use = world.shared();
    world.says(&["run", "-d", "--name", "held", BUSYBOX, "sleep", "1000"])?;
    let refused = world.docker(&["rm", "held"])?.exits(1)?;
    refused.complains("container is running: stop the container before removing or force remove")?;
    world.docker(&["rm", "-f", "held"])?.ok()?;
    world.docker(&["inspect", "held"])?.exits(1)?.complains("No such")?;
    Ok(())
}

fn names_are_unique_and_can_be_changed(world: &World) -> Result<()> {
    let _use = world.shared();
    let id = world.says(&["create", "--name", "taken", BUSYBOX, "true"])?;
    let refused = world.docker(&["run", "--name", "taken", BUSYBOX, "true"])?.exits(125)?;
    refused.complains(&format!("The container name \"/taken\" is already in use by container \"{id}\""))?;
    world.docker(&["rename", "taken", "renamed"])?.ok()?;
    world.docker(&["create", "--name", "taken", BUSYBOX, "true"])?.ok()?;
    world.docker(&["rm", "taken", "renamed"])?.ok()?;
    Ok(())
}

fn ids_may_be_shortened(world: &World) -> Result<()> {
    let _use = world.shared();
    let id = world.says(&["create", BUSYBOX, "true"])?;
    ensure!(world.says(&["inspect", "-f", "{{.Id}}", &id[..12]])? == id, "another container was found");
    world.docker(&["rm", &id[..12]])?.ok()?;
    Ok(())
}
