//! What is being made or removed in the store. Its name says so to the next agent, which removes it; this agent knows it.

use std::path::{Path, PathBuf};
use std::sync::PoisonError;

use super::layers::remove_tree;
use super::store::random_name;
use super::{ImageStore, ImagesError};

/// Prefix of its names.
const PREFIX: &str = ".tmp-";

/// A file or folder that goes unless it is moved into place.
pub(super) struct Temporary {
    store: ImageStore,
    path: PathBuf,
}

impl Temporary {
    /// A new name below `folder`; nothing is there yet.
    pub(super) fn new(store: &ImageStore, folder: &Path) -> Result<Self, ImagesError> {
        let path = folder.join(format!("{PREFIX}{}", random_name(folder)?));
        store.0.at_work.lock().unwrap_or_else(PoisonError::into_inner).insert(path.clone());
        Ok(Self { store: store.clone(), path })
    }

    /// Where it is.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for Temporary {
    fn drop(&mut self) {
        if let Err(error) = remove_tree(&self.path) {
            tracing::warn!(path = %self.path.display(), %error, "what was being made cannot be removed");
        }
        self.store.0.at_work.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.path);
    }
}

impl ImageStore {
    /// Whether something is being made or removed there.
    pub(super) fn is_at_work(&self, path: &Path) -> bool {
        self.0.at_work.lock().unwrap_or_else(PoisonError::into_inner).contains(path)
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::images::archives::TestStore;

    #[test]
    fn what_is_on_its_way_is_no_left_over_and_goes() {
        let test = TestStore::new();
        let problems = || test.store.check(false).unwrap().problems.len();
        let (making, left) = (Temporary::new(&test.store, &test.store.layers_folder()).unwrap(), ".tmp-left");
        fs::create_dir(making.path()).unwrap();
        assert_eq!(problems(), 0);
        fs::create_dir(test.store.layers_folder().join(left)).unwrap();
        assert_eq!(problems(), 1);
        drop(making);
        assert_eq!((problems(), test.on_disk()), (1, vec![format!("layers/{left}")]));
        assert_eq!(test.reopen().on_disk(), [""; 0]);
    }
}
