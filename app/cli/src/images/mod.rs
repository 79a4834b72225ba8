//! Commands about images.

pub(crate) mod list;
pub(crate) mod load;
pub(crate) mod remove;
pub(crate) mod save;
