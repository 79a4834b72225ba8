//! `cove update`: changes limits and the restart policy, while a container runs as well.

use cove_proto::v1::{Resources, RestartPolicy, UpdateContainerRequest};

use super::life;
use crate::{each::each, engine::Engine, failure::Outcome, output, quantities};

/// Arguments of `cove update`.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// Most memory it may use: 64m, 1g.
    #[arg(short, long, value_name = "BYTES", value_parser = quantities::bytes)]
    memory: Option<i64>,
    /// Most memory and swap together; -1 for as much swap as there is.
    #[arg(long, value_name = "BYTES", value_parser = swap, allow_hyphen_values = true)]
    memory_swap: Option<i64>,
    /// Most CPUs it may use: 0.5, 2.
    #[arg(long, value_name = "NUMBER", value_parser = quantities::nano_cpus)]
    cpus: Option<i64>,
    /// Its share of the CPUs when there are not enough; 1024 for an equal one.
    #[arg(long, value_name = "NUMBER")]
    cpu_shares: Option<i64>,
    /// CPUs that it may run on: 0-2,4.
    #[arg(long, value_name = "CPUS", default_value = "", hide_default_value = true)]
    cpuset_cpus: String,
    /// Most processes and threads it may have; -1 for as many as there may be.
    #[arg(long, value_name = "NUMBER", allow_hyphen_values = true)]
    pids_limit: Option<i64>,
    /// What happens when its program ends: no, always, unless-stopped, on-failure or on-failure:3.
    #[arg(long, value_name = "POLICY", value_parser = life::restart_policy)]
    restart: Option<RestartPolicy>,
    /// The containers.
    #[arg(required = true)]
    containers: Vec<String>,
}

/// Changes them.
pub(crate) async fn run(arguments: Arguments) -> Outcome {
    let resources = Resources {
        memory_bytes: arguments.memory.unwrap_or_default(),
        memory_swap_bytes: arguments.memory_swap.unwrap_or_default(),
        nano_cpus: arguments.cpus.unwrap_or_default(),
        cpu_shares: arguments.cpu_shares.unwrap_or_default(),
        cpuset_cpus: arguments.cpuset_cpus,
        pids_limit: arguments.pids_limit.map_or(0, |limit| if limit <= 0 { -1 } else { limit }),
        ..Default::default()
    };
    let mut client = Engine::reach().await?.containers();
    each(arguments.containers, async |container| {
        let (resources, restart_policy) = (Some(resources.clone()), arguments.restart);
        let request = UpdateContainerRequest { container, resources, restart_policy };
        let updated = client.update_container(request).await?.into_inner();
        for warning in updated.warnings {
            output::aside(&format!("warning: {warning}"));
        }
        Ok(())
    })
    .await
}

fn swap(text: &str) -> Result<i64, quantities::QuantityError> {
    if text == "-1" { Ok(-1) } else { quantities::bytes(text) }
}
