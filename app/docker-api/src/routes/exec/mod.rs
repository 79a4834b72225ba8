//! Programs run in a container that runs, a file per verb.

pub(super) mod create;
pub(super) mod inspect;
pub(super) mod resize;
pub(super) mod start;
