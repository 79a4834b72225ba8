//! The data disk. Surface: see `images/mod.rs`.
