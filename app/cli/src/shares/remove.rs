//! `cove share rm`.

use cove_proto::v1::RevokeShareRequest;

use crate::{each::each, engine::Engine, failure::Outcome};

/// Arguments of `cove share rm`.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// Their paths, or ids.
    #[arg(required = true)]
    shares: Vec<String>,
}

/// Takes them back; goes on past one that cannot be.
pub(super) async fn run(arguments: Arguments) -> Outcome {
    let mut client = Engine::reach().await?.shares();
    each(arguments.shares, async |share| client.revoke_share(RevokeShareRequest { share }).await.map(drop)).await
}
