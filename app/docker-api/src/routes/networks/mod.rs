//! `/networks`: a file per verb.

pub(super) mod inspect;
pub(super) mod list;
