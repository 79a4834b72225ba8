//! Containers, a file per verb.

pub(super) mod archive;
pub(super) mod attach;
pub(super) mod changes;
pub(super) mod create;
pub(super) mod export;
pub(super) mod inspect;
pub(super) mod kill;
pub(super) mod list;
pub(super) mod logs;
pub(super) mod pause;
pub(super) mod prune;
pub(super) mod remove;
pub(super) mod rename;
pub(super) mod resize;
pub(super) mod restart;
pub(super) mod start;
pub(super) mod stats;
pub(super) mod stop;
pub(super) mod top;
pub(super) mod unpause;
pub(super) mod update;
pub(super) mod wait;
