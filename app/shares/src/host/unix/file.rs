//! An open file of Linux or macOS.

use std::os::fd::OwnedFd;

use rustix::{
    fs::{self, FallocateFlags, Gid, SeekFrom, Uid},
    io,
};

use super::{again, bits, system, times};
use crate::{
    errno::Errno,
    host::{Attributes, Change, OpenFile, Sought},
};

/// An open file.
#[derive(Debug)]
pub struct UnixFile(pub(super) OwnedFd);

impl OpenFile for UnixFile {
    fn attributes(&self) -> Result<Attributes, Errno> {
        system::attributes(&self.0, None)
    }

    fn read(&self, offset: u64, size: u32) -> Result<Vec<u8>, Errno> {
        let mut bytes = vec![0; usize::try_from(size).map_err(|_| Errno::INVAL)?];
        let mut filled = 0;
        while filled < bytes.len() {
            let at = offset + u64::try_from(filled).map_err(|_| Errno::INVAL)?;
            match again(|| io::pread(&self.0, &mut bytes[filled..], at))? {
                0 => break,
                came => filled += came,
            }
        }
        bytes.truncate(filled);
        Ok(bytes)
    }

    fn write(&self, offset: u64, mut data: &[u8]) -> Result<(), Errno> {
        let mut at = offset;
        while !data.is_empty() {
            let written = again(|| io::pwrite(&self.0, data, at))?;
            if written == 0 {
                return Err(Errno::IO);
            }
            at += u64::try_from(written).map_err(|_| Errno::INVAL)?;
            data = &data[written..];
        }
        Ok(())
    }

    fn change(&self, change: &Change) -> Result<(), Errno> {
        change_open(&self.0, change)
    }

    fn sync(&self, data_only: bool) -> Result<(), Errno> {
        again(|| if data_only { system::sync_data(&self.0) } else { fs::fsync(&self.0) })
    }

    fn allocate(&self, offset: u64, length: u64, mode: u32) -> Result<(), Errno> {
        again(|| fs::fallocate(&self.0, FallocateFlags::from_bits_retain(mode), offset, length))
    }

    fn seek(&self, offset: u64, sought: Sought) -> Result<u64, Errno> {
        let from = match sought {
            Sought::Data => SeekFrom::Data(offset),
            Sought::Hole => SeekFrom::Hole(offset),
        };
        again(|| fs::seek(&self.0, from))
    }

    fn copy_range(&self, offset: u64, to: &Self, to_offset: u64, length: u64) -> Result<u64, Errno> {
        system::copy_range(&self.0, offset, &to.0, to_offset, length)
    }
}

/// Changes what is open, be it a file or a folder. The size comes first, since it takes bits of the mode away, and so does
/// the owner; the times come last.
pub(super) fn change_open(fd: &OwnedFd, change: &Change) -> Result<(), Errno> {
    if let Some(size) = change.size {
        again(|| fs::ftruncate(fd, size))?;
    }
    if change.uid.is_some() || change.gid.is_some() {
        again(|| fs::fchown(fd, change.uid.map(Uid::from_raw), change.gid.map(Gid::from_raw)))?;
    }
    if let Some(mode) = change.mode {
        again(|| fs::fchmod(fd, bits(mode)))?;
    }
    times(change).map_or(Ok(()), |times| again(|| fs::futimens(fd, &times)))
}
