//! Cgroups that users put containers in (`--cgroup-parent`), below that of all containers: `containers/TEAM/ID`.
//!
//! They are made when a container is the first to need them and stay until the machine stops, as with dockerd: somebody may
//! have set limits on one before there was a container in it, and these are to hold for the next one as well.

use std::{
    fs, io,
    path::{Component, Path, PathBuf},
};

use super::{CgroupError, layout::CONTROLLERS};

/// Where the cgroup of a container is to be made. Nothing leads out of `root`: like runc, ".." is taken for the way to a
/// folder that is there, at most to the root.
pub(super) fn place(root: &Path, parent: &str) -> PathBuf {
    let mut names: Vec<_> = Vec::new();
    for component in Path::new(parent).components() {
        match component {
            Component::Normal(name) => names.push(name),
            Component::ParentDir => drop(names.pop()),
            Component::RootDir | Component::CurDir | Component::Prefix(_) => {}
        }
    }
    names.iter().fold(root.to_owned(), |path, name| path.join(name))
}

/// Makes those that are missing between `root` and `parent`, and hands the controllers down through all.
pub(super) fn make(root: &Path, parent: &Path) -> Result<(), CgroupError> {
    let mut path = root.to_owned();
    for name in parent.strip_prefix(root).into_iter().flatten() {
        path.push(name);
        if is_container(&name.to_string_lossy()) {
            return Err(CgroupError::Parent { path });
        }
        match fs::create_dir(&path) {
            Err(source) if source.kind() != io::ErrorKind::AlreadyExists => {
                return Err(CgroupError::Create { path, source });
            }
            _ => {}
        }
        let file = path.join("cgroup.subtree_control");
        fs::write(&file, CONTROLLERS).map_err(|source| CgroupError::Write { path: file, source })?;
    }
    Ok(())
}

/// The cgroups of containers, wherever they are below `root`.
pub(super) fn containers(root: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(root).into_iter().flatten().filter_map(Result::ok) {
        let is_folder = entry.file_type().is_ok_and(|kind| kind.is_dir());
        match is_container(&entry.file_name().to_string_lossy()) {
            true if is_folder => found.push(entry.path()),
            false if is_folder => found.extend(containers(&entry.path())),
            _ => {}
        }
    }
    found
}

/// The cgroup of this container, or where most of them are if it has none.
pub(super) fn find(root: &Path, id: &str) -> PathBuf {
    let usual = root.join(id);
    if usual.exists() {
        return usual;
    }
    containers(root).into_iter().find(|path| path.ends_with(id)).unwrap_or(usual)
}

/// Whether it is the id of a container. What a container makes in its own cgroup is not looked at.
fn is_container(name: &str) -> bool {
    name.len() == 64 && name.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_parent_leads_out() {
        let place = |parent| place(Path::new("/root"), parent);
        assert_eq!(place(""), Path::new("/root"));
        assert_eq!(place("/"), Path::new("/root"));
        assert_eq!([place("/a/b"), place("a/./b/"), place("../../x/../a//b")], ["/root/a/b"; 3].map(PathBuf::from));
    }

    #[test]
    fn controllers_are_handed_down_through_all_that_are_made() {
        let root = tempfile::tempdir().unwrap();
        let parent = root.path().join("a/b");
        fs::create_dir(root.path().join("a")).unwrap();
        make(root.path(), &parent).unwrap();
        make(root.path(), &parent).unwrap();
        for made in ["a", "a/b"] {
            let read = fs::read_to_string(root.path().join(made).join("cgroup.subtree_control")).unwrap();
            assert_eq!(read, CONTROLLERS);
        }
        assert!(!root.path().join("cgroup.subtree_control").exists(), "the root is another's");
    }

    #[test]
    fn no_container_is_a_parent() {
        let root = tempfile::tempdir().unwrap();
        let refused = make(root.path(), &root.path().join("a").join("0a".repeat(32))).unwrap_err();
        assert!(matches!(refused, CgroupError::Parent { .. }), "{refused}");
    }

    #[test]
    fn containers_are_found_in_parents_but_not_in_containers() {
        let root = tempfile::tempdir().unwrap();
        let ids = ["0a", "1b", "2c"].map(|two| two.repeat(32));
        fs::create_dir_all(root.path().join(&ids[0])).unwrap();
        fs::create_dir_all(root.path().join("team/part").join(&ids[1]).join(&ids[2])).unwrap();
        let nested = root.path().join("team/part").join(&ids[1]);
        let mut all = containers(root.path());
        all.sort();
        assert_eq!(all, [root.path().join(&ids[0]), nested.clone()]);
        assert_eq!(find(root.path(), &ids[1]), nested);
        assert_eq!(find(root.path(), &ids[2]), root.path().join(&ids[2]), "one within a container is the container's");
    }
}
