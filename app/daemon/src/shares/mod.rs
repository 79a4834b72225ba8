//! Folders of this computer that containers see.
//!
//! * [`grants`] — what was granted, and below which folders anything may be; kept in a file.
//! * [`serve`] — the call into the guest by which its kernel gets at them.
//! * `mounted` — what a guest has mounted, by number.

pub mod grants;
mod mounted;
pub mod serve;
