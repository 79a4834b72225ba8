//! What was granted. A container's mount names a grant by its id; nothing else of this computer can be seen by the guest,
//! whatever runs in it.

use std::{
    fs, io,
    path::{Component, Path, PathBuf},
    sync::{Mutex, MutexGuard, PoisonError},
};

use cove_shares::host::native;
use serde::{Deserialize, Serialize};

/// Why something is not granted.
#[derive(Debug, thiserror::Error)]
pub enum GrantError {
    /// Not a path from the root.
    #[error("invalid mount path: '{0}' mount path must be absolute")]
    Relative(String),
    /// Nothing is there. dockerd's words.
    #[error("bind source path does not exist: {0}")]
    Missing(String),
    /// The user does not let it be shared.
    #[error(
        "the path {path} is not shared from this computer: containers may see what is below {roots}; to let them see \
         more: cove share roots FOLDER..."
    )]
    Forbidden {
        /// The path.
        path: String,
        /// What may be.
        roots: String,
    },
    /// The user gives Docker's API to no container.
    #[error(
        "containers may not use Docker's API of this computer; to let those that mount /var/run/docker.sock: \
         cove share docker-socket on"
    )]
    NoDockerApi,
    /// Neither a folder nor a file.
    #[error("bind source path is neither a folder nor a file: {0}")]
    Special(String),
    /// No such grant.
    #[error("no such share: {0}")]
    Unknown(String),
    /// This system's folders cannot be shared.
    #[error("folders of a Windows computer cannot be shared by this version of Cove yet")]
    Unsupported,
    /// What is there could not be looked at.
    #[error("look at {path}")]
    Look {
        /// The path.
        path: String,
        /// Why not.
        #[source]
        source: io::Error,
    },
    /// The file of the grants.
    #[error("keep the list of shared folders in {path}")]
    Keep {
        /// The file.
        path: String,
        /// Why not.
        #[source]
        source: io::Error,
    },
}

/// A grant.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Grant {
    /// Its id, which nobody guesses.
    pub id: String,
    /// The path, with all links in it followed.
    pub path: PathBuf,
    /// Whether it cannot be written to.
    pub read_only: bool,
    /// Whether a folder is made where there is none.
    pub create_missing: bool,
    /// Whether it is no file but Docker's API.
    #[serde(default)]
    pub docker_api: bool,
}

/// What the file holds.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default)]
struct Kept {
    /// Below which folders anything may be shared; the defaults if empty.
    roots: Vec<PathBuf>,
    /// Whether no container may be given Docker's API.
    without_docker_api: bool,
    grants: Vec<Grant>,
}

/// Where programs look for Docker's API. On every host: such a path means the engine in which it is mounted.
const DOCKER_SOCKETS: [&str; 2] = ["/var/run/docker.sock", "/run/docker.sock"];

/// The grants.
#[derive(Debug)]
pub struct Grants {
    file: PathBuf,
    defaults: Vec<PathBuf>,
    docker_sockets: Vec<PathBuf>,
    kept: Mutex<Kept>,
}

impl Grants {
    /// Those of a file. One that cannot be read grants nothing.
    #[must_use]
    pub fn open(file: PathBuf, defaults: Vec<PathBuf>) -> Self {
        let kept = match fs::read(&file).map(|bytes| serde_json::from_slice(&bytes)) {
            Ok(Ok(kept)) => kept,
            Err(error) if error.kind() == io::ErrorKind::NotFound => Kept::default(),
            Ok(Err(_)) | Err(_) => {
                tracing::warn!(file = %file.display(), "the list of shared folders cannot be read; nothing is shared");
                Kept::default()
            }
        };
        let docker_sockets = DOCKER_SOCKETS.map(PathBuf::from).to_vec();
        Self { file, defaults, docker_sockets, kept: Mutex::new(kept) }
    }

