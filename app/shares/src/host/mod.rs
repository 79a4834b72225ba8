//! What an operating system's files must be able to do for the server, and the systems that can.
//!
//! Everything goes by an open folder and one name in it. A name is never followed if it is a symbolic link, so nothing
//! that a container puts into a share leads out of it, however fast it is swapped.
//!
//! * [`Folder`], [`OpenFile`] — what a system offers.
//! * [`native`] — those of this system.
//! * `unix` — Linux and macOS. * `windows` — Windows.

pub mod native;
#[cfg(unix)]
pub mod unix;
#[cfg(not(unix))]
pub mod windows;

use crate::{errno::Errno, wire::fields::Name};

/// The kind of a file, as its bits of `S_IFMT` say it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[allow(missing_docs, reason = "the names are those of stat")]
pub enum Kind {
    Fifo,
    CharDevice,
    Folder,
    BlockDevice,
    File,
    SymbolicLink,
    Socket,
}

impl Kind {
    /// From the bits of a mode.
    #[must_use]
    pub fn of_mode(mode: u32) -> Self {
        match mode >> 12 & 0o17 {
            1 => Self::Fifo,
            2 => Self::CharDevice,
            4 => Self::Folder,
            6 => Self::BlockDevice,
            10 => Self::SymbolicLink,
            12 => Self::Socket,
            _ => Self::File,
        }
    }

    /// As `d_type` has it: the bits of a mode, shifted.
    #[must_use]
    pub fn number(self) -> u32 {
        match self {
            Self::Fifo => 1,
            Self::CharDevice => 2,
            Self::Folder => 4,
            Self::BlockDevice => 6,
            Self::File => 8,
            Self::SymbolicLink => 10,
            Self::Socket => 12,
        }
    }
}

/// A time.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct Moment {
    /// Seconds since 1970.
    pub seconds: i64,
    /// Nanoseconds.
    pub nanos: u32,
}

/// Which file it is: two with the same are one file by two names. A number that was used again by another file shows by
/// when it was made, where the system knows that.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Identity {
    /// Its file system.
    pub device: u64,
    /// Its number there.
    pub number: u64,
    /// When it was made.
    pub made: Moment,
}

/// What the system says of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Attributes {
    /// Which one it is.
    pub identity: Identity,
    /// What it is.
    pub kind: Kind,
    /// Permissions: twelve bits.
    pub mode: u32,
    /// How many names it has.
    pub links: u32,
    /// Bytes in it.
    pub size: u64,
    /// What it takes, in units of 512 bytes.
    pub blocks: u64,
    /// Whose it is.
    pub uid: u32,
    /// Whose group's.
    pub gid: u32,
    /// Number of a device, as Linux's `stat` of 32 bits has it.
    pub device: u32,
    /// When it was read.
    pub accessed: Moment,
    /// When its contents changed.
    pub modified: Moment,
    /// When anything of it changed.
    pub changed: Moment,
}

/// A time to set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SetTime {
    /// The present one.
    Now,
    /// This one.
    To(Moment),
}

/// What is to change of a file's attributes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[allow(missing_docs, reason = "as in Attributes")]
pub struct Change {
    pub mode: Option<u32>,
    pub uid: Option<u32>,
    pub gid: Option<u32>,
    pub size: Option<u64>,
    pub accessed: Option<SetTime>,
    pub modified: Option<SetTime>,
}

/// How a file is opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Access {
    /// To be read.
    pub read: bool,
    /// To be written.
    pub write: bool,
    /// Each write goes to its end.
    pub append: bool,
    /// What is in it goes.
    pub truncate: bool,
}

/// An entry of a folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Its name.
    pub name: Vec<u8>,
    /// Its number.
    pub number: u64,
    /// What it is, if the system says so in passing.
    pub kind: Option<Kind>,
}

/// What happens if there is something where a file is to be moved.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Displace {
    /// It goes.
    Replace,
    /// The move is refused.
    Refuse,
    /// The two change places.
    Exchange,
}

/// Room on a file system.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names are those of statfs")]
pub struct Space {
    pub block_bytes: u32,
    pub blocks: u64,
    pub free: u64,
    pub available: u64,
    pub files: u64,
    pub free_files: u64,
    pub name_bytes: u32,
}

