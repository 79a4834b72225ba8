//! The guest's agent does again what was done on the host, so that programs there hear of it. It is answered as if it were
//! done; nothing of the host is touched.

use std::time::Duration;

use super::{Server, lock};
use crate::{
    errno::Errno,
    host::Folder,
    watch::Replay,
    wire::{answer::Body, fields::Name, operation::Operation},
};

/// The process by which the guest's agent says that it is itself who asks: no kernel has one of this number.
pub const REPLAYER: u32 = u32::MAX;

impl<F: Folder> Server<F> {
    /// What is done again next. One at a time.
    pub fn replays(&self, replay: Option<Replay>) {
        *lock(&self.replay) = replay;
    }

    pub(super) fn answer_replay(&self, node: u64, operation: &Operation<'_>) -> Option<Result<Body, Errno>> {
        let replay = lock(&self.replay).clone()?;
        Some(match operation {
            Operation::Lookup { name } => return self.look_up_for_replay(&replay, node, *name),
            Operation::MakeNode { name, .. }
            | Operation::MakeFolder { name, .. }
            | Operation::SymbolicLink { name, .. } => self.made_by_replay(&replay, node, *name),
            Operation::Unlink { name } | Operation::RemoveFolder { name } => {
                if let Some(gone) = lock(&self.nodes).leave(node, *name) {
                    lock(&self.folders).close(gone);
                }
                Ok(Body::default())
            }
            Operation::Rename { name, to, to_name, .. } => {
                lock(&self.nodes).moved(node, *name, *to, *to_name);
                Ok(Body::default())
            }
            Operation::SetAttributes { .. } => self.get_attributes(node, None).or_else(|_| self.as_heard(node)),
            Operation::GetAttributes { .. } => self.get_attributes(node, None).or_else(|_| self.as_heard(node)),
            _ => return None,
        })
    }

    /// What is to be made is not there yet, and what is to be removed still is.
    fn look_up_for_replay(&self, replay: &Replay, folder: u64, name: Name<'_>) -> Option<Result<Body, Errno>> {
        let is_last = |path: &[u8]| path.rsplit(|byte| *byte == b'/').next() == Some(name.as_bytes());
        let known = || lock(&self.nodes).at(folder, name);
        match replay {
            Replay::Make { path, .. } if is_last(path) => Some(Err(Errno::NOENT)),
            Replay::Move { from, to } if is_last(to) && !is_last(from) => {
                Some(known().map_or(Err(Errno::NOENT), |node| self.entry_as_heard(node)))
            }
            Replay::Remove { path, is_folder } if is_last(path) => {
                let node = known().unwrap_or_else(|| lock(&self.nodes).make_up(folder, name, *is_folder));
                Some(self.entry_as_heard(node))
            }
            Replay::Move { from, .. } if is_last(from) => known().map(|node| self.entry_as_heard(node)),
            _ => None,
        }
    }

    /// What was made; it may be elsewhere by now.
    fn made_by_replay(&self, replay: &Replay, folder: u64, name: Name<'_>) -> Result<Body, Errno> {
        let Replay::Make { now_at: Some((now_in, now_named)), .. } = replay else { return self.look_up(folder, name) };
        let open = self.folder(*now_in)?;
        let attributes = open.attributes(Some(Name::new(now_named)?))?;
        Ok(self.entered(&open, folder, name, attributes))
    }

    fn entry_as_heard(&self, node: u64) -> Result<Body, Errno> {
        let mut nodes = lock(&self.nodes);
        let heard = nodes.heard(node).ok_or(Errno::NOENT)?;
        nodes.looked_up(node);
        Ok(Body::default().entry(node, &self.encoded(heard), Duration::ZERO))
    }

    fn as_heard(&self, node: u64) -> Result<Body, Errno> {
        let heard = lock(&self.nodes).heard(node).ok_or(Errno::STALE)?;
        Ok(Body::default().attributes(&self.encoded(heard), Duration::ZERO))
    }
}
