//! `cove share docker-socket`.

use cove_proto::v1::{ListSharesRequest, UpdateDockerSocketRequest};

use crate::{
    engine::Engine,
    failure::Outcome,
    output::{self, Format},
};

/// Arguments of `cove share docker-socket`. Without any, it is shown.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// Whether they may. It holds at once: for connections that a container makes from then on.
    shared: Option<Shared>,
}

/// Whether they may.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Shared {
    On,
    Off,
}

/// Shows or says it.
pub(super) async fn run(arguments: Arguments, format: Format) -> Outcome {
    let mut client = Engine::reach().await?.shares();
    if let Some(shared) = arguments.shared {
        client.update_docker_socket(UpdateDockerSocketRequest { shared: shared == Shared::On }).await?;
    }
    let shared = client.list_shares(ListSharesRequest {}).await?.into_inner().docker_socket;
    match format {
        Format::Json => output::json(&shared)?,
        Format::Text => output::text(if shared { "on\n" } else { "off\n" })?,
    }
    Ok(0)
}
