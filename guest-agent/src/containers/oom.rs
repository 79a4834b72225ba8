//! Telling that the kernel killed a process of a container for want of memory, when it happens: the container may go on.

use std::sync::Arc;

use tokio::{sync::mpsc, task::JoinHandle};

use super::{
    actor::{Actor, Command},
    program::Program,
};

/// The task that waits for such kills; ends when this is dropped.
#[derive(Debug)]
pub(super) struct Watch(JoinHandle<()>);

impl Watch {
    /// Ends it, and returns when the file that it had open is closed. A file of a cgroup that is open when that is removed
    /// keeps the kernel's memory for both until memory is short.
    pub(super) async fn end(mut self) {
        self.0.abort();
        // How it ended says nothing.
        let _ = (&mut self.0).await;
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl Actor {
    pub(super) fn watch_for_oom(&mut self) {
        let Some(running) = &mut self.running else { return };
        let watch = watch(Arc::clone(&running.program), self.own.clone());
        running.oom = Some(Watch(tokio::spawn(watch)));
    }

    /// The kernel has killed a process.
    pub(super) fn oom(&mut self) {
        if let Some(running) = &mut self.running {
            running.oom_told = true;
            self.publish();
            self.tell("oom");
        }
    }
}

async fn watch(program: Arc<dyn Program>, to: mpsc::WeakSender<Command>) {
    let mut known = 0;
    // Without a count any more, the run is over.
    while let Some(kills) = program.oom_kills_beyond(known).await {
        known = kills;
        let Some(to) = to.upgrade() else { return };
        if to.send(Command::Oom).await.is_err() {
            return;
        }
    }
}
