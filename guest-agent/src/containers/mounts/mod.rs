//! What a container sees beside its root file system.
//!
//! Its creator says it in three ways: mounts, volumes without a name (the image says some as well), volumes of other
//! containers. When the container is made they become one list of mounts, in which every volume has its name
//! ([`resolve`]), and the volumes that are new are filled ([`fill`]). From then on only that list counts.
//!
//! * [`check`] — whether it makes sense.
//! * [`resolve`], [`fill`] — when the container is made.
//! * [`share`] — folders of the host, before it starts.
//! * [`launch`] — when it starts and when it has ended. [`release`] — when it goes.
//! * [`points`] — for those who ask.

mod check;
mod fill;
mod launch;
mod points;
mod release;
mod resolve;
mod share;
#[cfg(test)]
mod tests;

use cove_proto::v1::{Mount, MountKind};

pub use self::check::MountError;
pub(super) use self::{
    check::check,
    fill::fill,
    launch::{adopted, launches, started, stopped},
    points::{matches, points},
    release::{abandon, release, restored},
    resolve::resolve,
    share::{Opened, open},
};
use crate::volumes::Volumes;

/// What keeps the image of a mount, among the holds of images: "ID.0" is the first mount of container ID.
fn hold_key(container: &str, index: usize) -> String {
    format!("{container}.{index}")
}

/// The container that a hold of an image is for.
pub(super) fn container_of(hold: &str) -> &str {
    hold.split_once('.').map_or(hold, |(container, _)| container)
}

/// The volumes among mounts.
fn volumes(mounts: &[Mount]) -> impl Iterator<Item = &Mount> {
    mounts.iter().filter(|mount| mount.kind() == MountKind::Volume)
}

/// The images among mounts, with their holds.
fn images<'a>(container: &'a str, mounts: &'a [Mount]) -> impl Iterator<Item = String> + 'a {
    let images = mounts.iter().enumerate().filter(|(_, mount)| mount.kind() == MountKind::Image);
    images.map(move |(index, _)| hold_key(container, index))
}

/// Whether a mount's volume was made for it without a name. Said by the label that such volumes have; who names a volume
/// cannot say it ([`resolve`]).
fn is_anonymous(mount: &Mount) -> bool {
    mount.kind() == MountKind::Volume && mount.volume_labels.contains_key(Volumes::ANONYMOUS)
}
