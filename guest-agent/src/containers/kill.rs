//! Sending a container a signal.

use super::{
    Containers, ContainersError,
    actor::{By, Command},
    signals, stop,
};

impl Containers {
    /// Sends the first process of a container a signal, SIGKILL if none is named.
    ///
    /// # Errors
    /// If there is no such signal, or the container does not run.
    pub async fn kill(&self, container: &str, signal: &str) -> Result<(), ContainersError> {
        let around = |source| ContainersError::Kill { container: container.to_owned(), source: Box::new(source) };
        let number = match signal {
            "" => libc::SIGKILL,
            name => signals::parse(name).ok_or_else(|| ContainersError::InvalidSignal(name.to_owned()))?,
        };
        let entry = self.find(container).map_err(around)?;
        let program = match stop::find_run(&entry, By::Kill).await.map_err(around)? {
            stop::Found::Runs(program) => program,
            stop::Found::GivenUp => return Ok(()),
            stop::Found::Idle => return Err(around(ContainersError::NotRunning(entry.id.clone()))),
        };
        entry.ask(|reply| Command::Signal { signal: number, by: By::Kill, reply }).await.map_err(around)?;
        if number == libc::SIGKILL {
            // As with dockerd, who kills finds it dead.
            stop::is_over(&entry, &program, None).await;
        }
        Ok(())
    }
}
