//! A message of the guest's kernel: `fuse_in_header` and a body.

use super::{
    MAX_MESSAGE_BYTES,
    fields::Fields,
    operation::{self, Operation},
};
use crate::errno::Errno;

/// The header's length.
pub const HEADER_BYTES: usize = 40;

/// Who asks, and about which node.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Header {
    /// What the answer is to name.
    pub unique: u64,
    /// The node.
    pub node: u64,
    /// The asker's user.
    pub uid: u32,
    /// The asker's group.
    pub gid: u32,
    /// The asker's process, as the agent sees it.
    pub pid: u32,
}

/// Why bytes are no message at all. Nothing can be answered: who sends such a thing is cut off.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Malformed {
    /// The header does not fit.
    #[error("a message of {0} bytes is no message")]
    Length(usize),
    /// The header says another length.
    #[error("a message of {came} bytes says that it has {said}")]
    OtherLength {
        /// What it says.
        said: u32,
        /// What came.
        came: usize,
    },
}

/// A message.
#[derive(Debug)]
pub struct Message<'a> {
    /// Its header.
    pub header: Header,
    /// What it asks for; why not, if that makes no sense.
    pub operation: Result<Operation<'a>, Errno>,
}

/// Takes a message apart.
///
/// # Errors
/// If it is none.
pub fn parse(bytes: &[u8]) -> Result<Message<'_>, Malformed> {
    if bytes.len() > MAX_MESSAGE_BYTES {
        return Err(Malformed::Length(bytes.len()));
    }
    let (said, opcode, header, extensions) = header(bytes).map_err(|_| Malformed::Length(bytes.len()))?;
    if usize::try_from(said) != Ok(bytes.len()) {
        return Err(Malformed::OtherLength { said, came: bytes.len() });
    }
    // Extensions (supplementary groups, security contexts) come when asked for, which nobody does.
    let operation =
        if extensions == 0 { operation::parse(opcode, header.node, &bytes[HEADER_BYTES..]) } else { Err(Errno::INVAL) };
    Ok(Message { header, operation })
}

fn header(bytes: &[u8]) -> Result<(u32, u32, Header, u16), Errno> {
    let mut fields = Fields::of(bytes);
    let (said, opcode) = (fields.u32()?, fields.u32()?);
    let (unique, node) = (fields.u64()?, fields.u64()?);
    let (uid, gid, pid) = (fields.u32()?, fields.u32()?, fields.u32()?);
    let extensions = fields.u16()?;
    fields.skip(2)?;
    Ok((said, opcode, Header { unique, node, uid, gid, pid }, extensions))
}
