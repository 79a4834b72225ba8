//! A check of a container's health: an exec like any other, with an end.

use std::sync::{Arc, Mutex, PoisonError};

use cove_proto::v1;
use futures::future::join_all;
use tokio::{
    io::Interest,
    sync::oneshot,
    time::{Duration, Instant, timeout},
};

use super::{DRAIN, Engine, Entry, ExecGuard, chain, health::Checked, launch, program::Program, record::Record};
use crate::{clock, names, processes::launch::ExecLaunch, streams};

/// How much of a check's output is kept.
const KEPT_BYTES: usize = 4096;

/// The shell of CMD-SHELL, unless the image has another.
const SHELL: [&str; 2] = ["/bin/sh", "-c"];

/// What checks a container.
pub(super) struct Probe {
    engine: Arc<Engine>,
    entry: Arc<Entry>,
}

/// The program that checks a container and its arguments, without the shell; `None` if nothing checks it.
pub(super) fn args(record: &Record) -> Option<Args<'_>> {
    let test = &record.spec.healthcheck.as_ref()?.test;
    match test.split_first()? {
        (kind, args) if kind == "CMD" && !args.is_empty() => Some(Args { shell: false, args }),
        (kind, args) if kind == "CMD-SHELL" => Some(Args { shell: true, args }),
        _ => None,
    }
}

/// See [`args`].
pub(super) struct Args<'a> {
    shell: bool,
    args: &'a [String],
}

impl Probe {
    /// `None` if nothing checks the container.
    pub(super) fn new(engine: &Arc<Engine>, entry: Arc<Entry>) -> Option<Self> {
        args(&entry.now().record)?;
        Some(Self { engine: Arc::clone(engine), entry })
    }

    /// Runs a check. The container's run began at `began`.
    pub(super) async fn run(&self, limit: Duration, began: Instant) -> Checked {
        let (ran, started_at) = (began.elapsed(), clock::now_nanos());
        let (exit_code, output) = match self.start().await {
            Ok(running) => running.end(limit).await,
            Err(why) => (-1, why.into_bytes()),
        };
        Checked { ran, started_at, ended_at: clock::now_nanos(), exit_code, output }
    }

    /// Starts it and has somebody see it to its end, whoever leaves.
    async fn start(&self) -> Result<Running, String> {
        let record = self.entry.now().record.clone();
        let spec =
            v1::ExecSpec { args: self.command(&record).await?, stdout: true, stderr: true, ..Default::default() };
        let id = names::new_id().map_err(|error| chain(&error))?;
        let told = format!("{} {}", spec.args[0], spec.args[1..].join(" "));
        self.engine.tell(&record, &format!("exec_create: {told}"), |event| event.with("execID", &id));
        self.engine.tell(&record, &format!("exec_start: {told}"), |event| event.with("execID", &id));
        let process = launch::further_process(&record, &spec, None).map_err(|error| chain(&error))?;
        let privileged = record.spec.security.as_ref().is_some_and(|security| security.privileged);
        let launch = ExecLaunch { id: id.clone(), container_id: record.id.clone(), process, privileged };
        let started = self.engine.launcher.start_exec(launch).await;
        let program = started.map_err(|error| {
            format!("OCI runtime exec failed: exec failed: unable to start container process: {}", chain(&error))
        })?;
        let (tell, ended) = oneshot::channel();
        let guard = self.entry.with_exec(&id);
        tokio::spawn(see_to_the_end(Arc::clone(&self.engine), Arc::clone(&program), guard, id, tell));
        Ok(Running { program: Some(program), ended })
    }

    async fn command(&self, record: &Record) -> Result<Vec<String>, String> {
        let Some(Args { shell, args }) = args(record) else { return Err("there is no health check".to_owned()) };
        if !shell {
            return Ok(args.to_vec());
        }
        let (engine, id) = (Arc::clone(&self.engine), record.id.clone());
        let image = super::blocking(move || Ok(engine.images.held(&id)?)).await.map_err(|error| chain(&error))?;
        let own = image.config.shell.filter(|shell| !shell.is_empty());
        let mut command = own.unwrap_or_else(|| SHELL.map(str::to_owned).to_vec());
        command.extend_from_slice(args);
        Ok(command)
    }
}

/// A check under way; one that nobody waits for any more is killed.
struct Running {
    program: Option<Arc<dyn Program>>,
    ended: oneshot::Receiver<Ended>,
}

/// Exit code, and what it wrote.
struct Ended {
    exit_code: i32,
    output: Vec<u8>,
}

impl Running {
    async fn end(mut self, limit: Duration) -> (i32, Vec<u8>) {
        let in_time = timeout(limit, &mut self.ended).await;
        let too_long = in_time.is_err();
        let ended = match in_time {
            Ok(ended) => ended,
            Err(_) => {
                self.kill();
                (&mut self.ended).await
            }
        };
        let Ok(Ended { exit_code, output }) = ended else { return (-1, b"the agent is shutting down".to_vec()) };
        self.program = None;
        if !too_long {
            return (exit_code, output);
        }
        let mut text = format!("Health check exceeded timeout ({})", go_duration(limit)).into_bytes();
        if !output.is_empty() {
            text.extend_from_slice(b": ");
            text.extend(output);
        }
        (-1, text)
    }

