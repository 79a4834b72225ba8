//! What happens to volumes, told in dockerd's words.

use super::{DRIVER, Volumes};
use crate::events::{Event, Kind};

/// What happened to a volume.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Told<'a> {
    /// It was made.
    Create,
    /// A container that starts sees it.
    Mount {
        /// Id of the container.
        container: &'a str,
        /// Path in the container.
        destination: &'a str,
        /// Whether it can be written to.
        read_write: bool,
    },
    /// The container has ended.
    Unmount {
        /// Id of the container.
        container: &'a str,
    },
    /// It was removed.
    Destroy,
    /// Unused ones were removed.
    Prune {
        /// Bytes that were in them.
        freed_bytes: u64,
    },
}

impl Volumes {
    /// Tells what happened to a volume.
    pub(super) fn tell(&self, volume: &str, what: Told<'_>) {
        let event = |action| Event::new(Kind::Volume, action, volume);
        let event = match what {
            Told::Create => event("create").with("driver", DRIVER),
            Told::Mount { container, destination, read_write } => event("mount")
                .with("container", container)
                .with("destination", destination)
                .with("driver", DRIVER)
                .with("propagation", "")
                .with("read/write", read_write),
            Told::Unmount { container } => event("unmount").with("container", container).with("driver", DRIVER),
            Told::Destroy => event("destroy").with("driver", DRIVER),
            Told::Prune { freed_bytes } => event("prune").with("reclaimed", freed_bytes),
        };
        self.0.events.publish(event);
    }
}
