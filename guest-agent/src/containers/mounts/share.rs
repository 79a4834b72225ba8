//! Folders of the host that a container is to see, opened before it starts.

use std::{
    collections::BTreeMap,
    fs::File,
    io::Read as _,
    path::{Path, PathBuf},
    sync::Arc,
};

use cove_proto::v1::MountKind;
use rustix::fs::{CWD, FileType, Mode, OFlags, ResolveFlags, fstat, openat};

use crate::{
    containers::{ContainersError, Engine, Record, blocking, user_namespaces},
    shares::{Owner, Wanted},
    user_namespaces::ROOT,
    users,
    within::openat2,
};

/// Where they are mounted in the guest, by the number of the mount.
pub(in crate::containers) type Opened = BTreeMap<usize, PathBuf>;

/// /etc/passwd and /etc/group are read up to here.
const MAX_FILE_BYTES: u64 = 8 << 20;

/// Opens them.
///
/// # Errors
/// If one is refused, or nobody serves them.
pub(in crate::containers) async fn open(engine: &Arc<Engine>, record: &Record) -> Result<Opened, ContainersError> {
    let mut opened = Opened::new();
    let binds = || record.spec.mounts.iter().enumerate().filter(|(_, mount)| mount.kind() == MountKind::Bind);
    if binds().next().is_none() {
        return Ok(opened);
    }
    let (on_disk, of) = (Arc::clone(engine), record.clone());
    let owner = blocking(move || owner(&on_disk, &of)).await?;
    for (index, mount) in binds() {
        let wanted = Wanted { share: mount.share_id.clone(), owner };
        match engine.shares.open(&record.id, wanted).await {
            Ok(path) => drop(opened.insert(index, path)),
            Err(error) => {
                engine.shares.close(&record.id);
                return Err(error.into());
            }
        }
    }
    Ok(opened)
}

/// As whom the container's program runs: the user's files are his. A name that its files do not know is refused when the
/// program starts, so it is root's here.
fn owner(engine: &Engine, record: &Record) -> Result<Owner, ContainersError> {
    let mut trees = vec![engine.folders.of(&record.id).upper()];
    trees.extend(engine.images.held(&record.id)?.layers);
    let read = |path: &str| trees.iter().find_map(|tree| text(tree, path)).unwrap_or_default();
    let found = users::find(&record.spec.user, &read("etc/passwd"), &read("etc/group"));
    let (uid, gid) = found.map_or((0, 0), |user| (user.uid, user.gid));
    Ok(if user_namespaces::is_wanted(&record.spec, engine.user_namespaces) {
        Owner { uid: ROOT.saturating_add(uid), gid: ROOT.saturating_add(gid), user_namespace: true }
    } else {
        Owner { uid, gid, user_namespace: false }
    })
}

/// A file of a layer, if it is there and a regular one.
fn text(tree: &Path, path: &str) -> Option<String> {
    let root = openat(CWD, tree, OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty()).ok()?;
    let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
    let file = openat2(root, path, flags, Mode::empty(), ResolveFlags::IN_ROOT).ok()?;
    if FileType::from_raw_mode(fstat(&file).ok()?.st_mode) != FileType::RegularFile {
        return None;
    }
    let mut bytes = Vec::new();
    File::from(file).take(MAX_FILE_BYTES).read_to_end(&mut bytes).ok()?;
    Some(String::from_utf8_lossy(&bytes).into_owned())
}
