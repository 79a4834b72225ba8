//! Folders that are open: those used last, so that descriptors do not run out.

use std::{collections::HashMap, sync::Arc};

/// How many stay open. macOS gives a program 256 descriptors where nothing else is said; a daemon asks for more.
const MOST: usize = 128;

/// The open folders, by node.
#[derive(Debug)]
pub struct Folders<F> {
    open: HashMap<u64, (Arc<F>, u64)>,
    uses: u64,
}

impl<F> Default for Folders<F> {
    fn default() -> Self {
        Self { open: HashMap::new(), uses: 0 }
    }
}

impl<F> Folders<F> {
    /// An open one.
    pub fn get(&mut self, node: u64) -> Option<Arc<F>> {
        self.uses += 1;
        let (folder, used) = self.open.get_mut(&node)?;
        *used = self.uses;
        Some(Arc::clone(folder))
    }

    /// Keeps one open, and of too many lets the half go that was not used for longest.
    pub fn keep(&mut self, node: u64, folder: Arc<F>) {
        self.uses += 1;
        self.open.insert(node, (folder, self.uses));
        if self.open.len() > MOST {
            let mut uses: Vec<u64> = self.open.values().map(|(_, used)| *used).collect();
            uses.sort_unstable();
            let oldest = uses[uses.len() / 2];
            self.open.retain(|_, (_, used)| *used >= oldest);
        }
    }

    /// Lets one go.
    pub fn close(&mut self, node: u64) {
        self.open.remove(&node);
    }

    /// Lets all go.
    pub fn close_all(&mut self) {
        self.open.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn those_used_last_stay_open() {
        let mut folders = Folders::default();
        for node in 0..1000_u64 {
            folders.keep(node, Arc::new(node));
            folders.get(0);
        }
        assert!(folders.open.len() <= MOST && folders.get(0).is_some() && folders.get(999).is_some());
        assert!(folders.get(1).is_none());
    }
}
