//! `cove restart`: the machine; or, with names, containers, as `docker restart` does.

use cove_proto::v1::{RestartContainerRequest, RestartMachineRequest};

use super::{phases::Phases, start};
use crate::{
    each::each,
    engine::{self, Engine},
    failure::Outcome,
    output::Format,
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
        return restart_containers(&engine, arguments).await;
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
async fn restart_containers(engine: &Engine, arguments: Arguments) -> Outcome {
    let mut client = engine.containers();
    let (timeout_seconds, signal) = (arguments.time, arguments.signal.unwrap_or_default());
    each(arguments.containers, async |container| {
        let request = RestartContainerRequest { container, timeout_seconds, signal: signal.clone() };
        client.restart_container(request).await.map(drop)
    })
    .await
}
