//! The folder of one user's Cove and the places in it.
//!
//! ```text
//! <home>/              $COVE_HOME, else ~/.local/share/cove, ~/Library/Application Support/Cove, %LOCALAPPDATA%\Cove
//!   coved.lock         held by the daemon that runs; coved.pid beside it says which
//!   run/               engine.sock, docker.sock (on Windows they are named pipes), machine/ for a run of the machine
//!   registries.json    what the user decided about registries
//!   log/coved.log      what the daemon says when it is detached
//!   machine/           settings, data disk, console, log of the helper process
//! ```
//!
//! The folder belongs to this user alone. That, the mode of the sockets and the uid of each peer are three walls, each
//! of which holds without the others.

mod private;

use std::{
    env, io,
    path::{Path, PathBuf},
};

use crate::local::{Endpoint, EndpointError};

/// Name of the environment variable that moves the home.
pub const VARIABLE: &str = "COVE_HOME";

/// Why the home cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum HomeError {
    /// The system names no folder for this user.
    #[error("the system names no home folder for this user; set {VARIABLE} to a folder for Cove")]
    Unknown,
    /// A path of the home cannot be looked at, made or changed.
    #[error("{}", path.display())]
    Path {
        /// The path.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// Something is in the way.
    #[error("{} is not a folder", .0.display())]
    NotAFolder(PathBuf),
    /// It belongs to somebody else.
    #[error("{} belongs to the user with id {owner}, not to you (id {user}); set {VARIABLE} to a folder of your own", path.display())]
    Foreign {
        /// The folder or symbolic link.
        path: PathBuf,
        /// Who owns it.
        owner: u32,
        /// Who asks.
        user: u32,
    },
    /// Others may enter it and it holds files that are not Cove's, so its mode is not ours to change.
    #[error("{} is open to other users (mode {mode:04o}) and holds files that are not Cove's; close it with chmod 700 or set {VARIABLE} to another folder", path.display())]
    Open {
        /// The folder.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// A socket in it could not be named.
    #[error(transparent)]
    Endpoint(#[from] EndpointError),
}

/// The folder of one user's Cove. Holding one says that the path is absolute, not that the folder exists.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Home(PathBuf);

impl Home {
    /// Where the home is: `explicit`, else `$COVE_HOME`, else the platform's place for a program's files.
    ///
    /// # Errors
    /// [`HomeError::Unknown`] if nobody says, [`HomeError::Path`] if a relative path cannot be made absolute.
    pub fn find(explicit: Option<PathBuf>) -> Result<Self, HomeError> {
        let named = explicit.or_else(|| env::var_os(VARIABLE).filter(|value| !value.is_empty()).map(PathBuf::from));
        let path = match named {
            Some(path) => path,
            None => directories::BaseDirs::new()
                .ok_or(HomeError::Unknown)?
                .data_local_dir()
                .join(if cfg!(target_os = "linux") { "cove" } else { "Cove" }),
        };
        std::path::absolute(&path).map(Self).map_err(|source| HomeError::Path { path, source })
    }

    /// Makes the home and the folders in it, all closed to other users, and checks that its sockets can be named.
    ///
    /// # Errors
    /// Says which path is unfit, why, and what to do.
    pub fn prepare(&self) -> Result<(), HomeError> {
        self.engine_endpoint().check()?;
        self.docker_endpoint().check()?;
        private::claim(&self.0, |name| name == "coved.lock")?;
        for folder in [self.run(), self.log(), self.machine()] {
            private::claim(&folder, |_| true)?;
        }
        Ok(())
    }

    /// The folder itself.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// Folder of sockets; short, because socket paths are limited.
    #[must_use]
    pub fn run(&self) -> PathBuf {
        self.0.join("run")
    }

    /// Folder of logs.
    #[must_use]
    pub fn log(&self) -> PathBuf {
        self.0.join("log")
    }

    /// The log of a detached daemon.
    #[must_use]
    pub fn daemon_log(&self) -> PathBuf {
        self.log().join("coved.log")
    }

    /// Folder of the machine: its settings, its data disk and its console.
    #[must_use]
    pub fn machine(&self) -> PathBuf {
        self.0.join("machine")
    }

    /// The file that the running daemon holds.
    #[must_use]
    pub fn lock(&self) -> PathBuf {
        self.0.join("coved.lock")
    }

    /// Where `cove.v1` is served.
    #[must_use]
    pub fn engine_endpoint(&self) -> Endpoint {
        Endpoint::in_folder(&self.run(), "engine")
    }

    /// Where the Docker API is served.
    #[must_use]
    pub fn docker_endpoint(&self) -> Endpoint {
        Endpoint::in_folder(&self.run(), "docker")
    }
}

/// The folder of this user, where other programs keep their settings.
#[must_use]
pub fn user_folder() -> Option<PathBuf> {
    directories::BaseDirs::new().map(|folders| folders.home_dir().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_relative_path_becomes_absolute() {
        let home = Home::find(Some("somewhere".into())).unwrap();
        assert!(home.path().is_absolute());
        assert!(home.path().ends_with("somewhere"));
    }

    #[cfg(unix)]
    #[test]
    fn a_home_too_deep_for_its_sockets_is_refused_with_the_numbers() {
        let folder = tempfile::tempdir().unwrap();
        let home = Home::find(Some(folder.path().join("x".repeat(100)))).unwrap();
        let text = home.prepare().unwrap_err().to_string();
        assert!(text.contains("bytes, the system allows"), "{text}");
        assert!(text.contains("set COVE_HOME to a shorter folder"), "{text}");
        assert!(!home.path().exists(), "nothing may be left behind");
    }

    #[test]
    fn preparing_twice_is_preparing_once() {
        let folder = tempfile::tempdir().unwrap();
        let home = Home::find(Some(folder.path().join("cove"))).unwrap();
        home.prepare().unwrap();
        home.prepare().unwrap();
        assert!(home.run().is_dir() && home.log().is_dir() && home.machine().is_dir());
    }
}
