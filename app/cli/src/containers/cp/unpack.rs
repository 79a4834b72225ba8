//! A container's files on this computer. The tar is a container's, so it may be anything: nothing of it is written above the
//! folder or through a link, and nobody becomes the owner of a file but who runs this.

use std::{
    ffi::OsStr,
    fs, io,
    path::{Component, Path, PathBuf},
};

use tar::{Entry, EntryType};

/// Another first part for the names in the tar.
#[derive(Debug, Clone)]
pub(super) struct Rename {
    /// The one that they have; none if they are those of a folder's content.
    pub(super) from: Option<String>,
    /// The one that they get.
    pub(super) to: String,
}

/// Unpacks a tar into a folder.
pub(super) fn unpack(tar: impl io::Read, folder: &Path, rename: Option<&Rename>) -> io::Result<()> {
    let mut archive = tar::Archive::new(tar);
    archive.set_preserve_permissions(true);
    let mut folders = Vec::new();
    for entry in archive.entries()? {
        let mut entry = entry?;
        let name = renamed(&entry.path()?, rename)?;
        let target = folder.join(&name);
        let about = |error: io::Error| io::Error::new(error.kind(), format!("{}: {error}", target.display()));
        make_parents(folder, &name).and_then(|()| make_room(&entry, &target)).map_err(about)?;
        match entry.header().entry_type() {
            // What it may be is set last: it may forbid to write in it.
            EntryType::Directory => {
                make_folder(&target).map_err(about)?;
                folders.push((entry, target));
            }
            EntryType::Link => link(&entry, folder, &target, rename).map_err(about)?,
            EntryType::Regular | EntryType::Continuous | EntryType::Symlink | EntryType::GNUSparse => {
                entry.unpack(&target).map(drop).map_err(about)?;
            }
            EntryType::XGlobalHeader => {}
            _ => return Err(about(io::Error::other("it is neither a file nor a folder nor a link"))),
        }
    }
    folders.into_iter().rev().try_for_each(|(mut entry, target)| entry.unpack(target).map(drop))
}

/// The name below the folder.
fn renamed(path: &Path, rename: Option<&Rename>) -> io::Result<PathBuf> {
    let mut parts: Vec<&OsStr> = Vec::new();
    for part in path.components() {
        match part {
            Component::Normal(part) => parts.push(part),
            Component::CurDir | Component::RootDir => {}
            Component::ParentDir | Component::Prefix(_) => {
                return Err(io::Error::other(format!("{} leads out of the folder", path.display())));
            }
        }
    }
    match rename {
        Some(Rename { from: None, to }) => parts.insert(0, OsStr::new(to)),
        Some(Rename { from: Some(from), to }) if parts.first().is_some_and(|first| *first == OsStr::new(from)) => {
            parts[0] = OsStr::new(to);
        }
        _ => {}
    }
    Ok(parts.into_iter().collect())
}

/// Sees to it that all above it are folders, and none is a link.
fn make_parents(folder: &Path, name: &Path) -> io::Result<()> {
    let mut place = folder.to_owned();
    for part in name.parent().into_iter().flat_map(Path::components) {
        place.push(part);
        make_folder(&place)?;
    }
    Ok(())
}

fn make_folder(place: &Path) -> io::Result<()> {
    match fs::symlink_metadata(place) {
        Ok(there) if there.is_dir() => Ok(()),
        Ok(_) => Err(io::Error::new(io::ErrorKind::NotADirectory, format!("{} is no folder", place.display()))),
        Err(_) => fs::create_dir(place),
    }
}

/// Removes a file that is in the way; a folder is never replaced by a file, nor a file by a folder.
fn make_room(entry: &Entry<'_, impl io::Read>, target: &Path) -> io::Result<()> {
    let Ok(there) = fs::symlink_metadata(target) else { return Ok(()) };
    match (there.is_dir(), entry.header().entry_type() == EntryType::Directory) {
        (true, true) => Ok(()),
        (false, false) => fs::remove_file(target),
        (true, false) => Err(io::Error::other("cannot overwrite directory with non-directory")),
        (false, true) => Err(io::Error::other("cannot overwrite non-directory with directory")),
    }
}

/// A further name of a file that came before.
fn link(entry: &Entry<'_, impl io::Read>, folder: &Path, target: &Path, rename: Option<&Rename>) -> io::Result<()> {
    let to = entry.link_name()?.ok_or_else(|| io::Error::other("it is a link to nothing"))?;
    let name = renamed(&to, rename)?;
    make_parents(folder, &name)?;
    fs::hard_link(folder.join(name), target)
}

#[cfg(test)]
mod tests {
    use super::{super::pack::pack, *};

