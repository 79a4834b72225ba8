//! `/networks`: a file per verb.

pub(super) mod change;
pub(super) mod inspect;
pub(super) mod list;
