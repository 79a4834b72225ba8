//! Packages of a Debian archive: where it is mirrored ([`mirror`]), what apt verifies and fetches ([`apt`]), which
//! versions were chosen ([`lock`]), the steps of that ([`fetch`]), and what is inside a package ([`deb`]).
//!
//! Nothing is trusted but what apt has verified against Debian's archive keys at the time of choosing; from then on the
//! recorded SHA-256 holds.

pub mod apt;
pub mod deb;
pub mod fetch;
pub mod lock;
pub mod mirror;