    /// Kills it with all that it started and that did not leave its session.
    fn kill(&self) {
        if let Some(program) = &self.program {
            program.kill_session();
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.kill();
    }
}

async fn see_to_the_end(
    engine: Arc<Engine>,
    program: Arc<dyn Program>,
    guard: ExecGuard,
    id: String,
    tell: oneshot::Sender<Ended>,
) {
    let output = Output::default();
    let reading = tokio::spawn(read(Arc::clone(&program), Arc::clone(&output)));
    let stop = reading.abort_handle();
    let status = program.wait().await;
    // Somebody may hold the other ends open.
    let _ = timeout(DRAIN, reading).await;
    stop.abort();
    engine
        .tell(&guard.entry().now().record, "exec_die", |event| event.with("execID", &id).with("exitCode", status.code));
    drop(guard);
    let output = std::mem::take(&mut *output.lock().unwrap_or_else(PoisonError::into_inner));
    // Nobody may wait for it any more.
    let _ = tell.send(Ended { exit_code: status.code, output });
    if let Err(error) = program.release().await {
        tracing::warn!(exec = %id, %error, "a health check leaves something behind");
    }
}

/// What a check has written, as far as it is kept.
type Output = Arc<Mutex<Vec<u8>>>;

/// Reads what a check writes, to its end.
async fn read(program: Arc<dyn Program>, output: Output) {
    let read = |fd: Arc<std::os::fd::OwnedFd>| {
        let output = &output;
        async move {
            let from = streams::watch(&*fd, Interest::READABLE)?;
            let mut buffer = Vec::with_capacity(KEPT_BYTES);
            while streams::read(&from, &mut buffer).await? {
                keep(&mut output.lock().unwrap_or_else(PoisonError::into_inner), &buffer);
                buffer.clear();
            }
            Ok::<_, std::io::Error>(())
        }
    };
    let ends = join_all(program.outputs().into_iter().map(|(_, fd)| read(fd))).await;
    for error in ends.into_iter().filter_map(Result::err) {
        tracing::warn!(%error, "the output of a health check cannot be read");
    }
}

/// As dockerd does: so much, and then that there was more.
fn keep(kept: &mut Vec<u8>, more: &[u8]) {
    const MORE: &[u8] = b"...";
    if kept.len() > KEPT_BYTES {
        return;
    }
    let room = KEPT_BYTES - kept.len();
    kept.extend_from_slice(&more[..more.len().min(room)]);
    if more.len() > room {
        kept.extend_from_slice(MORE);
    }
}

/// A duration in Go's words: "1m30s", "1.5s", "100ms".
fn go_duration(duration: Duration) -> String {
    let (seconds, nanos) = (duration.as_secs(), duration.subsec_nanos());
    let decimals = |whole: u64, rest: u32, digits: usize| {
        let text = format!("{whole}.{rest:0digits$}");
        text.trim_end_matches('0').trim_end_matches('.').to_owned()
    };
    match (seconds / 3600, seconds / 60 % 60, seconds % 60) {
        (0, 0, 0) if nanos >= 1_000_000 => {
            format!("{}ms", decimals(u64::from(nanos / 1_000_000), nanos % 1_000_000, 6))
        }
        (0, 0, 0) if nanos >= 1000 => format!("{}µs", decimals(u64::from(nanos / 1000), nanos % 1000, 3)),
        (0, 0, 0) => format!("{nanos}ns"),
        (0, 0, s) => format!("{}s", decimals(s, nanos, 9)),
        (0, m, s) => format!("{m}m{}s", decimals(s, nanos, 9)),
        (h, m, s) => format!("{h}h{m}m{}s", decimals(s, nanos, 9)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_read_as_gos() {
        let of = |nanos| go_duration(Duration::from_nanos(nanos));
        assert_eq!(of(1_000_000_000), "1s");
        assert_eq!(of(1_500_000_000), "1.5s");
        assert_eq!(of(90_000_000_000), "1m30s");
        assert_eq!(of(3_600_000_000_000), "1h0m0s");
        assert_eq!(of(100_000_000), "100ms");
        assert_eq!((of(1_500), of(5)), ("1.5µs".to_owned(), "5ns".to_owned()));
    }

    #[test]
    fn so_much_output_is_kept_and_it_is_said_that_there_was_more() {
        let mut kept = Vec::new();
        keep(&mut kept, &[b'a'; 4000]);
        keep(&mut kept, &[b'b'; 96]);
        assert_eq!(kept.len(), 4096);
        keep(&mut kept, b"c");
        keep(&mut kept, b"d");
        assert_eq!((kept.len(), kept.ends_with(b"b...")), (4099, true));
    }
}
