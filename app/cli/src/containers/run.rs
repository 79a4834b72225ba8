//! `cove run`: make a container, start it, and stay with it to its end. Exit codes are docker's: the container's own; 125
//! when the engine refused, 126 when the program cannot be run, 127 when it is not there.

use std::{env, io::IsTerminal as _};

use cove_proto::v1::{
    ContainerSpec, CreateContainerRequest, CreateContainerResponse, GetContainerRequest, GetImageRequest,
    GrantShareRequest, MountKind, PullImageRequest, StartContainerRequest, WaitCondition, WaitContainerRequest,
    WaitContainerResponse,
};
use tonic::{Code, Status, Streaming};

use super::{
    DETACHED,
    attach::{Attachment, Left},
    exit_code,
    spec::{Options, Streams},
};
use crate::{
    engine::Engine,
    failure::{ENGINE_REFUSED, Failure, Outcome},
    images, output,
};

/// Arguments of `cove run`.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// Connect standard input.
    #[arg(short, long)]
    interactive: bool,
    /// Give it a terminal.
    #[arg(short, long)]
    tty: bool,
    /// Leave it running and print its id.
    #[arg(short, long, conflicts_with = "interactive")]
    detach: bool,
    /// Remove it when it has ended.
    #[arg(long)]
    rm: bool,
    /// Its name.
    #[arg(long, default_value = "", hide_default_value = true)]
    name: String,
    /// When to fetch the image from its registry.
    #[arg(long, value_enum, default_value = "missing")]
    pull: Pull,
    /// Keys that let go of its terminal: a letter, or ctrl- and a letter, and more behind commas.
    #[arg(long, value_name = "KEYS", default_value = "", hide_default_value = true)]
    detach_keys: String,
    #[command(flatten)]
    options: Options,
    /// The image.
    image: String,
    /// Program and arguments, instead of the image's.
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    command: Vec<String>,
}

/// When to fetch an image.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Pull {
    /// Each time.
    Always,
    /// If it is not here.
    Missing,
    /// Never.
    Never,
}

impl Arguments {
    /// What follows the image.
    #[cfg(test)]
    pub(crate) fn command(&self) -> &[String] {
        &self.command
    }
}

/// Runs it.
pub(crate) async fn run(arguments: Arguments) -> Outcome {
    let streams = Streams { stdin: arguments.interactive, tty: arguments.tty, attached: !arguments.detach };
    if streams.tty && streams.stdin && !std::io::stdin().is_terminal() {
        return Err(Failure::new("standard input is not a terminal").advice("leave out -t").exit_code(1));
    }
    let refused = |failure: Failure| failure.exit_code(ENGINE_REFUSED);
    let engine = Engine::reach().await.map_err(|error| refused(error.into()))?;
    let (auto_remove, detach, name, pull) = (arguments.rm, arguments.detach, arguments.name, arguments.pull);
    let variable = |name: &str| env::var(name).ok();
    let mut spec = arguments.options.into_spec(arguments.image, arguments.command, streams, auto_remove, variable);
    grant(&engine, &mut spec).await.map_err(refused)?;
    let wanted = CreateContainerRequest { name, spec: Some(spec) };
    let created = create(&engine, wanted, pull).await.map_err(refused)?;
    for warning in &created.warnings {
        output::aside(&format!("warning: {warning}"));
    }
    if detach {
        // Only with --rm must it be known how the start failed before the container is gone.
        let mut end = if auto_remove { Some(wait(&engine, &created.id, true).await?) } else { None };
        start(&engine, &created.id, end.as_mut()).await?;
        output::text(&format!("{}\n", created.id))?;
        return Ok(0);
    }
    let attachment = Attachment::open(&engine, &created.id, streams, arguments.detach_keys).await?;
    foreground(&engine, &created.id, attachment, auto_remove).await
}

/// Has the daemon let the container see the folders of this computer that it is to see. As docker's -v, which this is, it
/// makes those that are missing.
async fn grant(engine: &Engine, spec: &mut ContainerSpec) -> Result<(), Failure> {
    for mount in spec.mounts.iter_mut().filter(|mount| mount.kind() == MountKind::Bind) {
        let request =
            GrantShareRequest { path: mount.source.clone(), read_only: mount.read_only, create_missing: true };
        let granted = engine.shares().grant_share(request).await?.into_inner();
        mount.share_id = granted.share.unwrap_or_default().id;
    }
    Ok(())
}

