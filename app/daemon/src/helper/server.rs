//! The helper: starts the machine, answers the daemon, and ends when the machine does.

use std::{
    io::{self, Write},
    path::Path,
    sync::Arc,
    time::Duration,
};

use cove_machine::{
    hypervisor::{Connection, Hypervisor, Vm, VmState},
    lifecycle::ended,
};
use cove_platform::{
    local::{AcceptError, LocalListener, LocalStream},
    process::StopRequests,
};
use tokio::{
    io::copy_bidirectional_with_sizes,
    sync::watch,
    task::JoinSet,
    time::{sleep, timeout},
};

use super::{
    Arguments, HelperError, backend,
    files::Files,
    process::Identity,
    protocol::{Dialled, Request, Started, receive, send},
};

/// How much is copied at once: the daemon paces its writes to what every vsock carries whole, and they must not be joined
/// to larger ones here.
const PIECE: usize = cove_proto::paced::MAX_WRITE_BYTES;
/// How long clients get to read the last word.
const GOODBYE: Duration = Duration::from_secs(1);
/// How long the system gets to find resources for another client.
const RESPITE: Duration = Duration::from_millis(50);

/// Runs a machine to its end. To be called from the main thread, outside of any runtime: the machine's processes end with
/// the thread that starts them.
///
/// # Errors
/// If the machine cannot be started or the helper's own files fail; the daemon has been told.
pub fn run(arguments: Arguments) -> Result<(), HelperError> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(HelperError::Setup)?;
    runtime.block_on(serve(&arguments.spec))
}

async fn serve(spec: &Path) -> Result<(), HelperError> {
    let spec = Files::read_spec(spec)?;
    let files = Files::of(&spec.runtime_dir);
    files.write_identity(&Identity::own().map_err(HelperError::Setup)?)?;
    let listener = LocalListener::bind(&files.endpoint())?;
    match backend::hypervisor().start(spec).await {
        Ok(vm) => {
            tell(&Ok(vm.platform()))?;
            watch_over(&vm, listener, &files).await
        }
        Err(error) => {
            tell(&Err(error.clone()))?;
            drop(listener);
            files.clear()?;
            Err(error.into())
        }
    }
}

/// Tells the daemon how the start went. Nobody reads the pipe afterwards, so it is let go.
fn tell(started: &Started) -> Result<(), HelperError> {
    let failed = HelperError::Setup;
    let mut line = serde_json::to_vec(started).map_err(|e| failed(e.into()))?;
    line.push(b'\n');
    match io::stdout().write_all(&line).and_then(|()| io::stdout().flush()) {
        // The daemon has died meanwhile: another one will adopt the machine.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => tracing::warn!("nobody waits for the start"),
        other => other.map_err(failed)?,
    }
    let_go().map_err(failed)
}

#[cfg(unix)]
fn let_go() -> io::Result<()> {
    let null = std::fs::OpenOptions::new().write(true).open("/dev/null")?;
    nix::unistd::dup2_stdout(null).map_err(io::Error::from)
}

/// A pipe that is not written to troubles nobody, and Windows has no signal for one whose reader is gone.
#[cfg(windows)]
#[expect(clippy::unnecessary_wraps, reason = "the other systems can fail")]
fn let_go() -> io::Result<()> {
    Ok(())
}

async fn watch_over(vm: &Arc<dyn Vm>, mut listener: LocalListener, files: &Files) -> Result<(), HelperError> {
    let mut signals = StopRequests::listen().map_err(HelperError::Setup)?;
    let mut clients = JoinSet::new();
    // What clients are told. It lags behind what is so: the place is free before anybody is told that the machine has ended,
    // because who is told may start another.
    let (told, state) = watch::channel(VmState::Running);
    let exit = loop {
        tokio::select! {
            exit = ended(vm.state()) => break exit,
            accepted = listener.accept() => match accepted {
                Ok(stream) => drop(clients.spawn(log_errors(answer(stream, vm.clone(), state.clone())))),
                Err(error @ AcceptError::Stranger { .. }) => tracing::warn!(%error, "somebody else knocked"),
                Err(error) => refused(&error).await,
            },
            // Whoever ends all processes of a session asks the daemon too, which stops the machine in order.
            signal = signals.next() => tracing::info!(signal, "left to the daemon"),
            Some(_) = clients.join_next() => {}
        }
    };
    tracing::info!(%exit, "the machine has ended");
    files.write_exit(&exit)?;
    drop(listener);
    told.send_replace(VmState::Ended(exit));
    // Streams of the guest end by themselves now; a reader that does not read is not waited for.
    let all = async { while clients.join_next().await.is_some() {} };
    timeout(GOODBYE, all).await.ok();
    Ok(())
}

/// Out of descriptors, most likely: some will be closed.
async fn refused(error: &AcceptError) {
    tracing::warn!(%error, "could not accept");
    sleep(RESPITE).await;
}

async fn log_errors(answer: impl Future<Output = io::Result<()>>) {
    if let Err(error) = answer.await {
        tracing::debug!(%error, "a client left");
    }
}

async fn answer(mut stream: LocalStream, vm: Arc<dyn Vm>, state: watch::Receiver<VmState>) -> io::Result<()> {
    match receive(&mut stream).await? {
        Request::Watch => {
            send(&mut stream, &vm.platform()).await?;
            send(&mut stream, &VmState::Ended(ended(state).await)).await
        }
        Request::Connect { port } => connect(stream, vm, port).await,
        Request::Kill => {
            vm.kill().await;
            send(&mut stream, &VmState::Ended(ended(state).await)).await
        }
    }
}

async fn connect(mut stream: LocalStream, vm: Arc<dyn Vm>, port: u32) -> io::Result<()> {
    match vm.connect(port).await {
        Ok(mut guest) => {
            send(&mut stream, &Dialled::Ok(())).await?;
            if LocalStream::HALF_CLOSES {
                copy_bidirectional_with_sizes(&mut stream, &mut guest, PIECE, PIECE).await.map(drop)
            } else {
                until_either_ends(stream, guest).await
            }
        }
        Err(error) => send(&mut stream, &Dialled::Err(error)).await,
    }
}

/// Where one direction cannot be closed alone, the end of one is the end of both: else the daemon would wait for ever on a
/// guest that has gone. Cove's own streams say in frames of their own that a direction has ended.
async fn until_either_ends(stream: LocalStream, guest: Connection) -> io::Result<()> {
    let (mut from_daemon, mut to_daemon) = tokio::io::split(stream);
    let (mut from_guest, mut to_guest) = tokio::io::split(guest);
    // copy's pieces are 8 KiB, no more than PIECE.
    tokio::select! {
        copied = tokio::io::copy(&mut from_daemon, &mut to_guest) => copied.map(drop),
        copied = tokio::io::copy(&mut from_guest, &mut to_daemon) => copied.map(drop),
    }
}
