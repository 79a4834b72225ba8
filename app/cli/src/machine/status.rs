//! `cove status`: how the machine is. It starts nothing, not even the daemon.

use cove_platform::home::Home;
use cove_proto::v1::{GetGuestResponse, GetMachineRequest, GetMachineResponse, MachineState};
use serde::Serialize;

use super::state_word;
use crate::{
    engine::{self, Engine},
    failure::{Failure, Outcome},
    output::{self, Format, Paint},
};

/// Arguments of `cove status`.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// Print only where the Docker API is, as DOCKER_HOST wants it.
    #[arg(long)]
    docker_host: bool,
}

#[derive(Serialize)]
struct Status {
    state: &'static str,
    daemon_pid: Option<u32>,
    home: String,
    docker_host: String,
    failure: Option<String>,
    warnings: Vec<String>,
    hypervisor: Option<String>,
    accelerator: Option<String>,
    kernel: Option<String>,
    cpus: Option<u32>,
    memory_bytes: Option<u64>,
    memory_used_bytes: Option<u64>,
    disk_bytes: Option<u64>,
    disk_used_bytes: Option<u64>,
    containers_running: Option<u32>,
    containers_stopped: Option<u32>,
    images: Option<u32>,
}

/// Prints it.
pub(crate) async fn run(arguments: &Arguments, format: Format) -> Outcome {
    let home = engine::home()?;
    if arguments.docker_host {
        output::text(&format!("{}\n", home.docker_endpoint().docker_host()))?;
        return Ok(0);
    }
    let status = look(&home).await?;
    match format {
        Format::Json => output::json(&status)?,
        Format::Text => output::text(&text(&status, Paint::of_stdout()))?,
    }
    Ok(0)
}

async fn look(home: &Home) -> Result<Status, Failure> {
    let Some(engine) = Engine::find(home).await? else { return Ok(from(home, None, None)) };
    let machine = engine.machine().get_machine(GetMachineRequest {}).await?.into_inner();
    let runs = machine.status.as_ref().is_some_and(|status| status.state() == MachineState::Running);
    // A machine that has ended since is not started by the question.
    let guest = if runs { engine.guest_if_there().await? } else { None };
    Ok(from(home, Some(machine), guest))
}

fn from(home: &Home, machine: Option<GetMachineResponse>, guest: Option<GetGuestResponse>) -> Status {
    let machine = machine.unwrap_or_default();
    let status = machine.status.unwrap_or_default();
    let hardware = machine.hardware.filter(|hardware| hardware.memory_bytes > 0);
    let said = |text: &str| (!text.is_empty()).then(|| text.to_owned());
    let containers = guest.as_ref().and_then(|guest| guest.containers);
    let state = match status.state() {
        // Without a daemon there is no machine, or one that nobody watches until the next daemon adopts it.
        MachineState::Unspecified => MachineState::Stopped,
        state => state,
    };
    Status {
        state: state_word(state),
        daemon_pid: machine.host.map(|host| host.daemon_pid),
        home: home.path().display().to_string(),
        docker_host: home.docker_endpoint().docker_host(),
        failure: said(&status.failure),
        warnings: status.warnings,
        hypervisor: hardware.as_ref().and_then(|hardware| said(&hardware.hypervisor)),
        accelerator: hardware.as_ref().and_then(|hardware| said(&hardware.accelerator)),
        kernel: guest.as_ref().map(|guest| guest.kernel_release.clone()),
        cpus: hardware.as_ref().map(|hardware| hardware.cpus),
        memory_bytes: hardware.as_ref().map(|hardware| hardware.memory_bytes),
        memory_used_bytes: guest.as_ref().map(|guest| guest.memory_bytes.saturating_sub(guest.memory_available_bytes)),
        disk_bytes: hardware.as_ref().map(|hardware| hardware.disk_bytes),
        disk_used_bytes: hardware.as_ref().map(|hardware| hardware.disk_used_bytes),
        containers_running: containers.map(|containers| containers.running + containers.paused),
        containers_stopped: containers.map(|containers| containers.stopped),
        images: guest.map(|guest| guest.images),
    }
}

fn text(status: &Status, paint: Paint) -> String {
    let headline = match (status.state, status.daemon_pid) {
        ("running", _) => format!("{}.", paint.good("Machine running")),
        ("failed", _) => format!("{}.", paint.bad("Machine failed")),
        ("stopped", None) => {
            "Machine stopped; the daemon is not running. Containers keep their data. Start: cove start".into()
        }
        ("stopped", Some(_)) => {
            "Machine stopped. Containers keep their data. Start: cove start, or any docker command".into()
        }
        (state, _) => format!("Machine {state}."),
    };
    let mut lines = vec![headline];
    lines.extend(status.failure.iter().flat_map(|failure| failure.lines()).map(|line| format!("  {line}")));
    lines.extend(status.warnings.iter().map(|warning| format!("  {} {warning}", paint.warning("warning:"))));
    let mut fact = |name: &str, value: Option<String>| {
        if let Some(value) = value {
            lines.push(format!("  {}{value}", paint.faint(&format!("{name:<12}"))));
        }
    };
    fact("kernel", status.kernel.as_ref().map(|kernel| format!("Linux {kernel}")));
    fact(
        "runs on",
        status.hypervisor.as_ref().map(|hypervisor| match &status.accelerator {
            Some(accelerator) => format!("{hypervisor}, {accelerator}"),
            None => hypervisor.clone(),
        }),
    );
    fact(
        "has",
        status
            .cpus
            .zip(status.memory_bytes)
            .map(|(cpus, memory)| format!("{}, {} of memory", output::cpus(cpus), output::bytes(memory))),
    );
    fact("uses", status.memory_used_bytes.map(|used| format!("{} of memory", output::bytes(used))));
    fact(
        "data disk",
        status
            .disk_used_bytes
            .zip(status.disk_bytes)
            .map(|(used, size)| format!("{} of {} taken on this computer", output::bytes(used), output::bytes(size))),
    );
    fact(
        "containers",
        status.containers_running.zip(status.containers_stopped).map(|(running, stopped)| {
            format!("{running} running, {stopped} stopped; {} images", status.images.unwrap_or_default())
        }),
    );
    fact("docker", Some(status.docker_host.clone()));
    fact("home", Some(status.home.clone()));
    lines.join("\n") + "\n"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_a_daemon_it_says_what_to_do() {
        let home = Home::find(Some("/h".into())).unwrap();
        let text = text(&from(&home, None, None), Paint::plain());
        assert!(text.starts_with("Machine stopped; the daemon is not running."), "{text}");
        assert!(text.contains("cove start"), "{text}");
    }
}
