//! `cove stop`: the machine; or, with names, containers, as `docker stop` does.

use cove_platform::home::Home;
use cove_proto::v1::{GetMachineRequest, StopContainerRequest, StopMachineRequest};

use crate::{
    each::each,
    engine::{self, Engine},
    failure::{Failure, Outcome},
    output::{self, Format},
};

/// Arguments of `cove stop`.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// Containers to stop; the machine goes on. Without any, the machine is stopped with all that runs in it.
    containers: Vec<String>,
    /// Seconds until SIGKILL; for the machine, until it is stopped by force.
    #[arg(short, long, value_name = "SECONDS", allow_hyphen_values = true)]
    time: Option<i32>,
    /// Signal to ask containers with.
    #[arg(short, long, requires = "containers")]
    signal: Option<String>,
    /// Kill the machine. Containers lose what they had not written to disk.
    #[arg(long, conflicts_with = "containers")]
    force: bool,
    /// End the daemon too; docker commands then start nothing.
    #[arg(long, conflicts_with = "containers")]
    daemon: bool,
    /// Say nothing when all went well.
    #[arg(short, long)]
    quiet: bool,
}

/// Stops the machine or the containers.
pub(crate) async fn run(arguments: Arguments, format: Format) -> Outcome {
    let home = engine::home()?;
    let Some(engine) = Engine::find(&home).await? else {
        if arguments.containers.is_empty() {
            say(&arguments, format, "The daemon is not running; there is nothing to stop.")?;
            return Ok(0);
        }
        return Err(Failure::new("the daemon is not running").advice("start it: cove start"));
    };
    if !arguments.containers.is_empty() {
        return stop_containers(&engine, arguments).await;
    }
    let grace = arguments.time.and_then(|seconds| u32::try_from(seconds).ok());
    let grace = grace.map(|seconds| prost_types::Duration { seconds: seconds.into(), nanos: 0 });
    let request = StopMachineRequest { grace, force: arguments.force };
    let stopped = engine.machine().stop_machine(request).await?.into_inner();
    if arguments.daemon {
        end_daemon(&engine, &home).await?;
        say(&arguments, format, "Machine and daemon stopped. Containers keep their data.")?;
    } else if stopped.already_stopped {
        say(&arguments, format, "The machine was stopped already.")?;
    } else {
        say(&arguments, format, "Machine stopped. Containers keep their data.")?;
    }
    Ok(0)
}

async fn end_daemon(engine: &Engine, home: &Home) -> Result<(), Failure> {
    let machine = engine.machine().get_machine(GetMachineRequest {}).await?.into_inner();
    let pid = machine.host.map(|host| host.daemon_pid).unwrap_or_default();
    crate::terminal::end_process(pid)
        .map_err(|error| Failure::new(format!("stop coved (pid {pid})")).because(error))?;
    engine::daemon_ended(home).await
}

/// Goes on past a container that cannot be stopped, as docker does, and names each that was.
async fn stop_containers(engine: &Engine, arguments: Arguments) -> Outcome {
    let mut client = engine.containers();
    let (timeout_seconds, signal) = (arguments.time, arguments.signal.unwrap_or_default());
    each(arguments.containers, async |container| {
        let request = StopContainerRequest { container, timeout_seconds, signal: signal.clone() };
        client.stop_container(request).await.map(drop)
    })
    .await
}

fn say(arguments: &Arguments, format: Format, line: &str) -> Result<(), Failure> {
    match format {
        _ if arguments.quiet => Ok(()),
        Format::Json => Ok(output::json(&serde_json::json!({ "state": "stopped" }))?),
        Format::Text => Ok(output::text(&format!("{line}\n"))?),
    }
}
