//! A folder that only this user can enter.
//!
//! Windows: folders below %LOCALAPPDATA% inherit an access list that names the user, SYSTEM and the administrators, so
//! nothing is added there; a home moved elsewhere has the access list of that place.

use std::{fs, path::Path};

use super::HomeError;

/// Makes the folder, or takes it over if it is ours. An open folder is closed only if it is empty or holds a file for
/// which `is_ours` says yes: `COVE_HOME=/tmp` must not lock everybody out of /tmp.
pub(super) fn claim(path: &Path, is_ours: fn(&str) -> bool) -> Result<(), HomeError> {
    let failed = |source| HomeError::Path { path: path.to_owned(), source };
    imp::make(path).map_err(failed)?;
    let metadata = fs::metadata(path).map_err(failed)?;
    if !metadata.is_dir() {
        return Err(HomeError::NotAFolder(path.to_owned()));
    }
    imp::close(path, is_ours)
}

#[cfg(unix)]
mod imp {
    use std::{
        fs, io,
        os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt},
        path::Path,
    };

    use super::HomeError;

    pub(super) fn make(path: &Path) -> io::Result<()> {
        if let Some(parent) = path.parent() {
            fs::create_dir_all(parent)?;
        }
        match fs::DirBuilder::new().mode(0o700).create(path) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
            made => made,
        }
    }

    pub(super) fn close(path: &Path, is_ours: fn(&str) -> bool) -> Result<(), HomeError> {
        let failed = |source| HomeError::Path { path: path.to_owned(), source };
        let user = nix::unistd::geteuid().as_raw();
        // Both the name and what it leads to: who owns a symbolic link can turn it elsewhere later.
        let link = fs::symlink_metadata(path).map_err(failed)?;
        let folder = fs::metadata(path).map_err(failed)?;
        for owner in [link.uid(), folder.uid()] {
            if owner != user {
                return Err(HomeError::Foreign { path: path.to_owned(), owner, user });
            }
        }
        let mode = folder.mode() & 0o7777;
        if mode & 0o077 == 0 {
            return Ok(());
        }
        let names = fs::read_dir(path).and_then(Iterator::collect::<io::Result<Vec<_>>>).map_err(failed)?;
        let ours = names.is_empty() || names.iter().any(|entry| entry.file_name().to_str().is_some_and(is_ours));
        if !ours {
            return Err(HomeError::Open { path: path.to_owned(), mode });
        }
        fs::set_permissions(path, fs::Permissions::from_mode(0o700)).map_err(failed)
    }
}

#[cfg(windows)]
mod imp {
    use std::{fs, io, path::Path};

    use super::HomeError;

    pub(super) fn make(path: &Path) -> io::Result<()> {
        fs::create_dir_all(path)
    }

    pub(super) fn close(_: &Path, _: fn(&str) -> bool) -> Result<(), HomeError> {
        Ok(())
    }
}

#[cfg(unix)]
#[cfg(test)]
mod tests {
    use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};

    use super::*;

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).unwrap().mode() & 0o7777
    }

    fn set_mode(path: &Path, mode: u32) {
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    }

    #[test]
    fn a_new_folder_is_closed_to_others() {
        let parent = tempfile::tempdir().unwrap();
        let path = parent.path().join("a/b");
        claim(&path, |_| false).unwrap();
        assert_eq!(mode(&path), 0o700);
    }

    #[test]
    fn an_open_folder_is_closed_if_it_is_empty_or_ours() {
        let empty = tempfile::tempdir().unwrap();
        set_mode(empty.path(), 0o755);
        claim(empty.path(), |_| false).unwrap();
        assert_eq!(mode(empty.path()), 0o700);

        let ours = tempfile::tempdir().unwrap();
        fs::write(ours.path().join("coved.lock"), "").unwrap();
        set_mode(ours.path(), 0o750);
        claim(ours.path(), |name| name == "coved.lock").unwrap();
        assert_eq!(mode(ours.path()), 0o700);
    }

    #[test]
    fn an_open_folder_with_other_files_is_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("thesis.txt"), "").unwrap();
        set_mode(folder.path(), 0o755);
        assert!(matches!(claim(folder.path(), |_| false), Err(HomeError::Open { mode: 0o755, .. })));
        assert_eq!(mode(folder.path()), 0o755);
    }

    #[test]
    fn a_file_in_the_way_is_named() {
        let parent = tempfile::tempdir().unwrap();
        let path = parent.path().join("cove");
        fs::write(&path, "").unwrap();
        assert!(matches!(claim(&path, |_| false), Err(HomeError::NotAFolder(p)) if p == path));
    }

    #[test]
    fn a_link_or_folder_of_another_user_is_refused() {
        if !nix::unistd::geteuid().is_root() {
            // Only root can give a folder away; what stays testable is that / is not ours.
            assert!(matches!(claim(Path::new("/"), |_| true), Err(HomeError::Foreign { owner: 0, .. })));
            return;
        }
        let parent = tempfile::tempdir().unwrap();
        let (target, link) = (parent.path().join("target"), parent.path().join("link"));
        fs::create_dir(&target).unwrap();
        symlink(&target, &link).unwrap();
        std::os::unix::fs::lchown(&link, Some(65534), None).unwrap();
        assert!(matches!(claim(&link, |_| true), Err(HomeError::Foreign { owner: 65534, user: 0, .. })));
        assert!(claim(&target, |_| true).is_ok());
    }
}
