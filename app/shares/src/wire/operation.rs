//! What the guest's kernel asks for, taken apart: one structure of fuse.h each, with nothing missing and nothing behind it.

use super::{
    MAX_TRANSFER_BYTES,
    fields::{Fields, Name},
};
use crate::{
    errno::Errno,
    host::{Change, Moment, SetTime},
};

/// An operation on the node that the header names.
#[derive(Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names are those of fuse.h")]
pub enum Operation<'a> {
    Init { major: u32, minor: u32, max_readahead: u32, flags: u64 },
    Destroy,
    Lookup { name: Name<'a> },
    Forget { forgotten: Vec<(u64, u64)> },
    GetAttributes { handle: Option<u64> },
    SetAttributes { handle: Option<u64>, change: Change },
    ReadLink,
    SymbolicLink { name: Name<'a>, target: &'a [u8] },
    MakeNode { name: Name<'a>, mode: u32, device: u32 },
    MakeFolder { name: Name<'a>, mode: u32 },
    Unlink { name: Name<'a> },
    RemoveFolder { name: Name<'a> },
    Rename { name: Name<'a>, to: u64, to_name: Name<'a>, flags: u32 },
    Link { node: u64, name: Name<'a> },
    Open { flags: u32 },
    Create { name: Name<'a>, flags: u32, mode: u32 },
    Read { handle: u64, offset: u64, size: u32 },
    Write { handle: u64, offset: u64, data: &'a [u8] },
    Flush,
    Release { handle: u64 },
    Sync { handle: u64, data_only: bool },
    OpenFolder,
    ReadFolder { handle: u64, offset: u64, size: u32, plus: bool },
    ReleaseFolder { handle: u64 },
    SyncFolder,
    StatFs,
    GetXattr { name: &'a [u8], size: u32 },
    SetXattr { name: &'a [u8], value: &'a [u8], flags: u32 },
    ListXattr { size: u32 },
    RemoveXattr { name: &'a [u8] },
    Allocate { handle: u64, offset: u64, length: u64, mode: u32 },
    Seek { handle: u64, offset: u64, whence: u32 },
    CopyRange { from: u64, from_offset: u64, to: u64, to_offset: u64, length: u64 },
    Interrupt,
}

impl Operation<'_> {
    /// Whether it would change something of the host.
    #[must_use]
    pub fn changes(&self) -> bool {
        match self {
            Self::Open { flags } => flags & open::WRITES != 0,
            Self::SetAttributes { .. }
            | Self::SymbolicLink { .. }
            | Self::MakeNode { .. }
            | Self::MakeFolder { .. }
            | Self::Unlink { .. }
            | Self::RemoveFolder { .. }
            | Self::Rename { .. }
            | Self::Link { .. }
            | Self::Create { .. }
            | Self::Write { .. }
            | Self::SetXattr { .. }
            | Self::RemoveXattr { .. }
            | Self::Allocate { .. }
            | Self::CopyRange { .. } => true,
            _ => false,
        }
    }
}

/// Linux's flags of open, on amd64 and arm64 alike where they are read here.
pub mod open {
    /// Write only, or read and write.
    pub const ACCESS: u32 = 3;
    /// Write only.
    pub const WRITE_ONLY: u32 = 1;
    /// Both.
    pub const READ_WRITE: u32 = 2;
    /// It must be new.
    pub const EXCLUSIVE: u32 = 0o200;
    /// What is in it goes.
    pub const TRUNCATE: u32 = 0o1000;
    /// Writes go to its end.
    pub const APPEND: u32 = 0o2000;
    /// Whatever changes the file.
    pub const WRITES: u32 = ACCESS | TRUNCATE;
}

/// Takes the body of a message apart.
///
/// # Errors
/// `NOSYS` for what is not done here, `INVAL` for what makes no sense, `NAMETOOLONG`.
pub fn parse(opcode: u32, node: u64, body: &[u8]) -> Result<Operation<'_>, Errno> {
    let mut fields = Fields::of(body);
    let operation = match opcode {
        2 | 42 => forget(opcode, node, &mut fields)?,
        1 | 6 | 8..=13 | 35 | 45 => of_names(opcode, &mut fields)?,
        15 | 16 | 18 | 20 | 25 | 28 | 29 | 30 | 43 | 44 | 46 | 47 => of_handles(opcode, &mut fields)?,
        21..=24 => of_xattrs(opcode, &mut fields)?,
        26 => return init(fields),
        3 => get_attributes(&mut fields)?,
        4 => set_attributes(&mut fields)?,
        5 => Operation::ReadLink,
        14 => Operation::Open { flags: two(&mut fields)?.0 },
        17 => Operation::StatFs,
        27 => {
            two(&mut fields)?;
            Operation::OpenFolder
        }
        36 => {
            fields.u64()?;
            Operation::Interrupt
        }
        38 => Operation::Destroy,
        // ACCESS among them: whoever is refused it is refused the operation itself.
        _ => return Err(Errno::NOSYS),
    };
    fields.end()?;
    Ok(operation)
}

fn two(fields: &mut Fields<'_>) -> Result<(u32, u32), Errno> {
    Ok((fields.u32()?, fields.u32()?))
}

/// Newer kernels append to it what older ones do not know.
fn init(mut fields: Fields<'_>) -> Result<Operation<'_>, Errno> {
    let (major, minor) = two(&mut fields)?;
    let (max_readahead, low) = two(&mut fields)?;
    const EXTENDED: u32 = 1 << 30;
    let high = if low & EXTENDED == 0 { 0 } else { fields.u32()? };
    Ok(Operation::Init { major, minor, max_readahead, flags: u64::from(high) << 32 | u64::from(low) })
}

fn forget<'a>(opcode: u32, node: u64, fields: &mut Fields<'a>) -> Result<Operation<'a>, Errno> {
    if opcode == 2 {
        return Ok(Operation::Forget { forgotten: vec![(node, fields.u64()?)] });
    }
    let (count, _) = two(fields)?;
    let mut forgotten = Vec::new();
    for _ in 0..count {
        forgotten.push((fields.u64()?, fields.u64()?));
    }
    Ok(Operation::Forget { forgotten })
}

fn of_names<'a>(opcode: u32, fields: &mut Fields<'a>) -> Result<Operation<'a>, Errno> {
    Ok(match opcode {
        1 => Operation::Lookup { name: fields.name()? },
        6 => {
            let (name, target) = (fields.name()?, fields.text()?);
            if target.is_empty() {
                return Err(Errno::NOENT);
            }
            Operation::SymbolicLink { name, target }
        }
        8 => {
            let (mode, device) = two(fields)?;
            two(fields)?;
            Operation::MakeNode { name: fields.name()?, mode, device }
        }
        9 => {
            let (mode, _) = two(fields)?;
            Operation::MakeFolder { name: fields.name()?, mode }
        }
        10 => Operation::Unlink { name: fields.name()? },
        11 => Operation::RemoveFolder { name: fields.name()? },
        12 => rename(fields.u64()?, 0, fields)?,
        13 => Operation::Link { node: fields.u64()?, name: fields.name()? },
        35 => {
            let (flags, mode) = two(fields)?;
            two(fields)?;
            Operation::Create { name: fields.name()?, flags, mode }
        }
        _ => {
            let (to, (flags, _)) = (fields.u64()?, two(fields)?);
            rename(to, flags, fields)?
        }
    })
}

fn rename<'a>(to: u64, flags: u32, fields: &mut Fields<'a>) -> Result<Operation<'a>, Errno> {
    Ok(Operation::Rename { name: fields.name()?, to, to_name: fields.name()?, flags })
}

/// `fuse_read_in` and `fuse_write_in` begin alike.
fn transfer(fields: &mut Fields<'_>) -> Result<(u64, u64, u32), Errno> {
    let start = (fields.u64()?, fields.u64()?, fields.u32()?);
    fields.skip(20)?;
    if start.2 > MAX_TRANSFER_BYTES || i64::try_from(start.1).is_err() {
        return Err(Errno::INVAL);
    }
    Ok(start)
}

fn of_handles<'a>(opcode: u32, fields: &mut Fields<'a>) -> Result<Operation<'a>, Errno> {
    Ok(match opcode {
        15 => {
            let (handle, offset, size) = transfer(fields)?;
            Operation::Read { handle, offset, size }
        }
        16 => {
            let (handle, offset, size) = transfer(fields)?;
            Operation::Write { handle, offset, data: fields.bytes(size.try_into().map_err(|_| Errno::INVAL)?)? }
        }
        28 | 44 => {
            let (handle, offset, size) = transfer(fields)?;
            Operation::ReadFolder { handle, offset, size, plus: opcode == 44 }
        }
        18 | 29 => {
            let handle = fields.u64()?;
            fields.skip(16)?;
            if opcode == 18 { Operation::Release { handle } } else { Operation::ReleaseFolder { handle } }
        }
        20 | 30 => {
            let (handle, (flags, _)) = (fields.u64()?, two(fields)?);
            if opcode == 20 { Operation::Sync { handle, data_only: flags & 1 != 0 } } else { Operation::SyncFolder }
        }
        25 => {
            fields.skip(24)?;
            Operation::Flush
        }
        43 => {
            let (handle, offset, length) = (fields.u64()?, fields.u64()?, fields.u64()?);
            Operation::Allocate { handle, offset, length, mode: two(fields)?.0 }
        }
        46 => Operation::Seek { handle: fields.u64()?, offset: fields.u64()?, whence: two(fields)?.0 },
        _ => {
            let (from, from_offset, _node) = (fields.u64()?, fields.u64()?, fields.u64()?);
            let (to, to_offset, length) = (fields.u64()?, fields.u64()?, fields.u64()?);
            fields.u64()?;
            Operation::CopyRange { from, from_offset, to, to_offset, length }
        }
    })
}

