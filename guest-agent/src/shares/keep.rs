//! What is mounted outlives the agent: PID 1 keeps the descriptors by which it is served, each under a name that says all of
//! it, and the next agent goes on with them. Which containers see it is known by what runs.
//!
//! What the kernel asked and the earlier agent did not answer is asked again. The daemon's call has ended with that agent, and
//! its next one knows no node: so the rest is as after a daemon's end.

use std::{collections::BTreeSet, fs, os::fd::OwnedFd};

use futures::future::BoxFuture;
use serde::{Deserialize, Serialize};

use super::{Mounted, Served, Shares, Wanted, open::remove};
use crate::processes::{Kept, Processes};

/// Who keeps descriptors for the next agent.
pub trait Keep: std::fmt::Debug + Send + Sync {
    /// Keeps one under a name.
    fn keep(&self, name: String, descriptor: OwnedFd) -> BoxFuture<'_, ()>;
    /// Closes the one of a name.
    fn keep_no_more(&self, name: String) -> BoxFuture<'_, ()>;
}

impl Keep for Processes {
    fn keep(&self, name: String, descriptor: OwnedFd) -> BoxFuture<'_, ()> {
        Box::pin(Self::keep(self, name, descriptor))
    }

    fn keep_no_more(&self, name: String) -> BoxFuture<'_, ()> {
        Box::pin(Self::keep_no_more(self, name))
    }
}

/// What the next agent has to know of a descriptor. As JSON it is the name.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Note {
    pub(super) mount: u64,
    pub(super) wanted: Wanted,
    pub(super) docker_api: bool,
}

impl Note {
    pub(super) fn name(&self) -> String {
        serde_json::to_string(self).unwrap_or_default()
    }
}

impl Shares {
    /// Goes on with what an earlier agent has left, and takes away what it had not finished. Within a tokio runtime.
    pub fn restore(&self, kept: Kept) {
        for (name, descriptor) in kept {
            let Ok(note) = serde_json::from_str::<Note>(&name) else { continue };
            match self.serve_by(&note, descriptor) {
                Ok(served) => self.go_on(note, served),
                Err(error) => {
                    let error = &error as &dyn std::error::Error;
                    tracing::warn!(
                        error,
                        name,
                        "what containers see of this computer was lost with an agent that ended"
                    );
                }
            }
        }
        self.remove_unknown();
    }

    fn go_on(&self, Note { mount, wanted, .. }: Note, served: Served) {
        if let Served::Files(device) = &served {
            device.ask_again();
        }
        let path = self.0.folder.join(mount.to_string());
        {
            let mut mounts = self.mounts();
            mounts.next = mounts.next.max(mount);
        }
        self.insert(mount, Mounted { wanted, path, served, containers: BTreeSet::new() });
    }

    /// What was made and not kept yet is of no use.
    fn remove_unknown(&self) {
        let known: BTreeSet<_> = self.mounts().mounted.values().map(|mounted| mounted.path.clone()).collect();
        // There is no such folder before the first is mounted.
        for entry in fs::read_dir(&self.0.folder).into_iter().flatten().flatten() {
            if !known.contains(&entry.path()) {
                remove(&entry.path());
            }
        }
    }

    /// A container that runs since before this agent sees a share; false if nothing is left of it.
    #[must_use]
    pub fn adopt(&self, container: &str, share: &str) -> bool {
        let mut found = false;
        // Which owner's it sees is not known any more. Where there are two, both stay until it ends.
        for mounted in self.mounts().mounted.values_mut().filter(|mounted| mounted.wanted.share == share) {
            mounted.containers.insert(container.to_owned());
            found = true;
        }
        found
    }

    /// Shares that nobody keeps and no host serves.
    #[cfg(test)]
    pub(crate) fn of_paper(folder: &std::path::Path) -> Self {
        Self::new(folder, crate::host::Host::default(), std::sync::Arc::new(tests::Nobody))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::shares::Owner;

    /// Keeps nothing.
    #[derive(Debug)]
    pub(super) struct Nobody;

    impl Keep for Nobody {
        fn keep(&self, _: String, _: OwnedFd) -> BoxFuture<'_, ()> {
            Box::pin(std::future::ready(()))
        }

        fn keep_no_more(&self, _: String) -> BoxFuture<'_, ()> {
            Box::pin(std::future::ready(()))
        }
    }

    fn note(mount: u64) -> Note {
        let owner = Owner { uid: 1000, gid: 1, user_namespace: true };
        Note { mount, wanted: Wanted { share: "a grant".to_owned(), owner }, docker_api: true }
    }

    #[test]
    fn a_name_says_all_of_it() {
        assert_eq!(serde_json::from_str::<Note>(&note(7).name()).unwrap(), note(7));
    }

    #[tokio::test]
    async fn an_agent_goes_on_with_what_was_kept_and_takes_the_rest_away() {
        let folder = tempfile::tempdir().unwrap();
        let (kept, unfinished) = (folder.path().join("7"), folder.path().join("8"));
        let listener = super::super::docker_api::bind(&kept, Owner { uid: own().0, gid: own().1, ..Owner::default() });
        fs::write(&unfinished, "").unwrap();
        let shares = Shares::of_paper(folder.path());
        shares.restore(Kept::from([(note(7).name(), listener.unwrap())]));
        assert!(kept.exists() && !unfinished.exists());
        assert_eq!(shares.mounts().next, 7);
        assert!(shares.adopt("container", "a grant") && !shares.adopt("container", "another"));
        shares.close_unused();
        assert!(kept.exists());
        shares.close("container");
        assert!(!kept.exists());
    }

    fn own() -> (u32, u32) {
        (rustix::process::geteuid().as_raw(), rustix::process::getegid().as_raw())
    }
}
