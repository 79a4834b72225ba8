//! All of a container's own files as a tar.

use std::io::{self, Write};

use super::{FilesError, read::tar_of_all, view::Scope};
use crate::containers::{Containers, ContainersError};

impl Containers {
    /// Writes the tar of a container's root file system, without its volumes, to what `out` gives once the files are there.
    ///
    /// # Errors
    /// If there is no such container, or its files cannot be read.
    pub async fn export<W: Write>(
        &self,
        container: &str,
        out: impl FnOnce() -> io::Result<W> + Send + 'static,
    ) -> Result<(), ContainersError> {
        let entry = self.find(container)?;
        let export = move |root: &_| tar_of_all(root, out().map_err(FilesError::Gone)?);
        self.with_view(container, Scope::Own, export).await?;
        self.tell(&entry.now().record, "export", |event| event);
        Ok(())
    }
}
