//! `cove settings` and `cove restart`: the machine becomes what it is asked to be, and containers are restarted by name.

use anyhow::{Context as _, Result, ensure};
use cove_tests::{image::BUSYBOX, world::World};
use serde_json::Value;

crate::tests![
    settings_take_effect_with_a_restart,
    a_setting_that_cannot_be_is_refused_and_nothing_changes,
    containers_are_restarted_by_name,
];

fn settings_take_effect_with_a_restart(world: &World) -> Result<()> {
    let _use = world.alone();
    let before = number(&settings(world, &[])?, "/memory_bytes")?;
    // Larger than before by what no other setting would explain.
    let wanted = before + (96 << 20);
    let asked = format!("{}m", wanted >> 20);
    let changed = settings(world, &["--memory", &asked])?;
    ensure!(changed["restart_needed"] == true, "no restart is asked for: {changed}");
    world.cove(&["restart", "--time", "2"])?.ok()?.complains("machine stopped")?;
    let status = world.cove(&["status", "--format", "json"])?.ok()?.json()?;
    ensure!(status["state"] == "running", "{status}");
    // The guest's kernel keeps a part to itself, less than what was added.
    let total = world.says(&["info", "--format", "{{.MemTotal}}"])?.parse::<u64>()?;
    ensure!(total > before.saturating_sub(before / 8) && total <= wanted, "{total} of {wanted}");
    let used = number(&status, "/memory_used_bytes")?;
    ensure!(used > 0 && used < wanted, "{status}");
    let now = settings(world, &[])?;
    ensure!(number(&now, "/memory_bytes")? == wanted && now["restart_needed"] == false, "{now}");
    let back = settings(world, &["--reset"])?;
    ensure!(number(&back, "/memory_bytes")? == before, "the default was {before}: {back}");
    world.cove(&["restart", "--time", "2"])?.ok()?;
    Ok(())
}

fn a_setting_that_cannot_be_is_refused_and_nothing_changes(world: &World) -> Result<()> {
    let _use = world.shared();
    let before = settings(world, &[])?;
    world.cove(&["settings", "--cpus", "1000"])?.exits(1)?.complains("cpus is 1000, but must be between 1 and")?;
    world.cove(&["settings", "--disk", "1g"])?.exits(1)?.complains("never shrinks")?;
    world.cove(&["settings", "--memory", "much"])?.exits(2)?.complains("a size is a number")?;
    ensure!(settings(world, &[])? == before, "something has changed");
    Ok(())
}

fn containers_are_restarted_by_name(world: &World) -> Result<()> {
    let _use = world.shared();
    world.says(&["run", "-d", "--name", "again", BUSYBOX, "sh", "-c", "echo begun; exec sleep 1000"])?;
    world.log_line("again", "begun")?;
    let first = world.says(&["inspect", "-f", "{{.State.Pid}}", "again"])?;
    let done = world.cove(&["restart", "--time", "0", "again", "nobody"])?.exits(1)?;
    ensure!(done.stdout == "again" && done.stderr.contains("nobody"), "{done}");
    let second = world.says(&["inspect", "-f", "{{.State.Pid}} {{.State.Status}}", "again"])?;
    ensure!(second.ends_with("running") && !second.starts_with(&format!("{first} ")), "{first} became {second}");
    world.docker(&["rm", "-f", "again"])?.ok()?;
    Ok(())
}

fn settings(world: &World, arguments: &[&str]) -> Result<Value> {
    let arguments = [&["settings", "--format", "json"], arguments].concat();
    world.cove(&arguments)?.ok()?.json()
}

fn number(value: &Value, path: &str) -> Result<u64> {
    value.pointer(path).and_then(Value::as_u64).with_context(|| format!("{path} in {value}"))
}
