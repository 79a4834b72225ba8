//! The programs of e2fsprogs.

use std::path::Path;
use std::process::{Command, Output};

use super::{DiskError, at};

/// How much of what a program said is kept for an error.
const KEPT: usize = 600;
/// e2fsck's exit codes are bits; these mean that all is well now.
const REPAIRED: i32 = 1;
const REPAIRED_AND_REBOOT: i32 = 2;
/// And this one that it needs a human.
const UNREPAIRED: i32 = 4;

/// The programs, for one disk.
pub(super) struct Tools<'a> {
    pub(super) folder: &'a Path,
    pub(super) device: &'a Path,
}

impl Tools<'_> {
    /// Makes the file system. What can wait (inode tables, the journal's zeros) is left to the kernel and to first use, so
    /// that it takes the same moment whatever the size, and the file on the host stays sparse; nothing is kept back for root.
    pub(super) fn format(&self) -> Result<(), DiskError> {
        let options = ["-q", "-F", "-t", "ext4", "-L", "cove-data", "-m", "0"];
        let lazy = ["-E", "lazy_itable_init=1,lazy_journal_init=1,nodiscard"];
        let output = self.run("mke2fs", &[&options[..], &lazy].concat())?;
        if output.status.success() { Ok(()) } else { Err(self.failed("mke2fs", &output)) }
    }

    /// Replays the journal and repairs what needs no decision.
    pub(super) fn check(&self) -> Result<(), DiskError> {
        let output = self.run("e2fsck", &["-p"])?;
        match output.status.code() {
            Some(code) if code & !(REPAIRED | REPAIRED_AND_REBOOT) == 0 => Ok(()),
            Some(code) if code & UNREPAIRED != 0 => {
                Err(DiskError::Damaged { device: self.device.to_owned(), output: said(&output) })
            }
            _ => Err(self.failed("e2fsck", &output)),
        }
    }

    /// Makes the mounted file system as large as its disk.
    pub(super) fn grow(&self) -> Result<(), DiskError> {
        let output = self.run("resize2fs", &[])?;
        if output.status.success() { Ok(()) } else { Err(self.failed("resize2fs", &output)) }
    }

    fn run(&self, program: &'static str, options: &[&str]) -> Result<Output, DiskError> {
        let path = self.folder.join(program);
        Command::new(&path).args(options).arg(self.device).env_clear().output().map_err(at("run", &path))
    }

    fn failed(&self, program: &'static str, output: &Output) -> DiskError {
        DiskError::Tool { program, device: self.device.to_owned(), status: output.status, output: said(output) }
    }
}

/// The end of what a program said, in one line.
fn said(output: &Output) -> String {
    let all = [output.stdout.as_slice(), output.stderr.as_slice()].concat();
    let text = String::from_utf8_lossy(&all[all.len().saturating_sub(KEPT)..]).into_owned();
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use std::fs::File;
    use std::os::unix::fs::{FileExt, MetadataExt};

    use super::super::superblock::{self, Content};
    use super::*;

    /// A sparse file that stands for a disk: e2fsprogs, which every Debian has, work on it as on a device.
    fn disk(bytes: u64) -> (tempfile::TempDir, std::path::PathBuf) {
        let folder = tempfile::TempDir::new().unwrap();
        let path = folder.path().join("disk");
        File::create_new(&path).unwrap().set_len(bytes).unwrap();
        (folder, path)
    }

    fn tools(device: &Path) -> Tools<'_> {
        Tools { folder: Path::new("/sbin"), device }
    }

    fn ext4(device: &Path) -> superblock::Superblock {
        match superblock::read(device).unwrap() {
            Content::Ext4(superblock) => superblock,
            other => panic!("{other:?}"),
        }
    }

    fn debugfs(device: &Path, request: &str) {
        let done = Command::new("/sbin/debugfs").args(["-w", "-R", request]).arg(device).output().unwrap();
        assert!(done.status.success(), "{done:?}");
    }

    #[test]
    fn a_new_disk_is_formatted_and_stays_sparse() {
        let (_folder, device) = disk(16 << 30);
        assert_eq!(superblock::read(&device).unwrap(), Content::Blank);
        tools(&device).format().unwrap();
        let superblock = ext4(&device);
        assert!(!superblock.needs_check() && !superblock.is_smaller_than(16 << 30));
        let used = std::fs::metadata(&device).unwrap().blocks() * 512;
        assert!(used < 64 << 20, "{used} bytes of the host for an empty disk");
    }

    #[test]
    fn a_disk_that_was_not_left_clean_is_repaired() {
        let (_folder, device) = disk(64 << 20);
        tools(&device).format().unwrap();
        // As if it had been mounted when the power went: not marked clean.
        debugfs(&device, "set_super_value state 0");
        assert!(ext4(&device).needs_check());
        tools(&device).check().unwrap();
        assert!(!ext4(&device).needs_check());
    }

    #[test]
    fn a_disk_that_was_enlarged_is_grown() {
        let (_folder, device) = disk(64 << 20);
        tools(&device).format().unwrap();
        File::options().write(true).open(&device).unwrap().set_len(128 << 20).unwrap();
        assert!(ext4(&device).is_smaller_than(128 << 20));
        tools(&device).grow().unwrap();
        assert!(!ext4(&device).is_smaller_than(128 << 20));
    }

    #[test]
    fn a_disk_beyond_repair_says_so() {
        let (_folder, device) = disk(64 << 20);
        tools(&device).format().unwrap();
        let file = File::options().write(true).open(&device).unwrap();
        // Group descriptors, bitmaps and inodes: garbage that e2fsck will not decide about alone.
        file.write_all_at(&vec![0x5a; 2 << 20], 4096).unwrap();
        let error = tools(&device).check().unwrap_err();
        assert!(matches!(error, DiskError::Damaged { .. } | DiskError::Tool { program: "e2fsck", .. }), "{error}");
    }

    #[test]
    fn a_missing_program_is_named() {
        let error = Tools { folder: Path::new("/nosuch"), device: Path::new("/dev/null") }.format().unwrap_err();
        assert_eq!(error.to_string(), "run /nosuch/mke2fs");
    }
}
