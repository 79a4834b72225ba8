//! `cove volume create`.

use cove_proto::v1::CreateVolumeRequest;

use crate::{engine::Engine, failure::Outcome, output};

/// Arguments of `cove volume create`.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// Its name; made up when left out.
    #[arg(default_value = "", hide_default_value = true)]
    name: String,
    /// Set a label: NAME=VALUE.
    #[arg(short, long, value_name = "NAME[=VALUE]")]
    label: Vec<String>,
    /// Set an option: type=tmpfs, device=tmpfs, o=size=64m.
    #[arg(short, long, value_name = "NAME=VALUE")]
    opt: Vec<String>,
}

/// Makes it.
pub(super) async fn run(arguments: Arguments) -> Outcome {
    let request = CreateVolumeRequest {
        name: arguments.name,
        driver: String::new(),
        options: super::pairs(arguments.opt),
        labels: super::pairs(arguments.label),
    };
    let made = Engine::reach().await?.volumes().create_volume(request).await?.into_inner().volume;
    output::text(&format!("{}\n", made.unwrap_or_default().name))?;
    Ok(0)
}
