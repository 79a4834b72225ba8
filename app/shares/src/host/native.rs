//! The files of the system that this was built for.

use std::path::Path;

use crate::{
    errno::Errno,
    watch::{Watching, Word},
};

#[cfg(unix)]
pub use super::unix::UnixFolder as NativeFolder;
#[cfg(not(unix))]
pub use super::windows::WindowsFolder as NativeFolder;

/// Opens the folder that is to be shared, by a path that the user chose.
///
/// # Errors
/// If there is none, or it may not be read; `OPNOTSUPP` where folders cannot be shared yet.
pub fn open(path: &Path) -> Result<NativeFolder, Errno> {
    NativeFolder::open_path(path)
}

/// A watcher of folders and what it says, if this system has one and lets this user have it.
#[must_use]
pub fn watcher() -> (Watching<NativeFolder>, Words) {
    #[cfg(target_os = "linux")]
    if let Ok((watcher, words)) = super::unix::inotify::watcher() {
        return (Some(watcher), Words(Some(words)));
    }
    (None, Words::default())
}

/// What a watcher says.
#[derive(Debug, Default)]
pub struct Words(#[cfg(target_os = "linux")] Option<super::unix::inotify::Words>);

impl Words {
    /// What was seen next; nothing once the watcher is gone. Blocks.
    pub fn hear(&mut self) -> Option<Word> {
        #[cfg(target_os = "linux")]
        return self.0.as_mut()?.hear();
        #[cfg(not(target_os = "linux"))]
        None
    }
}

/// Whether folders of this system can be shared.
#[must_use]
pub fn is_supported() -> bool {
    cfg!(unix)
}

/// This process's user and group, as files have them.
#[must_use]
pub fn own_ids() -> (u32, u32) {
    #[cfg(unix)]
    return super::unix::own_ids();
    #[cfg(not(unix))]
    (0, 0)
}

/// Whether this process can give files to anybody: root of a Linux host.
#[must_use]
pub fn keeps_owners() -> bool {
    cfg!(target_os = "linux") && own_ids().0 == 0
}
