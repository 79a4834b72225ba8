//! Windows. Nothing of it can be shared yet: to walk folders there as safely as elsewhere takes NtCreateFile below an open
//! folder, which nobody has written. There is no value of this type, and so nothing that could be done wrongly.

use std::{convert::Infallible, path::Path};

use super::{Access, Attributes, Change, Displace, Entry, Folder, Kind, OpenFile, Sought, Space};
use crate::{errno::Errno, wire::fields::Name};

/// A folder that cannot be.
#[derive(Debug)]
pub struct WindowsFolder(Infallible);

/// A file that cannot be.
#[derive(Debug)]
pub struct WindowsFile(Infallible);

impl WindowsFolder {
    /// Refuses.
    ///
    /// # Errors
    /// Always.
    pub fn open_path(_: &Path) -> Result<Self, Errno> {
        Err(Errno::OPNOTSUPP)
    }
}

type Done<T = ()> = Result<T, Errno>;

impl Folder for WindowsFolder {
    type File = WindowsFile;

    fn folder(&self, _: Name<'_>) -> Done<Self> {
        match self.0 {}
    }
    fn attributes(&self, _: Option<Name<'_>>) -> Done<Attributes> {
        match self.0 {}
    }
    fn open(&self, _: Name<'_>, _: Access) -> Done<WindowsFile> {
        match self.0 {}
    }
    fn create(&self, _: Name<'_>, _: Access, _: u32) -> Done<WindowsFile> {
        match self.0 {}
    }
    fn make_folder(&self, _: Name<'_>, _: u32) -> Done {
        match self.0 {}
    }
    fn make_node(&self, _: Name<'_>, _: Kind, _: u32, _: u32) -> Done {
        match self.0 {}
    }
    fn symbolic_link(&self, _: Name<'_>, _: &[u8]) -> Done {
        match self.0 {}
    }
    fn read_link(&self, _: Name<'_>) -> Done<Vec<u8>> {
        match self.0 {}
    }
    fn link(&self, _: Name<'_>, _: &Self, _: Name<'_>) -> Done {
        match self.0 {}
    }
    fn unlink(&self, _: Name<'_>) -> Done {
        match self.0 {}
    }
    fn remove_folder(&self, _: Name<'_>) -> Done {
        match self.0 {}
    }
    fn rename(&self, _: Name<'_>, _: &Self, _: Name<'_>, _: Displace) -> Done {
        match self.0 {}
    }
    fn list(&self) -> Done<Vec<Entry>> {
        match self.0 {}
    }
    fn change(&self, _: Option<Name<'_>>, _: &Change) -> Done {
        match self.0 {}
    }
    fn xattr(&self, _: Option<Name<'_>>, _: &[u8]) -> Done<Vec<u8>> {
        match self.0 {}
    }
    fn set_xattr(&self, _: Option<Name<'_>>, _: &[u8], _: &[u8], _: u32) -> Done {
        match self.0 {}
    }
    fn list_xattrs(&self, _: Option<Name<'_>>) -> Done<Vec<u8>> {
        match self.0 {}
    }
    fn remove_xattr(&self, _: Option<Name<'_>>, _: &[u8]) -> Done {
        match self.0 {}
    }
    fn space(&self) -> Done<Space> {
        match self.0 {}
    }
    fn sync(&self) -> Done {
        match self.0 {}
    }
}

impl OpenFile for WindowsFile {
    fn attributes(&self) -> Done<Attributes> {
        match self.0 {}
    }
    fn read(&self, _: u64, _: u32) -> Done<Vec<u8>> {
        match self.0 {}
    }
    fn write(&self, _: u64, _: &[u8]) -> Done {
        match self.0 {}
    }
    fn change(&self, _: &Change) -> Done {
        match self.0 {}
    }
    fn sync(&self, _: bool) -> Done {
        match self.0 {}
    }
    fn allocate(&self, _: u64, _: u64, _: u32) -> Done {
        match self.0 {}
    }
    fn seek(&self, _: u64, _: Sought) -> Done<u64> {
        match self.0 {}
    }
    fn copy_range(&self, _: u64, _: &Self, _: u64, _: u64) -> Done<u64> {
        match self.0 {}
    }
}
