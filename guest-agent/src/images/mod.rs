//! Images: what there is, what it is called, and where its layers are.
//!
//! * [`reference`], [`digest`], [`config`] — names, content addresses and the configuration document.
//! * [`catalogue`] — the record of images in the agent's database.
//! * [`store`] — folders, left-overs, layers that come and go, [`temporary`] — what is on its way, [`space`] on the disk.
//! * [`lookup`], [`hold`] — from a name to an image; which container uses which.
//! * [`load`], [`save`], [`import`], [`builtin`] — archives in and out; [`commit`] — a container as an image; [`changes`], [`words`] — Dockerfile instructions.
//! * [`receive`], [`send`] — layers from and to the registries, which the host talks to.
//! * [`list`], [`pattern`], [`tag`], [`remove`], [`prune`] — the other verbs. [`check`] — whether all is well. [`moments`] — where it may be cut off.
//! * [`layers`] — from a tar to a folder for overlayfs and back.
//!
//! All calls block; callers on the runtime use `spawn_blocking`.

mod builtin;
mod catalogue;
mod changes;
mod check;
mod commit;
mod config;
mod digest;
mod error;
mod hold;
mod import;
mod layers;
mod list;
mod load;
mod lookup;
mod moments;
mod pattern;
mod prune;
mod receive;
mod reference;
mod remove;
mod save;
mod send;
mod space;
mod store;
mod tag;
mod temporary;
mod words;

#[cfg(test)]
pub(crate) mod archives;
#[cfg(test)]
mod tests;

pub use catalogue::{CatalogueError, RemoteLayer};
pub use check::StoreReport;
pub use commit::CommitRequest;
pub use config::{ImageConfig, ImageHealthcheck};
pub use digest::{Digest, DigestError};
pub use error::{ImagesError, Kind};
pub use hold::HeldImage;
pub use import::ImportRequest;
pub(crate) use layers::{Entry, EntryKind, Scribe, Tape, clean, copy_data, plain, remove_below, set_metadata};
pub use layers::{LayerError, Limits, PathError, Privilege, TapeError};
pub use list::Filters;
pub use load::LoadedImage;
pub use lookup::ImageSummary;
pub use prune::Pruned;
pub use receive::{Incoming, IncomingImage, Receipt};
pub use reference::{Reference, ReferenceError};
pub use remove::Removed;
pub use send::LayerCompression;
pub use store::{ImageStore, StoreConfig};