fn of_xattrs<'a>(opcode: u32, fields: &mut Fields<'a>) -> Result<Operation<'a>, Errno> {
    Ok(match opcode {
        21 => {
            let (size, flags) = two(fields)?;
            let name = xattr_name(fields)?;
            Operation::SetXattr { name, value: fields.bytes(size.try_into().map_err(|_| Errno::INVAL)?)?, flags }
        }
        22 => {
            let (size, _) = two(fields)?;
            Operation::GetXattr { name: xattr_name(fields)?, size }
        }
        23 => Operation::ListXattr { size: two(fields)?.0 },
        _ => Operation::RemoveXattr { name: xattr_name(fields)? },
    })
}

fn xattr_name<'a>(fields: &mut Fields<'a>) -> Result<&'a [u8], Errno> {
    let name = fields.text()?;
    if name.is_empty() { Err(Errno::INVAL) } else { Ok(name) }
}

fn get_attributes<'a>(fields: &mut Fields<'_>) -> Result<Operation<'a>, Errno> {
    let (flags, _) = two(fields)?;
    let handle = fields.u64()?;
    Ok(Operation::GetAttributes { handle: (flags & 1 != 0).then_some(handle) })
}

/// `fuse_setattr_in`; which of its fields count is said by bits.
fn set_attributes<'a>(fields: &mut Fields<'_>) -> Result<Operation<'a>, Errno> {
    let (valid, _) = two(fields)?;
    let (handle, size) = (fields.u64()?, fields.u64()?);
    fields.skip(8)?;
    let (accessed, modified, _changed) = (fields.i64()?, fields.i64()?, fields.i64()?);
    let (accessed_nanos, modified_nanos, _) = (fields.u32()?, fields.u32()?, fields.u32()?);
    let mode = fields.u32()?;
    fields.skip(4)?;
    let (uid, gid) = two(fields)?;
    fields.skip(4)?;
    let has = |bit: u32| valid & bit != 0;
    let time = |bit: u32, now: u32, seconds: i64, nanos: u32| {
        if has(now) {
            Some(SetTime::Now)
        } else {
            has(bit).then_some(SetTime::To(Moment { seconds, nanos: nanos.min(999_999_999) }))
        }
    };
    let change = Change {
        mode: has(1).then_some(mode & 0o7777),
        uid: has(2).then_some(uid),
        gid: has(4).then_some(gid),
        size: has(8).then_some(size),
        accessed: time(16, 128, accessed, accessed_nanos),
        modified: time(32, 256, modified, modified_nanos),
    };
    if change.size.is_some_and(|size| i64::try_from(size).is_err()) {
        return Err(Errno::FBIG);
    }
    Ok(Operation::SetAttributes { handle: has(64).then_some(handle), change })
}
