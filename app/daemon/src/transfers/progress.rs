//! How far a transfer is. It is a state that is overwritten, not a list of events: who looks on slowly misses numbers, and
//! never a step.

use std::time::Duration;

use cove_proto::v1::{LayerPhase, LayerProgress};
use tokio::{sync::watch, task::JoinHandle};
use tonic::Status;

/// A layer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Layer {
    /// What it is called.
    pub name: String,
    /// What happens with it.
    pub phase: LayerPhase,
    /// Bytes through this phase.
    pub current: u64,
    /// Bytes in all.
    pub total: u64,
    /// Seconds until it is tried again; 0 when it goes on.
    pub retry: u32,
    /// Where it was mounted from.
    pub from: String,
}

/// A wait as [`Layer::retry`] has it.
pub(super) fn retry(wait: Duration) -> u32 {
    u32::try_from(wait.as_secs()).unwrap_or(u32::MAX).max(1)
}

/// A transfer; `B` is how it began and `D` how it ends.
#[derive(Debug, Clone)]
pub struct Progress<B, D> {
    /// What is known at its beginning.
    pub begun: Option<B>,
    /// The lowest first.
    pub layers: Vec<Layer>,
    /// How it ended.
    pub end: Option<Result<D, Status>>,
}

impl<B, D> Default for Progress<B, D> {
    fn default() -> Self {
        Self { begun: None, layers: Vec::new(), end: None }
    }
}

/// Where the state is written. A clone is cheap.
#[derive(Debug)]
pub struct Book<B, D>(watch::Sender<Progress<B, D>>);

impl<B, D> Clone for Book<B, D> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<B, D> Default for Book<B, D> {
    fn default() -> Self {
        Self(watch::Sender::new(Progress::default()))
    }
}

impl<B, D> Book<B, D> {
    /// For who looks on.
    pub fn watch(&self) -> watch::Receiver<Progress<B, D>> {
        self.0.subscribe()
    }

    pub(super) fn begin(&self, begun: B) {
        self.0.send_modify(|progress| progress.begun = Some(begun));
    }

    pub(super) fn layers(&self, layers: Vec<Layer>) {
        self.0.send_modify(|progress| progress.layers = layers);
    }

    /// A layer enters a phase.
    pub(super) fn enter(&self, index: usize, phase: LayerPhase) {
        self.change(index, |layer| (layer.phase, layer.current, layer.retry) = (phase, 0, 0));
    }

    /// A layer is so far in its phase.
    pub(super) fn reach(&self, index: usize, phase: LayerPhase, current: u64) {
        self.change(index, |layer| (layer.phase, layer.current, layer.retry) = (phase, current, 0));
    }

    pub(super) fn change(&self, index: usize, change: impl FnOnce(&mut Layer)) {
        self.0.send_modify(|progress| {
            if let Some(layer) = progress.layers.get_mut(index) {
                change(layer);
            }
        });
    }

    pub(super) fn end(&self, end: Result<D, Status>) {
        self.0.send_modify(|progress| progress.end = Some(end));
    }
}

/// A transfer that is under way, or over. It ends when nobody holds it any more.
#[derive(Debug)]
pub struct Transfer<B, D> {
    progress: watch::Receiver<Progress<B, D>>,
    task: JoinHandle<()>,
}

impl<B: Send + Sync + 'static, D: Send + Sync + 'static> Transfer<B, D> {
    /// Begins one: `run` writes into the book how far it is.
    pub(super) fn begin<F>(run: impl FnOnce(Book<B, D>) -> F) -> Self
    where
        F: Future<Output = Result<D, Status>> + Send + 'static,
    {
        let book = Book::default();
        let progress = book.watch();
        let running = run(book.clone());
        let task = tokio::spawn(async move {
            let end = running.await;
            book.end(end);
        });
        Self { progress, task }
    }

    /// How far it is.
    #[must_use]
    pub fn progress(&self) -> watch::Receiver<Progress<B, D>> {
        self.progress.clone()
    }

    pub(super) fn is_over(&self) -> bool {
        self.progress.borrow().end.is_some()
    }
}

