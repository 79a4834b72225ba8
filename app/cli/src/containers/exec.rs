//! `cove exec`: another program in a container that runs.

use std::{env, io::IsTerminal as _};

use cove_proto::v1::{
    CreateExecRequest, ExecOpen, ExecSpec, GetExecRequest, ResizeExecRequest, StartExecRequest, StdinClosed,
    start_exec_request::Message,
};
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::Code;

use super::{DETACHED, exit_code, spec::Setting};
use crate::{
    engine::Engine,
    failure::{Failure, Outcome},
    output as printed,
    stdio::{self, Screen},
    terminal::{self, RawMode, Resizes},
};

/// Arguments of `cove exec`.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// Connect standard input.
    #[arg(short, long)]
    interactive: bool,
    /// Give it a terminal.
    #[arg(short, long)]
    tty: bool,
    /// Do not wait for its end.
    #[arg(short, long, conflicts_with = "interactive")]
    detach: bool,
    #[command(flatten)]
    setting: Setting,
    /// Keys that let go of its terminal: a letter, or ctrl- and a letter, and more behind commas.
    #[arg(long, value_name = "KEYS", default_value = "", hide_default_value = true)]
    detach_keys: String,
    /// With all capabilities of the machine.
    #[arg(long)]
    privileged: bool,
    /// The container.
    container: String,
    /// Program and arguments.
    #[arg(required = true, trailing_var_arg = true, allow_hyphen_values = true)]
    command: Vec<String>,
}

/// Runs it and gives its exit code back.
pub(crate) async fn run(arguments: Arguments) -> Outcome {
    if arguments.tty && arguments.interactive && !std::io::stdin().is_terminal() {
        return Err(Failure::new("standard input is not a terminal").advice("leave out -t"));
    }
    let engine = Engine::reach().await?;
    let (tty, stdin, detach) = (arguments.tty, arguments.interactive, arguments.detach);
    let (container, detach_keys) = (arguments.container.clone(), arguments.detach_keys.clone());
    let request = CreateExecRequest { container, spec: Some(spec(arguments)) };
    let exec = engine.execs().create_exec(request).await?.into_inner().id;

    let (input, messages) = mpsc::channel(stdio::PIECES_AHEAD);
    let open = ExecOpen { exec: exec.clone(), detach, terminal: None, detach_keys };
    // There is room: the channel is new.
    let _ = input.try_send(StartExecRequest { message: Some(Message::Open(open)) });
    let mut output = match engine.execs().start_exec(ReceiverStream::new(messages)).await {
        Ok(output) => output.into_inner(),
        Err(status) => {
            let code = ended_with(&engine, &exec).await.unwrap_or(1);
            return Err(Failure::from(status).exit_code(code));
        }
    };

    let _raw = if tty && stdin { Some(RawMode::enter()?) } else { None };
    let resizes =
        if tty { Some(tokio::spawn(pass_on_resizes(engine.clone(), exec.clone(), Resizes::watch()?))) } else { None };
    // Without standard input the sender is dropped, which closes the program's.
    let _input = stdin.then(|| tokio::spawn(stdio::send(tokio::io::stdin(), input, piece, closed)));
    let mut screen = Screen::take();
    let left = loop {
        match output.message().await {
            Ok(Some(piece)) => screen.write(piece.stream(), &piece.data).await?,
            Ok(None) => break false,
            Err(status) if status.code() == Code::Aborted => break true,
            Err(status) => return Err(status.into()),
        }
    };
    if let Some(resizes) = resizes {
        resizes.abort();
    }
    if left {
        printed::aside(DETACHED);
    }
    if detach || left { Ok(0) } else { ended_with(&engine, &exec).await }
}

fn spec(arguments: Arguments) -> ExecSpec {
    let variable = |name: &str| env::var(name).ok();
    ExecSpec {
        args: arguments.command,
        env: arguments.setting.environment(variable),
        working_dir: arguments.setting.workdir,
        user: arguments.setting.user,
        tty: arguments.tty,
        stdin: arguments.interactive,
        stdout: !arguments.detach,
        stderr: !arguments.detach && !arguments.tty,
        privileged: arguments.privileged,
        terminal: if arguments.tty { terminal::size() } else { None },
        ..Default::default()
    }
}

async fn ended_with(engine: &Engine, exec: &str) -> Outcome {
    let answer = engine.execs().get_exec(GetExecRequest { exec: exec.to_owned() }).await?.into_inner();
    let code = answer.exec.and_then(|exec| exec.exit_code);
    code.map(exit_code).ok_or_else(|| Failure::new("the program has ended without an exit code"))
}

fn piece(data: Vec<u8>) -> StartExecRequest {
    StartExecRequest { message: Some(Message::Stdin(data)) }
}

fn closed() -> StartExecRequest {
    StartExecRequest { message: Some(Message::StdinClosed(StdinClosed {})) }
}

async fn pass_on_resizes(engine: Engine, exec: String, mut resizes: Resizes) {
    loop {
        resizes.next().await;
        if let Some(size) = terminal::size() {
            let request = ResizeExecRequest { exec: exec.clone(), size: Some(size) };
            // A program that has ended has no size; its end is told elsewhere.
            let _ = engine.execs().resize_exec(request).await;
        }
    }
}
