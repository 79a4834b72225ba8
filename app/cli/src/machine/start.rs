//! `cove start`: the daemon if need be, then the machine, phase by phase before the user's eyes.

use cove_proto::v1::{GetMachineRequest, GetMachineResponse, StartMachineRequest};
use serde::Serialize;

use super::phases::Phases;
use crate::{
    docker,
    engine::{self, Engine, Started},
    failure::{Failure, Outcome},
    output::{self, Format, Paint},
};

/// Arguments of `cove start`.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// Whether to make a docker context for Cove and use it.
    #[arg(long, value_enum, default_value = "ask", value_name = "WHETHER")]
    docker_context: docker::Choice,
}

#[derive(Serialize)]
struct Outcomes {
    already_running: bool,
    kernel: String,
    hypervisor: String,
    accelerator: String,
    docker_host: String,
    warnings: Vec<String>,
}

/// Starts it.
pub(crate) async fn run(arguments: Arguments, format: Format) -> Outcome {
    let home = engine::home()?;
    let show = format == Format::Text;
    let mut phases = Phases::new(show);
    let (engine, daemon) = Engine::reach_in(&home).await?;
    if daemon == Started::Now {
        phases.tick("daemon up");
    }
    let mut client = engine.machine();
    let started = phases.follow(&engine, client.start_machine(StartMachineRequest {})).await?;
    let already_running = started.already_running;
    tell(&engine, already_running, show).await?;
    docker::offer(arguments.docker_context, &home.docker_endpoint().docker_host(), show).await?;
    Ok(0)
}

/// Says what runs now.
pub(super) async fn tell(engine: &Engine, already_running: bool, show: bool) -> Result<(), Failure> {
    let machine = engine.machine().get_machine(GetMachineRequest {}).await?.into_inner();
    let warnings = machine.status.as_ref().map(|status| status.warnings.clone()).unwrap_or_default();
    if show {
        output::text(&summary(&machine, already_running, Paint::of_stdout()))?;
        for warning in &warnings {
            output::aside(&format!("{} {warning}", Paint::of_stderr().warning("warning:")));
        }
    } else {
        let hardware = machine.hardware.unwrap_or_default();
        output::json(&Outcomes {
            already_running,
            kernel: machine.image.unwrap_or_default().kernel_release,
            hypervisor: hardware.hypervisor,
            accelerator: hardware.accelerator,
            docker_host: engine::home()?.docker_endpoint().docker_host(),
            warnings,
        })?;
    }
    Ok(())
}

fn summary(machine: &GetMachineResponse, already_running: bool, paint: Paint) -> String {
    let hardware = machine.hardware.clone().unwrap_or_default();
    let image = machine.image.clone().unwrap_or_default();
    let how = if already_running { "Machine was running already" } else { "Machine running" };
    format!(
        "{}: Linux {} ({}), {}, {} of memory, on {} with {}\n",
        paint.good(how),
        image.kernel_release,
        image.arch,
        output::cpus(hardware.cpus),
        output::bytes(hardware.memory_bytes),
        hardware.hypervisor,
        hardware.accelerator,
    )
}
