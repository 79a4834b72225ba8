//! Commands about images. `transfer` — their layers on the way, before the user's eyes.

pub(crate) mod import;
pub(crate) mod list;
pub(crate) mod load;
pub(crate) mod pull;
pub(crate) mod push;
pub(crate) mod remove;
pub(crate) mod save;
mod transfer;
