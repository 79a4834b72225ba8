//! Builds the guest image: kernel and initramfs, reproducibly, from Debian packages and our own programs.
//!
//! In reading order:
//!
//! * [`build`]: the list of steps from options to a folder with the image.
//! * [`arch`]: what differs between architectures.
//! * [`debian`]: which packages, fetched and verified by apt, and what is inside them.
//! * [`kernel`]: the uncompressed kernel, and the modules that the guest loads.
//! * [`disk_tools`]: e2fsprogs with the shared libraries that it needs.
//! * [`elf`]: the few facts that are read from ELF files.
//! * [`programs`]: the agent and the hello program, built by cargo.
//! * [`hello_image`]: the image `cove/hello` as a tar that `docker load` takes.
//! * [`initramfs`]: the tree of files that the guest boots with.
//! * [`cpio`]: the archive format of an initramfs.
//! * [`manifest`]: what went in and what came out, by hash.
//! * [`stamp`]: whether a folder is already what a build would make.
//! * [`digest`]: SHA-256 as text.
//! * [`write`]: files that appear whole or not at all.
//! * [`progress`]: what a waiting person reads.

pub mod arch;
pub mod build;
pub mod cpio;
pub mod debian;
pub mod digest;
pub mod disk_tools;
pub mod elf;
pub mod hello_image;
pub mod initramfs;
pub mod kernel;
pub mod manifest;
pub mod programs;
pub mod progress;
pub mod stamp;
pub mod write;
