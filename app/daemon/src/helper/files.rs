//! What helper and daemon leave for one another in the machine's runtime folder.

use std::{
    io,
    path::{Path, PathBuf},
};

use cove_machine::hypervisor::{Exit, MachineSpec};
use cove_platform::local::Endpoint;
use serde::{Serialize, de::DeserializeOwned};

use super::{HelperError, process::Identity};

/// The files of one runtime folder.
#[derive(Debug, Clone)]
pub(super) struct Files(PathBuf);

impl Files {
    pub(super) fn of(runtime_dir: &Path) -> Self {
        Self(runtime_dir.to_owned())
    }

    pub(super) fn endpoint(&self) -> Endpoint {
        Endpoint::in_folder(&self.0, "machine")
    }

    pub(super) fn spec(&self) -> PathBuf {
        self.0.join("machine.json")
    }

    fn identity(&self) -> PathBuf {
        self.0.join("machine.pid")
    }

    fn exit(&self) -> PathBuf {
        self.0.join("machine.exit")
    }

    pub(super) fn write_spec(&self, spec: &MachineSpec) -> Result<(), HelperError> {
        write(&self.spec(), spec)
    }

    pub(super) fn read_spec(path: &Path) -> Result<MachineSpec, HelperError> {
        read(path)?.ok_or_else(|| HelperError::File {
            what: "read",
            path: path.to_owned(),
            source: io::ErrorKind::NotFound.into(),
        })
    }

    pub(super) fn write_identity(&self, identity: &Identity) -> Result<(), HelperError> {
        write(&self.identity(), identity)
    }

    pub(super) fn read_identity(&self) -> Result<Option<Identity>, HelperError> {
        read(&self.identity())
    }

    /// The helper's last word: how it ended, then that nobody is there.
    pub(super) fn write_exit(&self, exit: &Exit) -> Result<(), HelperError> {
        write(&self.exit(), exit)?;
        remove(&self.identity())?;
        remove(&self.spec())
    }

    /// How the machine ended, told once.
    pub(super) fn take_exit(&self) -> Result<Option<Exit>, HelperError> {
        let exit = read(&self.exit())?;
        remove(&self.exit())?;
        Ok(exit)
    }

    /// Removes what a helper that is gone left.
    pub(super) fn clear(&self) -> Result<(), HelperError> {
        [self.identity(), self.spec(), self.exit()].iter().try_for_each(|path| remove(path))
    }
}

fn read<T: DeserializeOwned>(path: &Path) -> Result<Option<T>, HelperError> {
    let failed = |source| HelperError::File { what: "read", path: path.to_owned(), source };
    match std::fs::read(path) {
        Ok(text) => serde_json::from_slice(&text).map(Some).map_err(|e| failed(e.into())),
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(e) => Err(failed(e)),
    }
}

/// A reader sees a whole file or none.
fn write(path: &Path, value: &impl Serialize) -> Result<(), HelperError> {
    let failed = |source| HelperError::File { what: "write", path: path.to_owned(), source };
    let temporary = path.with_extension("new");
    let text = serde_json::to_vec_pretty(value).map_err(|e| failed(e.into()))?;
    std::fs::write(&temporary, text).and_then(|()| std::fs::rename(&temporary, path)).map_err(failed)
}

fn remove(path: &Path) -> Result<(), HelperError> {
    match std::fs::remove_file(path) {
        Err(source) if source.kind() != io::ErrorKind::NotFound => {
            Err(HelperError::File { what: "remove", path: path.to_owned(), source })
        }
        _ => Ok(()),
    }
}