/// What a seek looks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sought {
    /// The next bytes.
    Data,
    /// The next hole.
    Hole,
}

/// An open folder. `None` for a name is the folder itself.
pub trait Folder: Sized + std::fmt::Debug + Send + Sync + 'static {
    /// A file that it opens.
    type File: OpenFile;

    /// Opens a folder in it.
    fn folder(&self, name: Name<'_>) -> Result<Self, Errno>;
    /// Says all about something.
    fn attributes(&self, at: Option<Name<'_>>) -> Result<Attributes, Errno>;
    /// Opens a regular file; anything else is refused before it is opened, since opening can have effects.
    fn open(&self, name: Name<'_>, access: Access) -> Result<Self::File, Errno>;
    /// Makes a regular file and opens it; `EXIST` if there is anything.
    fn create(&self, name: Name<'_>, access: Access, mode: u32) -> Result<Self::File, Errno>;
    /// Makes a folder.
    fn make_folder(&self, name: Name<'_>, mode: u32) -> Result<(), Errno>;
    /// Makes a regular file, a fifo, a socket, or, where the system lets this user, a device.
    fn make_node(&self, name: Name<'_>, kind: Kind, mode: u32, device: u32) -> Result<(), Errno>;
    /// Makes a symbolic link.
    fn symbolic_link(&self, name: Name<'_>, target: &[u8]) -> Result<(), Errno>;
    /// Where a symbolic link leads.
    fn read_link(&self, name: Name<'_>) -> Result<Vec<u8>, Errno>;
    /// Gives a file, however it is named in `from`, a name in this folder too.
    fn link(&self, name: Name<'_>, from: &Self, from_name: Name<'_>) -> Result<(), Errno>;
    /// Removes a file.
    fn unlink(&self, name: Name<'_>) -> Result<(), Errno>;
    /// Removes an empty folder.
    fn remove_folder(&self, name: Name<'_>) -> Result<(), Errno>;
    /// Moves something.
    fn rename(&self, name: Name<'_>, to: &Self, to_name: Name<'_>, displace: Displace) -> Result<(), Errno>;
    /// What is in it, "." and ".." left out.
    fn list(&self) -> Result<Vec<Entry>, Errno>;
    /// Changes attributes; the size as well.
    fn change(&self, at: Option<Name<'_>>, change: &Change) -> Result<(), Errno>;
    /// An extended attribute.
    fn xattr(&self, at: Option<Name<'_>>, xattr: &[u8]) -> Result<Vec<u8>, Errno>;
    /// Sets one, by `XATTR_CREATE` (1) and `XATTR_REPLACE` (2).
    fn set_xattr(&self, at: Option<Name<'_>>, xattr: &[u8], value: &[u8], flags: u32) -> Result<(), Errno>;
    /// The names of all, each ended by NUL.
    fn list_xattrs(&self, at: Option<Name<'_>>) -> Result<Vec<u8>, Errno>;
    /// Removes one.
    fn remove_xattr(&self, at: Option<Name<'_>>, xattr: &[u8]) -> Result<(), Errno>;
    /// How much room there is.
    fn space(&self) -> Result<Space, Errno>;
    /// Has its entries written to the disk.
    fn sync(&self) -> Result<(), Errno>;
}

/// An open file.
pub trait OpenFile: std::fmt::Debug + Send + Sync + 'static {
    /// Says all about it.
    fn attributes(&self) -> Result<Attributes, Errno>;
    /// Reads at an offset; fewer bytes only at its end.
    fn read(&self, offset: u64, size: u32) -> Result<Vec<u8>, Errno>;
    /// Writes all of it at an offset.
    fn write(&self, offset: u64, data: &[u8]) -> Result<(), Errno>;
    /// Changes attributes; the size as well.
    fn change(&self, change: &Change) -> Result<(), Errno>;
    /// Has it written to the disk.
    fn sync(&self, data_only: bool) -> Result<(), Errno>;
    /// Linux's fallocate.
    fn allocate(&self, offset: u64, length: u64, mode: u32) -> Result<(), Errno>;
    /// Looks for data or a hole.
    fn seek(&self, offset: u64, sought: Sought) -> Result<u64, Errno>;
    /// Copies from it to another one; says how much.
    fn copy_range(&self, offset: u64, to: &Self, to_offset: u64, length: u64) -> Result<u64, Errno>;
}