    /// The daemon's own socket for docker means Docker's API as well.
    #[must_use]
    pub fn with_docker_socket(mut self, path: PathBuf) -> Self {
        self.docker_sockets.push(path);
        self
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Grants a path, or finds what it was granted as. Blocks.
    ///
    /// # Errors
    /// Why it is not.
    pub fn grant(&self, path: &str, read_only: bool, create_missing: bool) -> Result<Grant, GrantError> {
        let asked = clean(Path::new(path));
        if self.docker_sockets.contains(&asked) {
            // What is asked of a socket neither is read-only nor makes it.
            let grant = Grant { id: new_id(), path: asked, read_only: false, create_missing: false, docker_api: true };
            self.require(&grant)?;
            return self.keep(grant);
        }
        if !native::is_supported() {
            return Err(GrantError::Unsupported);
        }
        if !asked.is_absolute() {
            return Err(GrantError::Relative(path.to_owned()));
        }
        let path = self.resolve(&asked, if create_missing { Missing::Later } else { Missing::Refused })?;
        self.keep(Grant { id: new_id(), path, read_only, create_missing, docker_api: false })
    }

    /// Keeps a grant, or finds the one that is the same but for its id.
    fn keep(&self, grant: Grant) -> Result<Grant, GrantError> {
        let mut kept = self.kept();
        if let Some(known) = kept.grants.iter().find(|known| Grant { id: known.id.clone(), ..grant.clone() } == **known)
        {
            return Ok(known.clone());
        }
        kept.grants.push(grant.clone());
        self.save(&kept)?;
        Ok(grant)
    }

    /// Refuses Docker's API where the user gives it to no container.
    fn require(&self, grant: &Grant) -> Result<(), GrantError> {
        if grant.docker_api && !self.shares_docker_api() { Err(GrantError::NoDockerApi) } else { Ok(()) }
    }

    /// Whether containers may be given Docker's API.
    #[must_use]
    pub fn shares_docker_api(&self) -> bool {
        !self.kept().without_docker_api
    }

    /// Says whether they may.
    ///
    /// # Errors
    /// If the file cannot be written.
    pub fn share_docker_api(&self, shared: bool) -> Result<(), GrantError> {
        let mut kept = self.kept();
        kept.without_docker_api = !shared;
        self.save(&kept)
    }

    /// Where a path leads, if it may be shared. Nothing is made where nothing may be shared.
    fn resolve(&self, asked: &Path, missing: Missing) -> Result<PathBuf, GrantError> {
        let shown = asked.display().to_string();
        let look = |source| GrantError::Look { path: shown.clone(), source };
        let found = match asked.canonicalize() {
            Ok(found) => found,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                if missing == Missing::Refused {
                    return Err(GrantError::Missing(shown));
                }
                let (there, rest) = nearest(asked).map_err(look)?;
                self.require_root(&there, &shown)?;
                let made = there.join(rest);
                if missing == Missing::Later {
                    return Ok(made);
                }
                fs::create_dir_all(&made).map_err(look)?;
                made
            }
            Err(error) => return Err(look(error)),
        };
        self.require_root(&found, &shown)?;
        let kind = fs::metadata(&found).map_err(look)?;
        if kind.is_dir() || kind.is_file() { Ok(found) } else { Err(GrantError::Special(shown)) }
    }

    fn require_root(&self, path: &Path, shown: &str) -> Result<(), GrantError> {
        let roots = self.roots();
        // A root that is not there lets nothing be shared.
        let below = |root: &PathBuf| root.canonicalize().is_ok_and(|root| path.starts_with(root));
        if roots.iter().any(below) {
            return Ok(());
        }
        let roots: Vec<String> = roots.iter().map(|root| root.display().to_string()).collect();
        Err(GrantError::Forbidden { path: shown.to_owned(), roots: roots.join(", ") })
    }

    /// Below which folders anything may be shared.
    #[must_use]
    pub fn roots(&self) -> Vec<PathBuf> {
        let kept = self.kept();
        if kept.roots.is_empty() { self.defaults.clone() } else { kept.roots.clone() }
    }

