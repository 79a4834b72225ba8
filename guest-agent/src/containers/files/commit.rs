//! A container as an image: the image that it was made from, and one more layer of what it changed.

use std::{
    collections::BTreeSet,
    io::{self, Write},
    os::fd::{AsFd, BorrowedFd, OwnedFd},
    thread,
};

use cove_proto::v1;
use rustix::fs::{AtFlags, FileType, fstat, statat};
use serde_json::{Map, Value, json};

use super::{
    FilesError,
    changes::{Change, ChangeKind, Layers, is_opaque},
    read::Walk,
    root::{self, Root},
};
use crate::{
    containers::{Containers, ContainersError, Record, blocking},
    images::{CommitRequest, EntryKind},
};

/// What image to make of a container.
#[derive(Debug, Clone, Default)]
pub struct Commit {
    /// Reference to give it; none when empty.
    pub reference: String,
    /// Who made it.
    pub author: String,
    /// Comment in its history.
    pub message: String,
    /// Dockerfile instructions that change its configuration.
    pub changes: Vec<String>,
    /// Whether the container is frozen meanwhile.
    pub pause: bool,
    /// Members of the configuration that rule over the container's, as JSON.
    pub config_json: Vec<u8>,
}

impl Containers {
    /// Makes an image from a container. Returns its id.
    ///
    /// # Errors
    /// If there is no such container, the request makes no sense, or the disk is full.
    pub async fn commit(&self, container: &str, commit: Commit) -> Result<String, ContainersError> {
        let found = self.find(container)?;
        let view = found.now();
        let freeze = commit.pause && view.program.is_some() && !view.paused;
        if freeze {
            self.pause(&found.id).await?;
        }
        let (containers, record) = (self.clone(), view.record.clone());
        let (reference, message) = (commit.reference.clone(), commit.message.clone());
        let made = blocking(move || containers.image_of(&record, commit)).await;
        if freeze && let Err(error) = self.unpause(&found.id).await {
            // It may have ended meanwhile: the image is made all the same.
            tracing::info!(container = %found.id, error = &error as &dyn std::error::Error, "not unpaused after a commit");
        }
        let id = made?;
        self.tell(&found.now().record, "commit", |event| {
            event.with("comment", &message).with("imageID", &id).with("imageRef", &reference)
        });
        Ok(id)
    }

    fn image_of(&self, record: &Record, commit: Commit) -> Result<String, ContainersError> {
        let layers = self.layers(&record.id)?;
        let changes = layers.changes()?;
        let body = serde_json::from_slice::<Option<Map<String, Value>>>(match commit.config_json.as_slice() {
            [] => b"null",
            json => json,
        });
        let request = CommitRequest {
            container: record.id.clone(),
            container_config: config_of(record),
            config: body.map_err(|error| FilesError::User(format!("invalid configuration: {error}")))?,
            changes: commit.changes,
            reference: commit.reference,
            author: commit.author,
            message: commit.message,
        };
        if changes.is_empty() {
            return Ok(self.0.images.commit(&request, None)?);
        }
        let (reader, writer) = io::pipe().map_err(|error| FilesError::View(Box::new(error)))?;
        thread::scope(|scope| {
            let written = scope.spawn(move || layer(&layers, &changes, writer));
            let committed = self.0.images.commit(&request, Some(Box::new(reader)));
            let written = written.join().unwrap_or(Err(FilesError::Gone(io::ErrorKind::Other.into())));
            match (committed, written) {
                // The reader stopped first: it knows why.
                (Err(error), _) => Err(error.into()),
                (Ok(_), Err(error)) => Err(error.into()),
                (Ok(id), Ok(())) => Ok(id),
            }
        })
    }
}

/// Writes the tar of the changes, with whiteouts for what is gone.
pub(super) fn layer(layers: &Layers, changes: &[Change], out: impl Write) -> Result<(), FilesError> {
    let root = layers.upper.try_clone().map_err(|error| FilesError::View(Box::new(error)))?;
    let root = Root::new(root).map_err(|errno| FilesError::View(Box::new(errno)))?;
    let mut tar = LayerTar { walk: Walk::new(&root, out), layers, folders: BTreeSet::new() };
    for change in changes {
        tar.change(change)?;
    }
    tar.walk.finish()
}

struct LayerTar<'a, W> {
    walk: Walk<'a, W>,
    layers: &'a Layers,
    /// Folders that are in the tar.
    folders: BTreeSet<Vec<u8>>,
}

