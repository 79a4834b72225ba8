//! Commands about folders of this computer that containers see: `cove share ls` and so on.

mod docker_socket;
mod list;
mod remove;
mod roots;

use crate::{failure::Outcome, output::Format};

/// `cove share`.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Command {
    /// List the folders and files of this computer that containers may see, and who sees them.
    #[command(visible_alias = "list")]
    Ls,
    /// Let containers see a folder no more, once they are started again.
    #[command(visible_alias = "remove")]
    Rm(remove::Arguments),
    /// Show below which folders containers may be given anything, or say it.
    Roots(roots::Arguments),
    /// Show whether containers may be given Docker's API by mounting /var/run/docker.sock, or say it.
    DockerSocket(docker_socket::Arguments),
}

impl Command {
    /// Does it.
    pub(crate) async fn run(self, format: Format) -> Outcome {
        match self {
            Self::Ls => list::run(format).await,
            Self::Rm(arguments) => remove::run(arguments).await,
            Self::Roots(arguments) => roots::run(arguments, format).await,
            Self::DockerSocket(arguments) => docker_socket::run(arguments, format).await,
        }
    }
}
