//! The file of an entry: replaced as a whole, so that the system never reads half of one.

use std::{
    fs,
    io::{self, Write},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
};

/// Launchd starts nothing from a file that a group or others may write to.
const MODE: u32 = 0o644;

/// The command line as text, the program first. Both kinds of file are UTF-8.
pub(super) fn words<'a>(program: &'a Path, arguments: &[&'a str]) -> io::Result<Vec<&'a str>> {
    if !program.is_absolute() {
        return Err(refused(&format!("{} is not an absolute path", program.display())));
    }
    let program =
        program.to_str().ok_or_else(|| refused(&format!("the path {} is not valid UTF-8", program.display())))?;
    Ok([&[program], arguments].concat())
}

/// The user's own folder.
pub(super) fn user_folder() -> io::Result<PathBuf> {
    crate::home::user_folder()
        .ok_or_else(|| io::Error::new(io::ErrorKind::NotFound, "the system names no home folder for this user"))
}

/// The text, `None` if there is no entry.
pub(super) fn read(path: &Path) -> io::Result<Option<String>> {
    match fs::read_to_string(path) {
        Ok(text) => Ok(Some(text)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(at("read", path)(error)),
    }
}

/// Replaces the entry, and makes its folder if there is none.
pub(super) fn write(path: &Path, text: &str) -> io::Result<()> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder).map_err(at("make", folder))?;
    }
    // Neither system takes a file of this name for an entry.
    let new = path.with_added_extension("new");
    let written = write_new(&new, text).and_then(|()| fs::rename(&new, path));
    if written.is_err() {
        // What is left of the attempt; the error that counts is the first.
        let _ = fs::remove_file(&new);
    }
    written.map_err(at("write", path))
}

fn write_new(path: &Path, text: &str) -> io::Result<()> {
    // One that died half-way left this.
    remove(path)?;
    let mut file = fs::File::options().write(true).create_new(true).mode(MODE).open(path)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()
}

/// Removes the entry, if there is one.
pub(super) fn remove(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(at("remove", path)(error)),
        _ => Ok(()),
    }
}

/// An error about what was asked for.
pub(super) fn refused(why: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, why)
}

fn at(what: &str, path: &Path) -> impl FnOnce(io::Error) -> io::Error {
    move |error| io::Error::new(error.kind(), format!("{what} {}: {error}", path.display()))
}

#[cfg(test)]
mod tests {
    use std::{ffi::OsStr, os::unix::ffi::OsStrExt, os::unix::fs::PermissionsExt};

    use super::*;

    #[test]
    fn an_entry_is_written_replaced_and_removed_and_nothing_else_stays() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("not/yet/there/entry");
        assert_eq!(read(&path).unwrap(), None);
        write(&path, "one, and longer than the other").unwrap();
        write(&path, "two").unwrap();
        assert_eq!(read(&path).unwrap().as_deref(), Some("two"));
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o022, 0);
        remove(&path).unwrap();
        remove(&path).unwrap();
        assert_eq!(fs::read_dir(path.parent().unwrap()).unwrap().count(), 0);
    }

    #[test]
    fn what_is_in_the_way_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("entry");
        fs::create_dir_all(path.join("something")).unwrap();
        assert!(write(&path, "text").unwrap_err().to_string().contains("entry"));
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_program_that_no_text_can_name_is_refused() {
        let refused = |program: &Path| words(program, &[]).unwrap_err().kind();
        assert_eq!(refused(Path::new("cove-desktop")), io::ErrorKind::InvalidInput);
        assert_eq!(refused(Path::new(OsStr::from_bytes(b"/opt/\xff"))), io::ErrorKind::InvalidInput);
        assert_eq!(words(Path::new("/opt/cove"), &["--hidden"]).unwrap(), ["/opt/cove", "--hidden"]);
    }
}
