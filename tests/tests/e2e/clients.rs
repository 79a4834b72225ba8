//! Other clients of `cove.v1`: whatever speaks gRPC.

use std::{env, path::Path};

use anyhow::{Context as _, Result, ensure};
use cove_tests::{command, image::BUSYBOX, world::World};

crate::tests![
    buf_lists_the_services_by_reflection,
    buf_calls_a_method_with_json,
    health_is_served,
    a_script_in_python_runs_a_container,
];

fn buf_lists_the_services_by_reflection(world: &World) -> Result<()> {
    let _use = world.shared();
    let listed = command::run(buf(world, &["--list-services", "http://localhost"])?, &[])?.ok()?.stdout;
    for service in ["Machine", "Guest", "Containers", "Execs", "Images"] {
        ensure!(listed.lines().any(|line| line.trim() == format!("cove.v1.{service}")), "no {service} in\n{listed}");
    }
    ensure!(listed.contains("grpc.health.v1.Health"), "{listed}");
    Ok(())
}

fn buf_calls_a_method_with_json(world: &World) -> Result<()> {
    let _use = world.shared();
    let call = buf(world, &["--data", "{}", "http://localhost/cove.v1.Guest/GetGuest"])?;
    let guest = command::run(call, &[])?.ok()?.json()?;
    ensure!(guest["kernelRelease"].as_str().is_some_and(|release| release.starts_with("6.")), "{guest}");
    // An error arrives as what it is.
    let data = "{\"container\": \"nosuch\"}";
    let call = buf(world, &["--data", data, "http://localhost/cove.v1.Containers/GetContainer"])?;
    let refused = command::run(call, &[])?;
    ensure!(refused.code() != 0 && refused.stderr.contains("not_found"), "{refused}");
    Ok(())
}

fn health_is_served(world: &World) -> Result<()> {
    let _use = world.shared();
    let call = buf(world, &["--data", "{}", "http://localhost/grpc.health.v1.Health/Check"])?;
    let health = command::run(call, &[])?.ok()?.json()?;
    ensure!(health["status"] == "SERVING", "{health}");
    Ok(())
}

fn a_script_in_python_runs_a_container(world: &World) -> Result<()> {
    let _use = world.shared();
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut script = world.command(program("COVE_TEST_PYTHON", "python/bin/python")?);
    script.arg(root.join("scripts/run_container.py")).arg(world.socket("engine"));
    script.args([BUSYBOX, "sh", "-c", "echo one; echo two >&2; exit 3"]);
    script.env("PYTHONPATH", root.join("../proto")).env("PYTHONDONTWRITEBYTECODE", "1");
    let done = command::run(script, &[])?.exits(3)?;
    ensure!(done.stdout == "one" && done.stderr.lines().any(|line| line == "two"), "{done}");
    Ok(())
}

fn buf(world: &World, arguments: &[&str]) -> Result<std::process::Command> {
    let mut command = world.command(program("COVE_TEST_BUF", "tools/bin/buf")?);
    command.arg("curl").arg("--unix-socket").arg(world.socket("engine"));
    command.args(["--protocol", "grpc", "--http2-prior-knowledge"]).args(arguments);
    Ok(command)
}

/// A program that setup.sh installed, where the environment says or in its usual place.
fn program(variable: &str, place: &str) -> Result<std::path::PathBuf> {
    if let Some(program) = env::var_os(variable) {
        return Ok(program.into());
    }
    let cache = env::var_os("XDG_CACHE_HOME").map(Into::into);
    let cache = cache.or_else(|| Some(Path::new(&env::var_os("HOME")?).join(".cache"))).context("no home folder")?;
    Ok(cache.join("cove").join(place))
}