impl<B, D> Drop for Transfer<B, D> {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Which way it goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// From a registry.
    Pull,
    /// To one.
    Push,
}

/// Steps of a pull that everybody is told of, however fast they went by.
const NEVER_MISSED: [LayerPhase; 3] = [LayerPhase::Pending, LayerPhase::Verifying, LayerPhase::Downloaded];

/// What has come about with the layers since they were last looked at: first that they are there at all, in their order.
pub fn since(direction: Direction, seen: &[Layer], now: &[Layer]) -> Vec<LayerProgress> {
    let mut told: Vec<_> = now.iter().skip(seen.len()).map(|layer| message(&first(direction, layer))).collect();
    for (index, layer) in now.iter().enumerate() {
        let before = seen.get(index).cloned().unwrap_or_else(|| first(direction, layer));
        if before == *layer {
            continue;
        }
        if direction == Direction::Pull {
            let missed = NEVER_MISSED.into_iter().filter(|phase| before.phase < *phase && *phase < layer.phase);
            told.extend(missed.map(|phase| message(&Layer { phase, current: 0, retry: 0, ..layer.clone() })));
        }
        told.push(message(layer));
    }
    told
}

/// A layer as it is first heard of.
fn first(direction: Direction, layer: &Layer) -> Layer {
    let phase = match (direction, layer.phase) {
        (Direction::Push, _) => LayerPhase::Preparing,
        (Direction::Pull, LayerPhase::Exists) => LayerPhase::Exists,
        (Direction::Pull, _) => LayerPhase::Pending,
    };
    Layer { phase, current: 0, retry: 0, from: String::new(), ..layer.clone() }
}

fn message(layer: &Layer) -> LayerProgress {
    LayerProgress {
        layer: layer.name.clone(),
        phase: layer.phase.into(),
        current_bytes: layer.current,
        total_bytes: layer.total,
        retry_seconds: layer.retry,
        mounted_from: layer.from.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn layer(name: &str, phase: LayerPhase, current: u64) -> Layer {
        Layer { name: name.into(), phase, current, total: 10, retry: 0, from: String::new() }
    }

    fn told(seen: &[Layer], now: &[Layer]) -> Vec<(String, LayerPhase)> {
        since(Direction::Pull, seen, now).into_iter().map(|told| (told.layer.clone(), told.phase())).collect()
    }

    #[test]
    fn whoever_looks_late_hears_of_each_step_in_order() {
        let now =
            [layer("a", LayerPhase::Exists, 0), layer("b", LayerPhase::Pulled, 0), layer("c", LayerPhase::Waiting, 0)];
        let steps = told(&[], &now);
        let expected = [
            ("a", LayerPhase::Exists),
            ("b", LayerPhase::Pending),
            ("c", LayerPhase::Pending),
            ("b", LayerPhase::Verifying),
            ("b", LayerPhase::Downloaded),
            ("b", LayerPhase::Pulled),
            ("c", LayerPhase::Waiting),
        ];
        assert_eq!(steps, expected.map(|(name, phase)| (name.to_owned(), phase)));
    }

    #[test]
    fn nothing_new_is_nothing_told_and_a_number_is_told_once() {
        let seen = [layer("a", LayerPhase::Downloading, 1)];
        assert_eq!(told(&seen, &seen), []);
        assert_eq!(told(&seen, &[layer("a", LayerPhase::Downloading, 2)]), [("a".to_owned(), LayerPhase::Downloading)]);
        let end = told(&seen, &[layer("a", LayerPhase::Extracting, 2)]);
        assert_eq!(
            end.iter().map(|(_, phase)| *phase).collect::<Vec<_>>(),
            [LayerPhase::Verifying, LayerPhase::Downloaded, LayerPhase::Extracting]
        );
    }

    #[test]
    fn a_layer_that_is_sent_is_prepared_first() {
        let now = [layer("a", LayerPhase::Exists, 0), layer("b", LayerPhase::Preparing, 0)];
        let told: Vec<_> = since(Direction::Push, &[], &now).iter().map(LayerProgress::phase).collect();
        assert_eq!(told, [LayerPhase::Preparing, LayerPhase::Preparing, LayerPhase::Exists]);
    }
}
