//! The command line. Docker's words where docker has the same command.

use clap::{Parser, Subcommand};

use crate::{
    completion, containers, egress, events, explain, failure::Outcome, images, machine, networks, output::Format,
    shares, version, volumes,
};

/// Runs Linux containers in a small virtual machine of its own.
#[derive(Debug, Parser)]
#[command(name = "cove", version, propagate_version = false, disable_help_subcommand = true)]
#[command(after_help = "The docker command works too: `cove start` offers to set it up.")]
pub(crate) struct Arguments {
    /// For whom output is made.
    #[arg(long, global = true, value_enum, default_value = "text")]
    format: Format,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Start the machine, and the daemon if need be.
    Start(machine::start::Arguments),
    /// Stop the machine; or, with names, containers.
    Stop(machine::stop::Arguments),
    /// Restart the machine; or, with names, containers.
    Restart(machine::restart::Arguments),
    /// Show how large the machine is and which registries are trusted, or change it.
    Settings(machine::settings::Arguments),
    /// Say how the machine is. Starts nothing.
    Status(machine::status::Arguments),
    /// Say the versions of both halves.
    Version,
    /// Show who is who: the way from a command to the kernel, and what walls a container off.
    Explain(explain::Arguments),
    /// Make a container and run it.
    Run(Box<containers::run::Arguments>),
    /// List containers.
    Ps(containers::list::Arguments),
    /// Show what a container wrote.
    Logs(containers::logs::Arguments),
    /// Show what containers use.
    Stats(containers::stats::Arguments),
    /// Run a command in a container that runs.
    Exec(containers::exec::Arguments),
    /// Freeze all processes of containers.
    Pause(containers::pause::Arguments),
    /// Let frozen containers go on.
    Unpause(containers::pause::Arguments),
    /// Change limits and the restart policy of containers.
    Update(containers::update::Arguments),
    /// Show in what the files of a container differ from its image's.
    Diff(containers::diff::Arguments),
    /// Copy files into a container, or out of it.
    Cp(containers::cp::Arguments),
    /// Write a container's own files to an archive.
    Export(containers::export::Arguments),
    /// Make an image of what a container has made of its own.
    Commit(containers::commit::Arguments),
    /// Remove containers.
    Rm(containers::remove::Arguments),
    /// Remove all containers that do not run.
    Prune(containers::prune::Arguments),
    /// List images.
    Images(images::list::Arguments),
    /// Fetch an image from a registry.
    Pull(images::pull::Arguments),
    /// Send an image to a registry.
    Push(images::push::Arguments),
    /// Load images from an archive.
    Load(images::load::Arguments),
    /// Save images to an archive.
    Save(images::save::Arguments),
    /// Make an image from the archive of a file system.
    Import(images::import::Arguments),
    /// Remove images.
    Rmi(images::remove::Arguments),
    /// Networks of containers: who reaches whom, and by which name.
    #[command(subcommand)]
    Network(networks::Command),
    /// Show what containers are connected to outside and why they are not; or settle what they may reach.
    Net(egress::Arguments),
    /// Folders that outlive containers.
    #[command(subcommand)]
    Volume(volumes::Command),
    /// Folders of this computer that containers see.
    #[command(subcommand)]
    Share(shares::Command),
    /// Show what happens to containers, images, volumes and networks.
    Events(events::Arguments),
    /// Check what this computer has and lacks, or the images on the data disk.
    Doctor(machine::doctor::Arguments),
    /// Show the console of the machine.
    MachineLog(machine::log::Arguments),
    /// Print a completion script for a shell.
    Completion(completion::Arguments),
}

impl Arguments {
    /// Does what the command line says.
    #[expect(clippy::cognitive_complexity, reason = "it is a table with a line for each command")]
    pub(crate) async fn run(self) -> Outcome {
        let format = self.format;
        match self.command {
            Command::Start(arguments) => machine::start::run(arguments, format).await,
            Command::Stop(arguments) => machine::stop::run(arguments, format).await,
            Command::Restart(arguments) => machine::restart::run(arguments, format).await,
            Command::Settings(arguments) => machine::settings::run(&arguments, format).await,
            Command::Status(arguments) => machine::status::run(&arguments, format).await,
            Command::Version => version::run(format).await,
            Command::Explain(arguments) => explain::run(arguments, format).await,
            Command::Run(arguments) => Box::pin(containers::run::run(*arguments)).await,
            Command::Ps(arguments) => containers::list::run(arguments, format).await,
            Command::Logs(arguments) => containers::logs::run(arguments).await,
            Command::Stats(arguments) => containers::stats::run(arguments, format).await,
            Command::Exec(arguments) => containers::exec::run(arguments).await,
            Command::Pause(arguments) => containers::pause::pause(arguments).await,
            Command::Unpause(arguments) => containers::pause::unpause(arguments).await,
            Command::Update(arguments) => containers::update::run(arguments).await,
            Command::Diff(arguments) => containers::diff::run(arguments, format).await,
            Command::Cp(arguments) => containers::cp::run(arguments).await,
            Command::Export(arguments) => containers::export::run(arguments).await,
            Command::Commit(arguments) => containers::commit::run(arguments).await,
            Command::Prune(arguments) => containers::prune::run(arguments, format).await,
            Command::Rm(arguments) => containers::remove::run(arguments).await,
            Command::Images(arguments) => images::list::run(&arguments, format).await,
            Command::Pull(arguments) => images::pull::run(arguments, format).await,
            Command::Push(arguments) => images::push::run(arguments, format).await,
            Command::Load(arguments) => images::load::run(arguments).await,
            Command::Save(arguments) => images::save::run(arguments).await,
            Command::Import(arguments) => images::import::run(arguments).await,
            Command::Rmi(arguments) => images::remove::run(arguments).await,
            Command::Network(command) => command.run(format).await,
            Command::Net(arguments) => egress::run(arguments, format).await,
            Command::Volume(command) => command.run(format).await,
            Command::Share(command) => command.run(format).await,
            Command::Events(arguments) => events::run(arguments, format).await,
            Command::Doctor(arguments) => machine::doctor::run(&arguments, format).await,
            Command::MachineLog(arguments) => machine::log::run(&arguments).await,
            Command::Completion(arguments) => completion::run(&arguments),
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn the_command_line_is_sound() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn what_follows_the_image_belongs_to_the_container() {
        let parsed =
            Arguments::try_parse_from(["cove", "run", "--rm", "busybox", "ls", "-l", "--format", "x"]).unwrap();
        let Command::Run(run) = parsed.command else { panic!("not run") };
        assert_eq!(run.command(), ["ls", "-l", "--format", "x"]);
        assert_eq!(parsed.format, Format::Text);
    }
}
