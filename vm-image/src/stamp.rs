//! Whether a folder already holds what a build would make: the inputs are the same by hash, and the files in it have not
//! been touched since.

use std::{fs, path::Path, time::SystemTime};

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};

use crate::write;

const FILE_NAME: &str = ".stamp.json";

/// The state of a folder after a build.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Stamp {
    inputs: String,
    outputs: Vec<Seen>,
}

/// A file as it was seen.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Seen {
    name: String,
    bytes: u64,
    modified_nanos: u64,
}

/// Records that `dir` holds the outputs of these inputs.
///
/// # Errors
/// If a file is not there, or the record cannot be written.
pub fn record(dir: &Path, inputs: &str, outputs: &[&str]) -> Result<()> {
    let stamp = Stamp { inputs: inputs.to_owned(), outputs: look(dir, outputs)? };
    write::whole(&dir.join(FILE_NAME), &serde_json::to_vec(&stamp)?)
}

/// Whether `dir` holds the outputs of these inputs.
#[must_use]
pub fn is_current(dir: &Path, inputs: &str, outputs: &[&str]) -> bool {
    // Whatever is missing or unreadable, a build makes it anew.
    let recorded = fs::read(dir.join(FILE_NAME)).ok().and_then(|text| serde_json::from_slice::<Stamp>(&text).ok());
    let Some(recorded) = recorded else { return false };
    recorded.inputs == inputs && look(dir, outputs).is_ok_and(|seen| seen == recorded.outputs)
}

fn look(dir: &Path, names: &[&str]) -> Result<Vec<Seen>> {
    names.iter().map(|name| see(&dir.join(name), name)).collect()
}

fn see(path: &Path, name: &str) -> Result<Seen> {
    let metadata = fs::metadata(path).with_context(|| format!("look at {}", path.display()))?;
    let modified = metadata.modified()?.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    let modified_nanos = u64::try_from(modified.as_nanos()).unwrap_or(u64::MAX);
    Ok(Seen { name: name.to_owned(), bytes: metadata.len(), modified_nanos })
}

/// What tells one file from a changed one without reading it: its length and time.
///
/// # Errors
/// If the file is not there.
pub fn of_file(path: &Path) -> Result<String> {
    let seen = see(path, "")?;
    Ok(format!("{}-{}", seen.bytes, seen.modified_nanos))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_is_current_until_an_input_or_an_output_changes() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("a"), "1").unwrap();
        assert!(!is_current(dir.path(), "inputs", &["a"]));
        record(dir.path(), "inputs", &["a"]).unwrap();
        assert!(is_current(dir.path(), "inputs", &["a"]));
        assert!(!is_current(dir.path(), "other inputs", &["a"]));
        fs::write(dir.path().join("a"), "12").unwrap();
        assert!(!is_current(dir.path(), "inputs", &["a"]));
        fs::remove_file(dir.path().join("a")).unwrap();
        assert!(!is_current(dir.path(), "inputs", &["a"]));
        assert!(record(dir.path(), "inputs", &["a"]).is_err());
    }
}
