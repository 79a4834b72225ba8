//! Values that live on a serial queue: they are made, used and dropped there and nowhere else.
#![expect(unsafe_code, reason = "tells the compiler that the queue keeps what it cannot see")]

use std::sync::Arc;

use cove_machine::hypervisor::HypervisorError;
use dispatch2::{DispatchQueue, DispatchRetained};
use objc2::rc::autoreleasepool;
use tokio::sync::oneshot;

use super::failure::failed;

/// A value that is used on its queue only.
pub(crate) struct OnQueue<T: 'static> {
    queue: DispatchRetained<DispatchQueue>,
    /// Always there until the end; an option so that the end can hand it to the queue.
    value: Option<Arc<There<T>>>,
}

struct There<T>(T);

// SAFETY: the value is made in a closure that the queue runs, lent to closures that the queue runs, and dropped there: by the
// last of them, which holds the last count. `Arc`s of it are moved between threads but looked into on the queue only, and
// the queue is serial, so nothing is done to it at the same time.
unsafe impl<T> Send for There<T> {}
// SAFETY: as above.
unsafe impl<T> Sync for There<T> {}

impl<T: 'static> OnQueue<T> {
    /// Makes a serial queue and, on it, the value.
    pub(crate) async fn make(
        label: &str,
        make: impl FnOnce(&DispatchQueue) -> Result<T, HypervisorError> + Send + 'static,
    ) -> Result<Self, HypervisorError> {
        // Without an attribute a queue is serial.
        let queue = DispatchQueue::new(label, None);
        let (tell, made) = oneshot::channel();
        let there = queue.clone();
        queue.exec_async(move || {
            let made = autoreleasepool(|_| make(&there));
            tell.send(made.map(|value| OnQueue { queue: there, value: Some(Arc::new(There(value))) })).ok();
        });
        made.await.map_err(|_| failed(label, &"its queue did nothing"))?
    }

    /// Lends the value to some work on the queue, and does not wait for it.
    pub(crate) fn run(&self, work: impl FnOnce(&T) + Send + 'static) {
        let Some(value) = self.value.clone() else { return };
        self.queue.exec_async(move || {
            autoreleasepool(|_| work(&value.0));
            drop(value);
        });
    }
}

impl<T: 'static> Drop for OnQueue<T> {
    fn drop(&mut self) {
        let value = self.value.take();
        self.queue.exec_async(move || autoreleasepool(|_| drop(value)));
    }
}
