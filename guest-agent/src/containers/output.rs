//! What a container wrote: `logs`.

use std::collections::VecDeque;

use futures::{Stream, StreamExt, stream};
use tokio::time::{Duration, sleep};

use super::{Containers, ContainersError, blocking, log};
use crate::{
    clock,
    logs::{
        Reader, Start, Stop, Stream as Source,
        lines::{Piece, Skip, pieces},
        start_of,
    },
};

/// Which output.
#[derive(Debug, Clone, Copy, Default)]
pub struct Wanted {
    /// Standard output.
    pub stdout: bool,
    /// Standard error.
    pub stderr: bool,
    /// Go on until the run ends.
    pub follow: bool,
    /// Written at or after this time, nanoseconds since 1970.
    pub since: Option<i64>,
    /// Written before this time.
    pub until: Option<i64>,
    /// So many lines from the end; all if `None`.
    pub tail: Option<u64>,
}

impl Wanted {
    fn has(&self, source: Source) -> bool {
        match source {
            Source::Stdout => self.stdout,
            Source::Stderr => self.stderr,
        }
    }
}

impl Containers {
    /// The output of a container, line by line.
    ///
    /// # Errors
    /// If there is no such container, or no stream is asked for.
    pub async fn output(
        &self,
        container: &str,
        wanted: Wanted,
    ) -> Result<impl Stream<Item = Result<Piece, ContainersError>> + Send + use<>, ContainersError> {
        if !wanted.stdout && !wanted.stderr {
            return Err(ContainersError::NoStream);
        }
        let entry = self.find(container)?;
        log::check_readable(&entry.now().record)?;
        let log = entry.log.clone();
        let (end, runs) = log.position();
        let (of, tail, since) = (log.clone(), wanted.tail, wanted.since);
        let Start { offset, skip } = blocking(move || Ok(start_of(&of, end, tail, since)?)).await?;
        let stop = if wanted.follow && runs { Stop::RunEndFrom(end) } else { Stop::At(end) };
        let until = wanted.until.filter(|_| wanted.follow).map(|until| until.saturating_sub(clock::now_nanos()));
        let reader = Reader::new(&log, offset, stop);
        let reading = Reading { reader, skip, wanted, ready: VecDeque::new(), over: false };
        let pieces = stream::try_unfold(reading, Reading::next);
        // What is followed until a time ends then, also when nothing is written any more.
        let over = async move {
            match until {
                Some(nanos) => sleep(Duration::from_nanos(u64::try_from(nanos).unwrap_or(0))).await,
                None => std::future::pending().await,
            }
        };
        Ok(pieces.take_until(over))
    }
}

struct Reading {
    reader: Reader,
    skip: Skip,
    wanted: Wanted,
    ready: VecDeque<Piece>,
    /// Whether the rest is too new.
    over: bool,
}

impl Reading {
    async fn next(mut self) -> Result<Option<(Piece, Self)>, ContainersError> {
        loop {
            if let Some(piece) = self.ready.pop_front() {
                return Ok(Some((piece, self)));
            }
            if self.over {
                return Ok(None);
            }
            let Some(entries) = self.reader.next().await? else { return Ok(None) };
            for piece in entries.into_iter().flat_map(pieces) {
                if self.wanted.until.is_some_and(|until| piece.time >= until) {
                    self.over = true;
                    break;
                }
                let recent = self.wanted.since.is_none_or(|since| piece.time >= since);
                if self.skip.shows(&piece) && recent && self.wanted.has(piece.stream) {
                    self.ready.push_back(piece);
                }
            }
        }
    }
}
