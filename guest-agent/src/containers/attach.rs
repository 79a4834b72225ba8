//! Connecting to the standard streams of a container. Output is read from the log, from the place where it ends when the
//! client attaches; so a client may attach before the start and misses nothing. A slow one delays nobody, unless the log may
//! not keep what it has not read yet (see [`crate::logs`]): then its own container waits for it, as with dockerd.

use std::{collections::VecDeque, sync::Arc};

use bytes::Bytes;
use futures::{StreamExt, stream, stream::BoxStream};
use tokio::{io::Interest, sync::watch};

use super::{Containers, ContainersError, Entry, View, log, program::Program};
use crate::{
    detach_keys::{DetachKeys, Typed},
    logs::{Attached as Claim, Entry as Record, Mark, Reader, Stop, Stream as Source},
    streams::{self, Watched},
};

/// What to attach to.
#[derive(Debug, Clone, Default)]
pub struct Wanted {
    /// Write to standard input.
    pub stdin: bool,
    /// Read standard output.
    pub stdout: bool,
    /// Read standard error.
    pub stderr: bool,
    /// First what was written before.
    pub logs: bool,
    /// Go on with what is written from now on.
    pub stream: bool,
    /// Keys that let go of a terminal; `None` if none do.
    pub detach_keys: Option<DetachKeys>,
}

impl Wanted {
    fn has(&self, source: Source) -> bool {
        match source {
            Source::Stdout => self.stdout,
            Source::Stderr => self.stderr,
        }
    }
}

/// What a container writes, as it was read from its streams.
pub type Output = BoxStream<'static, Result<(Source, Bytes), ContainersError>>;

/// A connection to the standard streams of a container.
pub struct Attached {
    /// What it writes; ends with the run, or with [`ContainersError::Detached`].
    pub output: Output,
    /// The way to its standard input; `None` if that is not wanted, or the container has none.
    pub input: Option<Input>,
}

impl Containers {
    /// Connects to the standard streams of a container, of the run that there is or of the next.
    ///
    /// # Errors
    /// If there is no such container, it is paused, or restarts in a moment.
    pub fn attach(&self, container: &str, wanted: Wanted) -> Result<Attached, ContainersError> {
        let entry = self.find(container)?;
        let view = entry.now();
        let later = |state| ContainersError::AttachLater { container: container.to_owned(), state };
        if view.paused {
            return Err(later("paused, unpause the container before attach"));
        }
        if view.is_restarting() {
            return Err(later("restarting, wait until the container is running"));
        }
        if wanted.logs {
            log::check_readable(&view.record)?;
        }
        // Before the place is asked for: nothing that is written behind it is let go of.
        let claim = Claim::new(&entry.log);
        let runs = view.program.is_some();
        let (end, in_run) = entry.log.position();
        // A run that all but ended has its end marked already: there is nothing to wait for.
        let stop = if wanted.stream && (in_run || !runs) { Stop::RunEndFrom(end) } else { Stop::At(end) };
        let reader = Reader::new(&entry.log, if wanted.logs { 0 } else { end }, stop).attached(claim);
        let (leave, left) = watch::channel(Left::Not);
        let with_input = wanted.stdin && wanted.stream && has_input(&entry.now());
        let input = with_input.then(|| Input::new(&entry, leave, wanted.detach_keys.clone()));
        let output = stream::try_unfold(Reading { reader, wanted, ready: VecDeque::new() }, Reading::next);
        self.tell(&entry.now().record, "attach", |event| event);
        let (left_by_input, this) = (until_left(left.clone()), self.clone());
        let by_keys = stream::once(async move {
            let by_keys = *left.borrow() == Left::ByKeys;
            by_keys.then(|| this.tell(&entry.now().record, "detach", |event| event))
        });
        let detached = by_keys.filter_map(|told| async move { told.map(|()| Err(ContainersError::Detached)) });
        Ok(Attached { output: output.take_until(left_by_input).chain(detached).boxed(), input })
    }
}

fn has_input(view: &View) -> bool {
    view.record.spec.open_stdin || view.record.spec.tty
}

