//! What is at a path.

use rustix::fs::{FileType, fstat};

use super::{FilesError, root::Root};
use crate::containers::{Containers, ContainersError};

/// What a file is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileStat {
    /// The last part of the path that was asked for.
    pub name: String,
    /// Its bytes.
    pub size_bytes: u64,
    /// Its kind and permissions.
    pub mode: u32,
    /// When it was last changed, nanoseconds since 1970.
    pub modified_at: i64,
    /// If it is a symbolic link: where it leads.
    pub link_target: String,
}

impl Containers {
    /// Says what is at a path of a container, itself and not what it points to.
    ///
    /// # Errors
    /// If there is no such container, or nothing at the path.
    pub async fn stat_file(&self, container: &str, path: String) -> Result<FileStat, ContainersError> {
        let stat = self.with_files(container, move |root| stat(root, &path)).await?;
        Ok(stat)
    }
}

pub(super) fn stat(root: &Root, path: &str) -> Result<FileStat, FilesError> {
    let path = absolute(path)?;
    let facts = fstat(root.find_itself(&path)?).map_err(|errno| FilesError::of(&path, errno))?;
    let is_link = FileType::from_raw_mode(facts.st_mode) == FileType::Symlink;
    Ok(FileStat {
        name: base(&path).to_owned(),
        size_bytes: u64::try_from(facts.st_size).unwrap_or_default(),
        mode: facts.st_mode,
        modified_at: facts.st_mtime.saturating_mul(1_000_000_000).saturating_add_unsigned(facts.st_mtime_nsec),
        link_target: if is_link { root.end_of_link(&path)? } else { String::new() },
    })
}

/// The path from the root, with ".." taken out by its words as Go's `filepath.Join` does, and the slash or dot at its end
/// kept, which says that what is meant is a folder.
pub(super) fn absolute(path: &str) -> Result<String, FilesError> {
    if path.is_empty() {
        return Err(FilesError::NoPath);
    }
    let mut parts: Vec<&str> = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop();
            }
            part => parts.push(part),
        }
    }
    let end = match path.rsplit('/').next() {
        Some("." | "..") if !parts.is_empty() => "/.",
        Some("") if !parts.is_empty() => "/",
        Some(".") => ".",
        _ => "",
    };
    Ok(format!("/{}{end}", parts.join("/")))
}

/// Go's `filepath.Base`.
pub(super) fn base(path: &str) -> &str {
    let trimmed = path.trim_end_matches('/');
    if trimmed.is_empty() { "/" } else { trimmed.rsplit('/').next().unwrap_or(trimmed) }
}
