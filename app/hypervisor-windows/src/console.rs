//! The pipe that the machine's serial port writes to. It exists before the machine does.

use std::{io, sync::Arc};

use cove_machine::console::{self, Sign, Sink};
use tokio::{net::windows::named_pipe::NamedPipeServer, sync::Notify, task::JoinHandle};

use crate::sys::pipe;

/// The console of one machine.
pub(crate) struct Console {
    reader: JoinHandle<bool>,
    over: Arc<Notify>,
}

impl Console {
    /// Makes the pipe and writes into the sink whatever comes.
    ///
    /// # Errors
    /// If the pipe cannot be made.
    pub(crate) fn open(pipe: &str, sink: Sink) -> io::Result<Self> {
        let pipe = pipe::create(pipe)?;
        let over = Arc::new(Notify::new());
        let reader = tokio::spawn(keep(pipe, sink, over.clone()));
        Ok(Self { reader, over })
    }

    /// The machine has ended: what is still in the pipe is read. Says whether the kernel panicked.
    pub(crate) async fn finish(self) -> bool {
        self.over.notify_one();
        self.reader.await.unwrap_or(false)
    }
}

async fn keep(pipe: NamedPipeServer, sink: Sink, over: Arc<Notify>) -> bool {
    tokio::select! {
        connected = pipe.connect() => if let Err(error) = connected {
            tracing::warn!(%error, "the machine's console was not connected");
            return false;
        },
        () = over.notified() => return false,
    }
    let mut panicked = false;
    // The machine closes its end of the pipe when it ends, so this has an end.
    console::keep(pipe, sink, |sign| panicked |= sign == Sign::Panic).await;
    panicked
}
