//! Setting the size of a container's terminal.

use super::{Containers, ContainersError};

impl Containers {
    /// Sets the size of a container's terminal.
    ///
    /// # Errors
    /// If the container does not run.
    pub fn resize(&self, container: &str, rows: u32, columns: u32) -> Result<(), ContainersError> {
        let entry = self.find(container)?;
        let program = entry.running()?;
        let short = |value: u32| u16::try_from(value).unwrap_or(u16::MAX);
        program.resize(short(rows), short(columns)).map_err(ContainersError::Resize)?;
        self.tell(&entry.now().record, "resize", |event| event.with("height", rows).with("width", columns));
        Ok(())
    }
}
