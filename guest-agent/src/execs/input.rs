//! The standard input of an exec.

use std::sync::Arc;

use tokio::io::Interest;

use super::ExecsError;
use crate::{
    containers::program::Program,
    streams::{self, Watched},
};

/// The way to the standard input of an exec.
#[derive(Debug)]
pub struct Input {
    program: Arc<dyn Program>,
    end: Watched,
}

impl Input {
    /// `None` if the program has none.
    pub(super) fn of(program: &Arc<dyn Program>) -> Result<Option<Self>, ExecsError> {
        let Some(fd) = program.input() else { return Ok(None) };
        let end = streams::watch(&*fd, Interest::WRITABLE).map_err(ExecsError::Streams)?;
        Ok(Some(Self { program: Arc::clone(program), end }))
    }

    /// Writes to the program, as fast as it reads. Says whether it takes more.
    pub async fn write(&self, data: &[u8]) -> bool {
        match streams::write_all(&self.end, data).await {
            Ok(()) => true,
            Err(error) => {
                if error.kind() != std::io::ErrorKind::BrokenPipe {
                    tracing::warn!(%error, "the input of an exec cannot be written");
                }
                false
            }
        }
    }

    /// The client sends no more: the program's input ends. A terminal's does not.
    pub async fn finish(self) {
        let Self { program, end } = self;
        // Closed means that nobody has it open, here neither.
        drop(end);
        program.close_input().await;
    }
}
