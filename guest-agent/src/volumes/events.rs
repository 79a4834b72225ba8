//! What happens to volumes, told to whoever listens. The one place where that is said, so that a listener is added here.

use super::{DRIVER, Volumes};

/// What happened to a volume.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Event {
    /// It was made.
    Create,
    /// A container that starts sees it.
    Mount {
        /// Id of the container.
        container: String,
        /// Path in the container.
        destination: String,
        /// Whether it can be written to.
        read_write: bool,
    },
    /// The container has ended.
    Unmount {
        /// Id of the container.
        container: String,
    },
    /// It was removed.
    Destroy,
    /// Unused ones were removed.
    Prune {
        /// Bytes that were in them.
        freed_bytes: u64,
    },
}

impl Event {
    /// In dockerd's words: what happened, and its attributes.
    #[must_use]
    pub(super) fn words(&self) -> (&'static str, Vec<(&'static str, String)>) {
        let driver = || ("driver", DRIVER.to_owned());
        match self {
            Self::Create => ("create", vec![driver()]),
            Self::Mount { container, destination, read_write } => {
                let attributes = vec![
                    ("container", container.clone()),
                    ("destination", destination.clone()),
                    driver(),
                    ("propagation", String::new()),
                    ("read/write", read_write.to_string()),
                ];
                ("mount", attributes)
            }
            Self::Unmount { container } => ("unmount", vec![("container", container.clone()), driver()]),
            Self::Destroy => ("destroy", vec![driver()]),
            Self::Prune { freed_bytes } => ("prune", vec![("reclaimed", freed_bytes.to_string())]),
        }
    }
}

impl Volumes {
    /// Tells what happened to a volume.
    pub(super) fn tell(&self, volume: &str, event: &Event) {
        let (action, attributes) = event.words();
        tracing::debug!(volume, action, ?attributes, "volume event");
    }
}