    /// Sets them; the defaults when there are none.
    ///
    /// # Errors
    /// If one is no absolute path, or the file cannot be written.
    pub fn set_roots(&self, roots: &[String]) -> Result<(), GrantError> {
        if let Some(relative) = roots.iter().find(|root| !Path::new(root).is_absolute()) {
            return Err(GrantError::Relative(relative.clone()));
        }
        let mut kept = self.kept();
        kept.roots = roots.iter().map(PathBuf::from).collect();
        self.save(&kept)
    }

    /// All, by path.
    #[must_use]
    pub fn list(&self) -> Vec<Grant> {
        let mut grants = self.kept().grants.clone();
        grants.sort_by(|a, b| (&a.path, a.read_only).cmp(&(&b.path, b.read_only)));
        grants
    }

    /// The grant of an id, as long as the user lets it be shared.
    ///
    /// # Errors
    /// If there is none, or what it is of may not be shared any more, or is not there.
    pub fn find(&self, id: &str) -> Result<Grant, GrantError> {
        let grant = self.kept().grants.iter().find(|grant| grant.id == id).cloned();
        let grant = grant.ok_or_else(|| GrantError::Unknown(id.to_owned()))?;
        if grant.docker_api {
            return self.require(&grant).map(|()| grant);
        }
        // Who put a link to elsewhere there since then does not get elsewhere shared.
        let path = self.resolve(&grant.path, if grant.create_missing { Missing::Made } else { Missing::Refused })?;
        Ok(Grant { path, ..grant })
    }

    /// Takes back those of an id or a path.
    ///
    /// # Errors
    /// If there is none, or the file cannot be written.
    pub fn revoke(&self, share: &str) -> Result<(), GrantError> {
        let mut kept = self.kept();
        let before = kept.grants.len();
        kept.grants.retain(|grant| grant.id != share && grant.path != Path::new(share));
        if kept.grants.len() == before {
            return Err(GrantError::Unknown(share.to_owned()));
        }
        self.save(&kept)
    }

    /// Writes beside the file and moves that there: no reader sees half of it.
    fn save(&self, kept: &Kept) -> Result<(), GrantError> {
        let beside = self.file.with_extension("new");
        let write = || {
            fs::write(&beside, serde_json::to_vec_pretty(kept)?)?;
            fs::rename(&beside, &self.file)
        };
        write().map_err(|source| GrantError::Keep { path: self.file.display().to_string(), source })
    }
}

/// What becomes of a path where nothing is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Missing {
    /// It is refused.
    Refused,
    /// It becomes a folder when a container starts.
    Later,
    /// It becomes a folder.
    Made,
}

/// How a path is written when it is written shortest: dockerd's way, which asks no file system.
fn clean(path: &Path) -> PathBuf {
    path.components().fold(PathBuf::new(), |mut cleaned, part| {
        match part {
            Component::CurDir => {}
            Component::ParentDir => drop(cleaned.pop()),
            part => cleaned.push(part),
        }
        cleaned
    })
}

/// The nearest folder above a path that is there, with all links followed, and the rest of the path.
fn nearest(path: &Path) -> io::Result<(PathBuf, &Path)> {
    let mut last = io::Error::from(io::ErrorKind::NotFound);
    for above in path.ancestors().skip(1) {
        match above.canonicalize() {
            Ok(found) => return Ok((found, path.strip_prefix(above).unwrap_or(path))),
            Err(error) if error.kind() == io::ErrorKind::NotFound => last = error,
            Err(error) => return Err(error),
        }
    }
    Err(last)
}

fn new_id() -> String {
    let mut bytes = [0; 16];
    // Without randomness the system has nothing that works.
    if getrandom::fill(&mut bytes).is_err() {
        tracing::error!("the system gives no random bytes");
    }
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
