//! `cove restart`: the machine; or, with names, containers, as `docker restart` does.

use cove_proto::v1::{RestartContainerRequest, RestartMachineRequest};

use super::{phases::Phases, start};
use crate::{
    engine::{self, Engine},
    failure::{Failure, Outcome},
    output::{self, Format},
};

/// Arguments of `cove restart`.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// Containers to restart; the machine goes on. Without any, the machine is restarted, and what changed in its settings
    /// takes effect.
    containers: Vec<String>,
    /// Seconds until SIGKILL; for the machine, until it is stopped by force.
    #[arg(short, long, value_name = "SECONDS", allow_hyphen_values = true)]
    time: Option<i32>,
    /// Signal to ask containers with.
    #[arg(short, long, requires = "containers")]
    signal: Option<String>,
}

/// Restarts the machine or the containers.
pub(crate) async fn run(arguments: Arguments, format: Format) -> Outcome {
    let (engine, _) = Engine::reach_in(&engine::home()?).await?;
    if !arguments.containers.is_empty() {
        return restart_containers(&engine, &arguments).await;
    }
    let grace = arguments.time.and_then(|seconds| u32::try_from(seconds).ok());
    let grace = grace.map(|seconds| prost_types::Duration { seconds: seconds.into(), nanos: 0 });
    let show = format == Format::Text;
    let mut client = engine.machine();
    Phases::new(show).follow(&engine, client.restart_machine(RestartMachineRequest { grace })).await?;
    start::tell(&engine, false, show).await?;
    Ok(0)
}

/// Goes on past a container that cannot be restarted, as docker does, and names each that was.
async fn restart_containers(engine: &Engine, arguments: &Arguments) -> Outcome {
    let mut exit_code = 0;
    for container in &arguments.containers {
        let request = RestartContainerRequest {
            container: container.clone(),
            timeout_seconds: arguments.time,
            signal: arguments.signal.clone().unwrap_or_default(),
        };
        match engine.containers().restart_container(request).await {
            Ok(_) => output::text(&format!("{container}\n"))?,
            Err(status) => {
                output::aside(&format!("cove: {}", Failure::from(status)));
                exit_code = 1;
            }
        }
    }
    Ok(exit_code)
}
