//! The engine as a whole.

pub(super) mod df;
pub(super) mod events;
pub(super) mod info;
pub(super) mod ping;
pub(super) mod version;