/// Whether the client has left by its input.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Left {
    Not,
    /// Its input ended.
    AtItsEnd,
    /// It typed the keys for that.
    ByKeys,
}

/// Comes true when the client's input has ended in a way that ends its output, too.
async fn until_left(mut left: watch::Receiver<Left>) {
    if left.wait_for(|left| *left != Left::Not).await.is_err() {
        // The input was dropped, or there was none: the output goes on to its own end.
        std::future::pending::<()>().await;
    }
}

struct Reading {
    reader: Reader,
    wanted: Wanted,
    ready: VecDeque<Record>,
}

impl Reading {
    async fn next(mut self) -> Result<Option<((Source, Bytes), Self)>, ContainersError> {
        loop {
            while let Some(record) = self.ready.pop_front() {
                if let Mark::Chunk { stream, .. } = record.mark
                    && self.wanted.has(stream)
                {
                    return Ok(Some(((stream, record.data), self)));
                }
            }
            match self.reader.next().await? {
                Some(records) => self.ready.extend(records),
                None => return Ok(None),
            }
        }
    }
}

/// The way to the standard input of one run of a container.
pub struct Input {
    entry: Arc<Entry>,
    view: watch::Receiver<Arc<View>>,
    run: Run,
    leave: watch::Sender<Left>,
    keys: Option<DetachKeys>,
}

/// The run that the input goes to.
enum Run {
    /// The next one.
    Awaited,
    /// This one.
    Found { program: Arc<dyn Program>, end: Option<Watched> },
    /// It takes no more.
    Over,
}

impl Input {
    fn new(entry: &Arc<Entry>, leave: watch::Sender<Left>, keys: Option<DetachKeys>) -> Self {
        let keys = keys.filter(|_| entry.now().record.spec.tty);
        Self { entry: Arc::clone(entry), view: entry.watch(), run: Run::Awaited, leave, keys }
    }

    /// Writes to the container, as fast as it reads; waits for its start if need be. Says whether it takes more.
    pub async fn write(&mut self, data: &[u8]) -> bool {
        match self.keys.as_mut().map(|keys| keys.find(data)) {
            None => self.pass_on(data).await,
            Some(Typed::Input(data)) => data.is_empty() || self.pass_on(&data).await,
            Some(Typed::LetGo(data)) => {
                if !data.is_empty() {
                    self.pass_on(&data).await;
                }
                self.leave.send_replace(Left::ByKeys);
                self.run = Run::Over;
                false
            }
        }
    }

    async fn pass_on(&mut self, data: &[u8]) -> bool {
        self.find_run().await;
        let Run::Found { end: Some(end), .. } = &self.run else { return false };
        if let Err(error) = streams::write_all(end, data).await {
            if error.kind() != std::io::ErrorKind::BrokenPipe {
                tracing::warn!(container = %self.entry.id, %error, "standard input cannot be written");
            }
            self.run = Run::Over;
            return false;
        }
        true
    }

    /// The client sends no more. As with dockerd, that closes the standard input of a container that is made for one
    /// client, and otherwise ends the connection.
    pub async fn finish(mut self) {
        let spec = self.entry.now();
        if !spec.record.spec.stdin_once || spec.record.spec.tty {
            self.leave.send_replace(Left::AtItsEnd);
            return;
        }
        if !matches!(self.run, Run::Over) {
            self.find_run().await;
        }
        if let Run::Found { program, end } = std::mem::replace(&mut self.run, Run::Over) {
            // Closed means that nobody has it open, here neither.
            drop(end);
            program.close_input().await;
        }
    }

    async fn find_run(&mut self) {
        if !matches!(self.run, Run::Awaited) {
            return;
        }
        let found = self.view.wait_for(|view| view.gone || view.program.is_some()).await;
        let program = found.ok().and_then(|view| view.program.clone());
        self.run = match program {
            None => Run::Over,
            Some(program) => match program.input().map(|fd| streams::watch(&*fd, Interest::WRITABLE)).transpose() {
                Ok(end) => Run::Found { program, end },
                Err(error) => {
                    tracing::warn!(container = %self.entry.id, %error, "standard input cannot be used");
                    Run::Over
                }
            },
        };
    }
}
