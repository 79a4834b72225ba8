//! The images that come with the VM: loaded when the store is first opened, once for each version of the archive, so that
//! a user who removes them has them removed.

use std::fs::File;
use std::io;
use std::path::Path;

use super::digest::HashingReader;
use super::error::at;
use super::load::Spool;
use super::{ImageStore, ImagesError};

impl ImageStore {
    pub(super) fn load_builtin(&self, archive: &Path) -> Result<(), ImagesError> {
        let mut file = HashingReader::new(File::open(archive).map_err(at("open", archive))?);
        io::copy(&mut file, &mut io::sink()).map_err(at("read", archive))?;
        let (digest, _) = file.finish();
        if self.0.catalogue.read()?.builtin_was_loaded(&digest.to_string())? {
            return Ok(());
        }
        let spool = Spool::fill(self, File::open(archive).map_err(at("open", archive))?)?;
        let loaded = self.load_spooled(&spool, Some(&digest))?;
        tracing::info!(images = loaded.len(), "loaded the images that come with the VM");
        Ok(())
    }
}
