//! What the guest knows by number: a node is one file, whatever its names. It is known by where it is, as a folder's node
//! and a name in it, never by a path or an open descriptor, so that a million of them cost no descriptor.
//!
//! The guest counts each answer that named a node, and says when it forgets them; a node stays until then, and a folder
//! as long as there is anything in it that the guest knows.

use std::collections::HashMap;

use crate::{
    host::{Attributes, Identity, Kind, Moment},
    wire::fields::Name,
};

/// The number of what is shared.
pub const ROOT: u64 = 1;

/// Where something is: a folder, and a name in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// The folder's node.
    pub folder: u64,
    /// The name.
    pub name: Box<[u8]>,
}

#[derive(Debug)]
struct Node {
    identity: Identity,
    kind: Kind,
    /// As the guest has last heard.
    heard: Attributes,
    lookups: u64,
    places: Vec<Place>,
    /// What the guest knows in it, if it is a folder.
    inside: HashMap<Box<[u8]>, u64>,
}

/// The nodes.
#[derive(Debug)]
pub struct Nodes {
    nodes: HashMap<u64, Node>,
    by_identity: HashMap<Identity, u64>,
    next: u64,
}

impl Nodes {
    /// None but what is shared. Others are counted from `first`.
    #[must_use]
    pub fn new(root: &Attributes, first: u64) -> Self {
        let mut nodes = Self { nodes: HashMap::new(), by_identity: HashMap::new(), next: ROOT };
        let number = nodes.add(root);
        nodes.next = first.max(ROOT + 1);
        nodes.nodes.entry(number).and_modify(|node| node.lookups = 1);
        nodes
    }

    fn add(&mut self, attributes: &Attributes) -> u64 {
        let Attributes { identity, kind, .. } = *attributes;
        let number = self.next;
        self.next += 1;
        let inside = HashMap::new();
        let node = Node { identity, kind, heard: *attributes, lookups: 0, places: Vec::new(), inside };
        self.nodes.insert(number, node);
        self.by_identity.insert(identity, number);
        number
    }

    /// A name leads to a file, and the guest is told so: says which node it is.
    pub fn enter(&mut self, folder: u64, name: Name<'_>, attributes: &Attributes) -> u64 {
        let known = self.by_identity.get(&attributes.identity).copied();
        let number = known.unwrap_or_else(|| self.add(attributes));
        if self.at(folder, name) != Some(number) {
            self.leave(folder, name);
            self.settle(number, Place { folder, name: name.as_bytes().into() });
        }
        if let Some(node) = self.nodes.get_mut(&number) {
            node.lookups += 1;
            node.heard = *attributes;
        }
        number
    }

    fn settle(&mut self, number: u64, place: Place) {
        let Some(folder) = self.nodes.get_mut(&place.folder) else { return };
        folder.inside.insert(place.name.clone(), number);
        if let Some(node) = self.nodes.get_mut(&number) {
            node.places.push(place);
        }
    }

    /// A name leads nowhere any more; says which node it led to.
    pub fn leave(&mut self, folder: u64, name: Name<'_>) -> Option<u64> {
        let number = self.nodes.get_mut(&folder)?.inside.remove(name.as_bytes())?;
        if let Some(node) = self.nodes.get_mut(&number) {
            node.places.retain(|place| place.folder != folder || *place.name != *name.as_bytes());
        }
        self.drop_if_unknown(folder);
        Some(number)
    }

    /// Something was moved.
    pub fn moved(&mut self, folder: u64, name: Name<'_>, to: u64, to_name: Name<'_>) {
        self.leave(to, to_name);
        if let Some(number) = self.leave(folder, name) {
            self.settle(number, Place { folder: to, name: to_name.as_bytes().into() });
        }
    }

    /// Two things changed places.
    pub fn exchanged(&mut self, folder: u64, name: Name<'_>, to: u64, to_name: Name<'_>) {
        let (one, other) = (self.leave(folder, name), self.leave(to, to_name));
        if let Some(one) = one {
            self.settle(one, Place { folder: to, name: to_name.as_bytes().into() });
        }
        if let Some(other) = other {
            self.settle(other, Place { folder, name: name.as_bytes().into() });
        }
    }

    /// The guest forgets so many answers that named the node. Says whether it is gone.
    pub fn forget(&mut self, number: u64, count: u64) -> bool {
        if number != ROOT
            && let Some(node) = self.nodes.get_mut(&number)
        {
            node.lookups = node.lookups.saturating_sub(count);
        }
        self.drop_if_unknown(number);
        !self.nodes.contains_key(&number)
    }

    /// A node that nobody knows goes, and with the last one in a folder, perhaps, the folder.
    fn drop_if_unknown(&mut self, number: u64) {
        let mut unsure = vec![number];
        while let Some(number) = unsure.pop() {
            let unknown = |node: &Node| number != ROOT && node.lookups == 0 && node.inside.is_empty();
            if !self.nodes.get(&number).is_some_and(unknown) {
                continue;
            }
            let Some(node) = self.nodes.remove(&number) else { continue };
            if self.by_identity.get(&node.identity) == Some(&number) {
                self.by_identity.remove(&node.identity);
            }
            for place in node.places {
                if let Some(folder) = self.nodes.get_mut(&place.folder) {
                    folder.inside.remove(&place.name);
                }
                unsure.push(place.folder);
            }
        }
    }

