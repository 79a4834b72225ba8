//! `/networks`: a file per verb.

pub(super) mod connect;
pub(super) mod create;
pub(super) mod disconnect;
pub(super) mod inspect;
pub(super) mod list;
pub(super) mod prune;
pub(super) mod remove;
