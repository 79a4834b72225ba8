//! What comes about with a transfer, as a stream.

use std::{sync::Arc, time::Duration};

use cove_proto::v1::LayerProgress;
use futures::{Stream, StreamExt as _, stream};
use tokio::sync::watch;
use tonic::Status;

use super::Answers;
use crate::{
    rpc::error,
    transfers::progress::{Direction, Layer, Progress, Transfer, since},
};

/// How often numbers are told; dockerd's measure.
const EVERY: Duration = Duration::from_millis(100);

/// What came about.
pub(super) enum Told<B, D> {
    /// It began.
    Begun(B),
    /// A layer is further.
    Layer(LayerProgress),
    /// It ended well.
    Done(D),
}

/// Ends a stream with its first error, as gRPC does.
pub(super) fn until_error<T: Send + 'static>(
    answers: impl Stream<Item = Result<T, Status>> + Send + 'static,
) -> Answers<T> {
    Box::pin(answers.scan(false, |failed, answer| {
        let before = std::mem::replace(failed, *failed || answer.is_err());
        std::future::ready((!before).then_some(answer))
    }))
}

/// What comes about with a transfer, from its beginning; it goes on for as long as this is read.
pub(super) fn follow<B, D>(
    direction: Direction,
    transfer: Arc<Transfer<B, D>>,
) -> impl Stream<Item = Result<Told<B, D>, Status>> + Send
where
    B: Clone + Send + Sync + 'static,
    D: Clone + Send + Sync + 'static,
{
    let progress = transfer.progress();
    let reader = Reader { direction, progress, begun: false, seen: Vec::new(), over: false, _transfer: transfer };
    stream::unfold(reader, |mut reader| async move { Some((reader.next().await?, reader)) }).flat_map(stream::iter)
}

struct Reader<B, D> {
    direction: Direction,
    progress: watch::Receiver<Progress<B, D>>,
    begun: bool,
    seen: Vec<Layer>,
    over: bool,
    _transfer: Arc<Transfer<B, D>>,
}

impl<B: Clone + Send + Sync, D: Clone + Send + Sync> Reader<B, D> {
    /// What is new; `None` once the end is told.
    async fn next(&mut self) -> Option<Vec<Result<Told<B, D>, Status>>> {
        if self.over {
            return None;
        }
        if !self.seen.is_empty() {
            // Numbers are told in their measure, the end at once.
            let end = self.progress.wait_for(|progress| progress.end.is_some());
            tokio::time::timeout(EVERY, end).await.map(|ended| ended.map(drop)).ok();
        }
        let (begun, known) = (self.begun, &self.seen);
        let is_new = |now: &Progress<B, D>| now.end.is_some() || now.begun.is_some() != begun || now.layers != *known;
        let now = self.progress.wait_for(is_new).await.map(|now| now.clone());
        Some(match now {
            Ok(now) => self.told(now),
            // The task ends with a word, unless the daemon itself ends.
            Err(_gone) => {
                self.over = true;
                vec![Err(error::closing())]
            }
        })
    }

    fn told(&mut self, now: Progress<B, D>) -> Vec<Result<Told<B, D>, Status>> {
        let mut told = Vec::new();
        if let Some(begun) = now.begun.filter(|_| !self.begun) {
            self.begun = true;
            told.push(Ok(Told::Begun(begun)));
        }
        told.extend(since(self.direction, &self.seen, &now.layers).into_iter().map(|layer| Ok(Told::Layer(layer))));
        self.seen = now.layers;
        if let Some(end) = now.end {
            self.over = true;
            told.push(end.map(Told::Done));
        }
        told
    }
}