    /// The node that a name leads to, as far as is known.
    #[must_use]
    pub fn at(&self, folder: u64, name: Name<'_>) -> Option<u64> {
        self.nodes.get(&folder)?.inside.get(name.as_bytes()).copied()
    }

    /// What a node is: its identity and kind.
    #[must_use]
    pub fn get(&self, number: u64) -> Option<(Identity, Kind)> {
        self.nodes.get(&number).map(|node| (node.identity, node.kind))
    }

    /// Where it is: by each of its names that the guest knows.
    #[must_use]
    pub fn places(&self, number: u64) -> Vec<Place> {
        self.nodes.get(&number).map(|node| node.places.clone()).unwrap_or_default()
    }

    /// What the guest has last heard of it.
    #[must_use]
    pub fn heard(&self, number: u64) -> Option<Attributes> {
        self.nodes.get(&number).map(|node| node.heard)
    }

    /// The guest hears of its attributes.
    pub fn hears(&mut self, number: u64, attributes: &Attributes) {
        if let Some(node) = self.nodes.get_mut(&number) {
            node.heard = *attributes;
        }
    }

    /// Something that the guest did not know and that is gone, so that it can be removed there as well.
    pub fn make_up(&mut self, folder: u64, name: Name<'_>, is_folder: bool) -> u64 {
        let time = Moment::default();
        let gone = Attributes {
            identity: Identity { device: u64::MAX, number: self.next, made: time },
            kind: if is_folder { Kind::Folder } else { Kind::File },
            mode: 0o644,
            links: 1,
            size: 0,
            blocks: 0,
            uid: 0,
            gid: 0,
            device: 0,
            accessed: time,
            modified: time,
            changed: time,
        };
        let number = self.add(&gone);
        self.settle(number, Place { folder, name: name.as_bytes().into() });
        number
    }

    /// The guest is told of it by another answer.
    pub fn looked_up(&mut self, number: u64) {
        if let Some(node) = self.nodes.get_mut(&number) {
            node.lookups += 1;
        }
    }

    /// All that the guest knows.
    #[must_use]
    pub fn all(&self) -> Vec<u64> {
        self.nodes.keys().copied().collect()
    }

    /// How many there are.
    #[must_use]
    pub fn count(&self) -> usize {
        self.nodes.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(number: u64) -> Attributes {
        let identity = Identity { device: 1, number, made: Moment::default() };
        let time = Moment::default();
        Attributes {
            identity,
            kind: Kind::Folder,
            mode: 0,
            links: 1,
            size: 0,
            blocks: 0,
            uid: 0,
            gid: 0,
            device: 0,
            accessed: time,
            modified: time,
            changed: time,
        }
    }

    fn name(text: &str) -> Name<'_> {
        Name::new(text.as_bytes()).unwrap()
    }

    #[test]
    fn two_names_of_a_file_are_one_node() {
        let mut nodes = Nodes::new(&file(1), 0);
        let node = nodes.enter(ROOT, name("a"), &file(7));
        assert_eq!(nodes.enter(ROOT, name("b"), &file(7)), node);
        assert_eq!(nodes.places(node).len(), 2);
        nodes.leave(ROOT, name("a"));
        assert_eq!(nodes.places(node), [Place { folder: ROOT, name: b"b"[..].into() }]);
        assert!(!nodes.forget(node, 1) && nodes.forget(node, 1));
        assert_eq!((nodes.count(), nodes.at(ROOT, name("b"))), (1, None));
    }

    #[test]
    fn a_folder_stays_as_long_as_something_in_it_is_known() {
        let mut nodes = Nodes::new(&file(1), 0);
        let folder = nodes.enter(ROOT, name("d"), &file(2));
        let inside = nodes.enter(folder, name("f"), &file(3));
        assert!(!nodes.forget(folder, 1));
        assert!(nodes.forget(inside, 1));
        assert_eq!(nodes.count(), 1);
        assert!(!nodes.forget(ROOT, u64::MAX));
    }

    #[test]
    fn another_file_at_a_name_is_another_node() {
        let mut nodes = Nodes::new(&file(1), 0);
        let first = nodes.enter(ROOT, name("a"), &file(2));
        let second = nodes.enter(ROOT, name("a"), &file(3));
        assert_ne!(first, second);
        assert_eq!((nodes.places(first), nodes.at(ROOT, name("a"))), (vec![], Some(second)));
    }

    #[test]
    fn what_is_moved_takes_what_it_displaces() {
        let mut nodes = Nodes::new(&file(1), 0);
        let (a, b) = (nodes.enter(ROOT, name("a"), &file(2)), nodes.enter(ROOT, name("b"), &file(3)));
        nodes.exchanged(ROOT, name("a"), ROOT, name("b"));
        assert_eq!((nodes.at(ROOT, name("a")), nodes.at(ROOT, name("b"))), (Some(b), Some(a)));
        nodes.moved(ROOT, name("a"), ROOT, name("b"));
        assert_eq!((nodes.at(ROOT, name("a")), nodes.at(ROOT, name("b"))), (None, Some(b)));
        assert_eq!(nodes.places(a), []);
    }
}