impl<W: Write> LayerTar<'_, W> {
    fn change(&mut self, change: &Change) -> Result<(), FilesError> {
        let (above, name) = match change.path.iter().rposition(|byte| *byte == b'/') {
            Some(at) => (&change.path[..at], &change.path[at + 1..]),
            None => (&b""[..], change.path.as_slice()),
        };
        let parent = self.folder(above)?;
        let failed = |errno| FilesError::of(&String::from_utf8_lossy(&change.path), errno);
        if change.kind == ChangeKind::Deleted {
            if is_opaque(parent.as_fd(), self.layers.opaque) {
                // That the folder is opaque says so already.
                return Ok(());
            }
            let facts = fstat(&parent).map_err(failed)?;
            let separator: &[u8] = if above.is_empty() { b"" } else { b"/" };
            let path = [above, separator, b".wh.", name].concat();
            let mode = 0o600;
            let whiteout = self.walk.new_entry(EntryKind::File, &facts, path);
            return self.walk.put(&crate::images::Entry { mode, ..whiteout }, io::empty());
        }
        let facts = statat(&parent, name, AtFlags::SYMLINK_NOFOLLOW).map_err(failed)?;
        if FileType::from_raw_mode(facts.st_mode) == FileType::Directory {
            return self.folder(&change.path).map(drop);
        }
        self.walk.entry(parent.as_fd(), name, &change.path, 0)
    }

    /// Opens a folder of the writable layer, after it and those above it went into the tar.
    fn folder(&mut self, path: &[u8]) -> Result<OwnedFd, FilesError> {
        let failed = |errno| FilesError::of(&String::from_utf8_lossy(path), errno);
        let mut open = root::readable(&self.layers.upper).map_err(failed)?;
        let mut so_far = Vec::new();
        for name in path.split(|byte| *byte == b'/').filter(|name| !name.is_empty()) {
            if !so_far.is_empty() {
                so_far.push(b'/');
            }
            so_far.extend_from_slice(name);
            open = root::child(open.as_fd(), name).map_err(failed)?;
            if self.folders.insert(so_far.clone()) {
                self.new_folder(open.as_fd(), &so_far)?;
            }
        }
        Ok(open)
    }

    fn new_folder(&mut self, folder: BorrowedFd<'_>, path: &[u8]) -> Result<(), FilesError> {
        self.walk.folder_alone(folder, path)?;
        if !is_opaque(folder, self.layers.opaque) {
            return Ok(());
        }
        let facts = fstat(folder).map_err(|errno| FilesError::of(&String::from_utf8_lossy(path), errno))?;
        let mark = self.walk.new_entry(EntryKind::File, &facts, [path, b"/.wh..wh..opq"].concat());
        self.walk.put(&crate::images::Entry { mode: 0o600, ..mark }, io::empty())
    }
}

/// The configuration of an image whose containers are like this one.
fn config_of(record: &Record) -> Map<String, Value> {
    let spec = &record.spec;
    let list = |list: &Option<v1::StringList>| list.as_ref().map(|list| list.values.clone());
    let set = |paths: &[String]| paths.iter().map(|path| (path.clone(), json!({}))).collect::<Map<_, _>>();
    let mut config = Map::new();
    config.insert("User".to_owned(), json!(spec.user));
    config.insert("Env".to_owned(), json!(spec.env));
    config.insert("Cmd".to_owned(), json!(list(&spec.cmd)));
    config.insert("Image".to_owned(), json!(spec.image));
    let volumes = (!spec.anonymous_volumes.is_empty()).then(|| set(&spec.anonymous_volumes));
    config.insert("Volumes".to_owned(), json!(volumes));
    config.insert("WorkingDir".to_owned(), json!(spec.working_dir));
    config.insert("Entrypoint".to_owned(), json!(list(&spec.entrypoint)));
    config.insert("OnBuild".to_owned(), Value::Null);
    let labels: std::collections::BTreeMap<_, _> = spec.labels.iter().collect();
    config.insert("Labels".to_owned(), json!(labels));
    if !spec.stop_signal.is_empty() {
        config.insert("StopSignal".to_owned(), json!(spec.stop_signal));
    }
    if let Some(check) = &spec.healthcheck {
        config.insert(
            "Healthcheck".to_owned(),
            json!({
                "Test": check.test,
                "Interval": check.interval_nanos,
                "Timeout": check.timeout_nanos,
                "StartPeriod": check.start_period_nanos,
                "StartInterval": check.start_interval_nanos,
                "Retries": check.retries,
            }),
        );
    }
    config
}