/// Attached and waited for before it starts, so that neither output nor end can be missed.
async fn foreground(engine: &Engine, id: &str, attachment: Attachment, auto_remove: bool) -> Outcome {
    let mut end = wait(engine, id, auto_remove).await?;
    start(engine, id, auto_remove.then_some(&mut end)).await?;
    if attachment.connect(engine).await? == Left::ByKeys {
        output::aside(DETACHED);
        return Ok(0);
    }
    let end = end.message().await?.unwrap_or_default();
    if end.error.is_empty() {
        Ok(exit_code(end.exit_code))
    } else {
        Err(Failure::new(end.error).exit_code(ENGINE_REFUSED))
    }
}

/// With --rm the removal is waited for, so that its name is free when this command ends.
async fn wait(engine: &Engine, id: &str, auto_remove: bool) -> Result<Streaming<WaitContainerResponse>, Failure> {
    let condition = if auto_remove { WaitCondition::Removed } else { WaitCondition::NextExit };
    let request = WaitContainerRequest { container: id.to_owned(), condition: condition.into() };
    Ok(engine.containers().wait_container(request).await?.into_inner())
}

/// Starts it. A program that cannot be run leaves its exit code in the container, or, when the container goes with it, in
/// the answer to the wait for that.
async fn start(
    engine: &Engine,
    id: &str,
    removal: Option<&mut Streaming<WaitContainerResponse>>,
) -> Result<(), Failure> {
    let request = StartContainerRequest { container: id.to_owned() };
    let Err(status) = engine.containers().start_container(request).await else { return Ok(()) };
    let code = match (status.code(), removal) {
        (Code::InvalidArgument, Some(removal)) => code_left_behind(removal).await,
        (Code::InvalidArgument, None) => code_kept(engine, id).await,
        _ => None,
    };
    Err(Failure::from(status).exit_code(code.filter(|code| *code != 0).unwrap_or(ENGINE_REFUSED)))
}

async fn code_left_behind(removal: &mut Streaming<WaitContainerResponse>) -> Option<u8> {
    removal.message().await.ok().flatten().map(|end| exit_code(end.exit_code))
}

async fn code_kept(engine: &Engine, id: &str) -> Option<u8> {
    let request = GetContainerRequest { container: id.to_owned(), sizes: false };
    let answer = engine.containers().get_container(request).await.ok()?.into_inner();
    answer.container.and_then(|container| container.state).map(|state| exit_code(state.exit_code))
}

/// Makes it, with an image that is fetched if need be.
async fn create(
    engine: &Engine,
    wanted: CreateContainerRequest,
    when: Pull,
) -> Result<CreateContainerResponse, Failure> {
    let image = wanted.spec.as_ref().map(|spec| spec.image.clone()).unwrap_or_default();
    if when == Pull::Always {
        pull(engine, &image).await?;
    }
    match engine.containers().create_container(wanted.clone()).await {
        Ok(created) => Ok(created.into_inner()),
        Err(status) if status.code() == Code::NotFound && when == Pull::Missing && !is_here(engine, &image).await? => {
            output::aside(&format!("{image} is not here; it is fetched"));
            pull(engine, &image).await?;
            Ok(engine.containers().create_container(wanted).await?.into_inner())
        }
        Err(status) => Err(status.into()),
    }
}

async fn is_here(engine: &Engine, image: &str) -> Result<bool, Status> {
    match engine.images().get_image(GetImageRequest { image: image.to_owned() }).await {
        Ok(_) => Ok(true),
        Err(status) if status.code() == Code::NotFound => Ok(false),
        Err(status) => Err(status),
    }
}

async fn pull(engine: &Engine, image: &str) -> Result<(), Failure> {
    let request = PullImageRequest { reference: image.to_owned(), ..PullImageRequest::default() };
    images::pull::pull(engine, request, false).await.map(drop)
}
