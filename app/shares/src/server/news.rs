//! What happened on the host, as the guest is to hear it: its kernel forgets what is not so any more, and does again what
//! was done, so that programs that watch hear of it (the guest's agent does it, and is answered as if it were done).
//!
//! What the guest has done itself comes back from the host as well, and is known: by the attributes that it has heard, and
//! by the names that it has made and removed.

use std::collections::HashMap;

use super::{Server, lock, nodes::ROOT};
use crate::{
    host::{Attributes, Folder},
    watch::{Event, Notice, Replay, What, Word},
    wire::{answer, fields::Name},
};

/// What the guest has made and removed itself, and the host has not told yet.
#[derive(Debug, Default)]
pub(super) struct Own {
    made: Names,
    removed: Names,
}

/// How often, by folder and name.
type Names = HashMap<(u64, Vec<u8>), u32>;

fn take(names: &mut Names, event: &Event) -> bool {
    let key = (event.folder, event.name.clone());
    let Some(count) = names.get_mut(&key) else { return false };
    *count -= 1;
    if *count == 0 {
        names.remove(&key);
    }
    true
}

impl<F: Folder> Server<F> {
    /// What the guest is to be told of what happened.
    pub fn news(&self, word: Word) -> Vec<Notice> {
        // What the guest does now is known when it is done.
        let _nothing_half_done = self.changing.write().unwrap_or_else(std::sync::PoisonError::into_inner);
        let events = match word {
            Word::Happened(events) => events,
            Word::TooMuch => return self.forget_everything(),
        };
        let mut notices = Vec::new();
        let mut left: HashMap<u32, Event> = HashMap::new();
        for event in events {
            match event.what {
                What::Went(_) if take(&mut lock(&self.own).removed, &event) => {}
                What::Went(cookie) if cookie != 0 => drop(left.insert(cookie, event)),
                What::Came(_) if take(&mut lock(&self.own).made, &event) => {}
                What::Came(cookie) => {
                    let from = left.remove(&cookie).filter(|_| cookie != 0);
                    self.came(&event, from.as_ref(), &mut notices);
                }
                What::Went(_) => self.went(&event, &mut notices),
                What::Changed | What::Attributes => self.changed(&event, &mut notices),
            }
        }
        // Moved to where nobody watches: gone, for the guest.
        left.values().for_each(|event| self.went(event, &mut notices));
        notices
    }

    /// The guest has removed it, or moved it away.
    pub(super) fn removes(&self, folder: u64, name: Name<'_>) {
        if self.watcher.as_ref().is_some_and(|watcher| watcher.watches(folder)) {
            *lock(&self.own).removed.entry((folder, name.as_bytes().to_vec())).or_default() += 1;
        }
    }

    /// The guest has made it, or moved it there.
    pub(super) fn makes(&self, folder: u64, name: Name<'_>) {
        if self.watcher.as_ref().is_some_and(|watcher| watcher.watches(folder)) {
            *lock(&self.own).made.entry((folder, name.as_bytes().to_vec())).or_default() += 1;
        }
    }

    fn came(&self, event: &Event, from: Option<&Event>, notices: &mut Vec<Notice>) {
        let Ok(name) = Name::new(&event.name) else { return };
        let present = self.folder(event.folder).and_then(|folder| folder.attributes(Some(name)));
        let Ok(attributes) = present else {
            // It went again; that comes next. Of what was moved, one half is to be told.
            if let Some(from) = from {
                self.went(from, notices);
            }
            return;
        };
        let Some(to) = self.path(event.folder, name) else { return };
        let from = from.and_then(|from| Some((from.folder, Name::new(&from.name).ok()?)));
        let from = from.and_then(|(folder, name)| Some((folder, name, self.path(folder, name)?)));
        let mode = attributes.kind.number() << 12 | attributes.mode;
        if let Some((folder, name, path)) = &from
            && lock(&self.nodes).at(*folder, *name).is_none()
        {
            // An editor that saves makes a file and moves it at once. To be moved it must have been made.
            notices.push(Notice::Message(answer::forget_name(*folder, *name)));
            let now_at = Some((event.folder, event.name.clone()));
            notices.push(Notice::Replay(Replay::Make { path: path.clone(), mode, now_at }));
        }
        // What the guest knows of the name by now, be it that nothing is there, would be in the way.
        notices.push(Notice::Message(answer::forget_name(event.folder, name)));
        notices.push(Notice::Replay(match from {
            Some((_, _, from)) => Replay::Move { from, to },
            None => Replay::Make { path: to, mode, now_at: None },
        }));
    }

    fn went(&self, event: &Event, notices: &mut Vec<Notice>) {
        let Ok(name) = Name::new(&event.name) else { return };
        if let Some(path) = self.path(event.folder, name) {
            notices.push(Notice::Replay(Replay::Remove { path, is_folder: event.is_folder }));
        }
    }

    fn changed(&self, event: &Event, notices: &mut Vec<Notice>) {
        let Ok(name) = Name::new(&event.name) else { return };
        let Ok(attributes) = self.folder(event.folder).and_then(|folder| folder.attributes(Some(name))) else { return };
        let (node, heard) = {
            let nodes = lock(&self.nodes);
            let node = nodes.at(event.folder, name);
            (node, node.and_then(|node| nodes.heard(node)))
        };
        let contents = event.what == What::Changed;
        if heard.is_some_and(|heard| knows(&heard, &attributes, contents)) {
            return;
        }
        if let Some(node) = node {
            notices.push(Notice::Message(answer::forget_node(node, contents)));
            lock(&self.nodes).hears(node, &attributes);
        }
        if let Some(path) = self.path(event.folder, name) {
            let replay = if contents { Replay::Touch(path) } else { Replay::TouchAttributes(path) };
            notices.push(Notice::Replay(replay));
        }
    }

    /// The path of a name, from what is shared.
    fn path(&self, folder: u64, name: Name<'_>) -> Option<Vec<u8>> {
        let nodes = lock(&self.nodes);
        let (mut present, mut parts) = (folder, vec![name.as_bytes().to_vec()]);
        while present != ROOT {
            let place = nodes.places(present).pop()?;
            parts.push(place.name.to_vec());
            present = place.folder;
        }
        parts.reverse();
        Some(parts.join(&b'/'))
    }

    fn forget_everything(&self) -> Vec<Notice> {
        *lock(&self.own) = Own::default();
        let nodes = lock(&self.nodes).all();
        nodes.into_iter().map(|node| Notice::Message(answer::forget_node(node, true))).collect()
    }
}

/// Whether the guest has heard of this state.
fn knows(heard: &Attributes, present: &Attributes, contents: bool) -> bool {
    let of_contents = |of: &Attributes| (of.identity, of.size, of.modified);
    let of_rest = |of: &Attributes| (of.mode, of.uid, of.gid, of.links, of.changed);
    of_contents(heard) == of_contents(present) && (contents || of_rest(heard) == of_rest(present))
}