    fn entry(tar: &mut tar::Builder<Vec<u8>>, kind: EntryType, name: &str, link: &str, data: &[u8]) {
        let mut header = tar::Header::new_gnu();
        header.set_entry_type(kind);
        header.set_size(data.len() as u64);
        header.set_mode(if kind == EntryType::Directory { 0o755 } else { 0o644 });
        // As it stands: the crate would not write what is hostile.
        header.as_mut_bytes()[..name.len()].copy_from_slice(name.as_bytes());
        header.as_mut_bytes()[157..157 + link.len()].copy_from_slice(link.as_bytes());
        header.set_cksum();
        tar.append(&header, data).unwrap();
    }

    fn made(entries: &[(EntryType, &str, &str, &[u8])]) -> Vec<u8> {
        let mut tar = tar::Builder::new(Vec::new());
        for (kind, name, link, data) in entries {
            entry(&mut tar, *kind, name, link, data);
        }
        tar.into_inner().unwrap()
    }

    fn rename(from: Option<&str>, to: &str) -> Rename {
        Rename { from: from.map(str::to_owned), to: to.to_owned() }
    }

    #[test]
    fn what_is_packed_comes_out_under_the_new_name() {
        let folder = tempfile::tempdir().unwrap();
        let (from, to) = (folder.path().join("d"), folder.path().join("out"));
        fs::create_dir_all(from.join("deep")).unwrap();
        fs::create_dir(&to).unwrap();
        fs::write(from.join("deep/f"), "deep").unwrap();
        fs::write(from.join("x"), "x").unwrap();
        let mut tar = Vec::new();
        pack(&from, Path::new("d"), &mut tar).unwrap();
        unpack(tar.as_slice(), &to, Some(&rename(Some("d"), "new"))).unwrap();
        assert_eq!(fs::read_to_string(to.join("new/deep/f")).unwrap(), "deep");
        let mut tar = Vec::new();
        pack(&from, Path::new("."), &mut tar).unwrap();
        unpack(tar.as_slice(), &to, Some(&rename(None, "content"))).unwrap();
        assert_eq!(fs::read_to_string(to.join("content/x")).unwrap(), "x");
        unpack(tar.as_slice(), &to, None).unwrap();
        assert_eq!(fs::read_to_string(to.join("deep/f")).unwrap(), "deep");
    }

    #[test]
    fn further_names_follow_the_new_name_and_files_are_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let tar = made(&[
            (EntryType::Directory, "d/", "", b""),
            (EntryType::Regular, "d/a", "", b"new"),
            (EntryType::Link, "d/b", "d/a", b""),
        ]);
        fs::create_dir(folder.path().join("e")).unwrap();
        fs::write(folder.path().join("e/a"), "old").unwrap();
        unpack(tar.as_slice(), folder.path(), Some(&rename(Some("d"), "e"))).unwrap();
        assert_eq!(fs::read_to_string(folder.path().join("e/b")).unwrap(), "new");
    }

    #[test]
    fn nothing_leads_out_of_the_folder() {
        let yard = tempfile::tempdir().unwrap();
        let (folder, outside) = (yard.path().join("in"), yard.path().join("outside"));
        fs::create_dir(&folder).unwrap();
        fs::create_dir(&outside).unwrap();
        let away = outside.to_str().unwrap();
        for entries in [
            &[(EntryType::Regular, "../outside/x", "", &b"1"[..])][..],
            &[(EntryType::Symlink, "l", away, b""), (EntryType::Regular, "l/x", "", b"1")],
            &[(EntryType::Symlink, "m", "../outside", b""), (EntryType::Directory, "m/x/", "", b"")],
            &[(EntryType::Link, "h", "../outside", b"")],
            &[(EntryType::Fifo, "p", "", b"")],
        ] {
            assert!(unpack(made(entries).as_slice(), &folder, None).is_err(), "{entries:?}");
        }
        assert_eq!(fs::read_dir(&outside).unwrap().count(), 0);
        // An absolute name is one below the folder.
        unpack(made(&[(EntryType::Regular, "/a", "", b"1")]).as_slice(), &folder, None).unwrap();
        assert!(folder.join("a").exists());
    }

    #[test]
    fn a_folder_is_not_replaced_by_a_file_nor_a_file_by_a_folder() {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("d")).unwrap();
        fs::write(folder.path().join("f"), "f").unwrap();
        for (kind, name) in [(EntryType::Regular, "d"), (EntryType::Directory, "f/")] {
            let error = unpack(made(&[(kind, name, "", b"")]).as_slice(), folder.path(), None).unwrap_err();
            assert!(error.to_string().contains("cannot overwrite"), "{error}");
        }
    }
}
