//! The data disk: found where the VMM has put it, formatted when it is new, repaired when it was not left clean, mounted, and made
//! larger when the host has made it larger.
//!
//! * [`find`] — which block device it is.
//! * [`appear`] — waiting for it.
//! * [`superblock`] — what is on it, read without mounting.
//! * [`tools`] — mke2fs, e2fsck, resize2fs.
//! * `free` — removing trees that containers have made.
//!
//! A disk that holds anything else than ext4 is never formatted: it is an error for the user to resolve.

mod appear;
mod find;
mod free;
mod superblock;
mod tools;

use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::mount::{MountFlags, mount};

use find::BlockDevice;
pub use find::Place;
pub(crate) use free::free;
use superblock::{Content, Superblock};

/// Where it is mounted.
pub const MOUNT_POINT: &str = "/var/lib/cove";

/// How long a bus may take to show its disks: it is milliseconds on a computer that is not overloaded.
const PATIENCE: Duration = Duration::from_secs(20);

/// Where the disk is and goes.
#[derive(Debug, Clone)]
pub struct DiskConfig {
    /// How it is told from others.
    pub place: Place,
    /// Where it is mounted.
    pub mount_point: PathBuf,
    /// The kernel's list of block devices.
    pub sys_block: PathBuf,
    /// The folder of device nodes.
    pub dev: PathBuf,
    /// The folder of mke2fs, e2fsck and resize2fs.
    pub tools: PathBuf,
}

impl DiskConfig {
    /// Of this guest, as its VMM has booted it.
    ///
    /// # Errors
    /// The kernel's command line cannot be read or says something about the disk that is not understood.
    pub fn of_boot() -> Result<Self, DiskError> {
        let path = Path::new("/proc/cmdline");
        Ok(Self::with(Place::of_boot(&fs::read_to_string(path).map_err(at("read", path))?)?))
    }

    fn with(place: Place) -> Self {
        Self {
            place,
            mount_point: MOUNT_POINT.into(),
            sys_block: "/sys/block".into(),
            dev: "/dev".into(),
            tools: "/sbin".into(),
        }
    }
}

/// The data disk, mounted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DataDisk {
    /// Its device.
    pub device: PathBuf,
    /// Where it is mounted.
    pub mount_point: PathBuf,
    /// Whether it was new and was formatted.
    pub formatted: bool,
    /// Whether it was not left clean and was checked.
    pub checked: bool,
    /// Whether its file system was made larger.
    pub grown: bool,
}

/// Room on the disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Space {
    /// Size of the file system in bytes.
    pub total_bytes: u64,
    /// Bytes that can still be used.
    pub available_bytes: u64,
}

/// Why there is no data disk.
#[derive(Debug, thiserror::Error)]
pub enum DiskError {
    /// The VMM says something that is not understood.
    #[error("the kernel argument {0} is neither serial:NAME nor scsi:CONTROLLER:CHANNEL:TARGET:NUMBER")]
    Argument(String),
    /// No block device is in its place.
    #[error("no disk {place} among {found:?}: was the machine started without its data disk")]
    Missing {
        /// What was looked for.
        place: Place,
        /// The devices that there are, with what they have there.
        found: Vec<String>,
    },
    /// The kernel does not say which devices come.
    #[error("wait for the data disk")]
    Events(#[from] rustix::io::Errno),
    /// It holds something else.
    #[error(
        "the data disk {} holds something that is not ext4; it is left alone: remove its file on the host if it may be made anew",
        .0.display()
    )]
    Foreign(PathBuf),
    /// A program of e2fsprogs could not do its work.
    #[error("{program} {} failed ({status}): {output}", .device.display())]
    Tool {
        /// Its name.
        program: &'static str,
        /// The disk.
        device: PathBuf,
        /// How it ended.
        status: std::process::ExitStatus,
        /// What it said last.
        output: String,
    },
    /// The disk has errors that only a human may resolve.
    #[error(
        "the file system of the data disk {} is damaged beyond automatic repair: {output}; keep a copy of its file, then remove it to start anew",
        .device.display()
    )]
    Damaged {
        /// The disk.
        device: PathBuf,
        /// What e2fsck said.
        output: String,
    },
    /// A system call or a file.
    #[error("{action} {}", .path.display())]
    Io {
        /// What was tried.
        action: &'static str,
        /// On what.
        path: PathBuf,
        /// Why it failed.
        #[source]
        source: io::Error,
    },
}

/// Finds the data disk and mounts it, with what has to be done before. Blocks; a new disk takes under a second. A disk that
/// an earlier agent has mounted stays as it is.
///
/// # Errors
/// There is none, it holds something else, it is damaged, or it cannot be mounted.
pub fn prepare(config: &DiskConfig) -> Result<DataDisk, DiskError> {
    let found = locate(config)?;
    let device = config.dev.join(&found.name);
    let tools = tools::Tools { folder: &config.tools, device: &device };

    let mounted = is_mounted(&device, &config.mount_point)?;
    let (formatted, checked, superblock) = match superblock::read(&device)? {
        Content::Blank => {
            tools.format()?;
            (true, false, expect_ext4(&device)?)
        }
        // In use it is never clean.
        Content::Ext4(superblock) if !mounted && superblock.needs_check() => {
            tools.check()?;
            (false, true, expect_ext4(&device)?)
        }
        Content::Ext4(superblock) => (false, false, superblock),
        Content::Other => return Err(DiskError::Foreign(device)),
    };
    if !mounted {
        attach(&device, &config.mount_point)?;
    }
    let grown = superblock.is_smaller_than(found.bytes);
    if grown {
        tools.grow()?;
    }
    Ok(DataDisk { device, mount_point: config.mount_point.clone(), formatted, checked, grown })
}

/// A disk on a SCSI bus may have to be waited for, until it can be opened: the kernel shows it a moment before.
fn locate(config: &DiskConfig) -> Result<BlockDevice, DiskError> {
    let look = || find::find(&config.sys_block, &config.place);
    if matches!(config.place, Place::Serial(_)) {
        return look();
    }
    let events = appear::Events::of_the_kernel()?;
    events.until(PATIENCE, || {
        let found = look()?;
        let device = config.dev.join(&found.name);
        fs::File::open(&device).map_err(at("open", &device))?;
        Ok(found)
    })
}

impl DataDisk {
    /// The room on it.
    ///
    /// # Errors
    /// It is not mounted any more.
    pub fn space(&self) -> Result<Space, DiskError> {
        let facts = rustix::fs::statvfs(&self.mount_point)
            .map_err(|error| at("ask for the space of", &self.mount_point)(error.into()))?;
        Ok(Space {
            total_bytes: facts.f_blocks.saturating_mul(facts.f_frsize),
            available_bytes: facts.f_bavail.saturating_mul(facts.f_frsize),
        })
    }
}

/// Whether what is mounted there is this device.
fn is_mounted(device: &Path, mount_point: &Path) -> Result<bool, DiskError> {
    let device_number = fs::metadata(device).map_err(at("look at", device))?.rdev();
    match fs::metadata(mount_point) {
        Ok(facts) => Ok(facts.dev() == device_number),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(at("look at", mount_point)(error)),
    }
}

fn expect_ext4(device: &Path) -> Result<Superblock, DiskError> {
    match superblock::read(device)? {
        Content::Ext4(superblock) => Ok(superblock),
        Content::Blank | Content::Other => Err(DiskError::Foreign(device.to_owned())),
    }
}

/// Mounts the disk: freed blocks go back to the host (`discard`), and a damaged file system is written to no more.
fn attach(device: &Path, mount_point: &Path) -> Result<(), DiskError> {
    fs::create_dir_all(mount_point).map_err(at("make", mount_point))?;
    mount(device, mount_point, "ext4", MountFlags::NOATIME, Some(c"discard,errors=remount-ro"))
        .map_err(|error| at("mount the data disk at", mount_point)(error.into()))
}

fn at<'a>(action: &'static str, path: &'a Path) -> impl FnOnce(io::Error) -> DiskError + use<'a> {
    move |source| DiskError::Io { action, path: path.to_owned(), source }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(folder: &Path, place: Place) -> DiskConfig {
        DiskConfig {
            sys_block: folder.join("sys"),
            dev: folder.to_owned(),
            mount_point: folder.join("mnt"),
            ..DiskConfig::with(place)
        }
    }

    #[test]
    fn a_disk_on_a_bus_is_found_where_it_can_be_opened() {
        let folder = tempfile::TempDir::new().unwrap();
        let config = config(folder.path(), Place::of_boot("cove.data_disk=scsi:0:0:0:0").unwrap());
        find::tests::scsi_disk(&config.sys_block, "sda", "0:0:0:0", "16\n");
        fs::write(config.dev.join("sda"), "").unwrap();
        assert_eq!(locate(&config).unwrap(), BlockDevice { name: "sda".to_owned(), bytes: 8192 });
    }

    #[test]
    fn a_disk_that_holds_something_else_is_left_alone() {
        let folder = tempfile::TempDir::new().unwrap();
        let config = config(folder.path(), Place::Serial("data".to_owned()));
        fs::create_dir_all(config.sys_block.join("vda")).unwrap();
        fs::write(config.sys_block.join("vda/serial"), "data").unwrap();
        fs::write(config.sys_block.join("vda/size"), "16\n").unwrap();
        let device = config.dev.join("vda");
        fs::write(&device, [7; 8192]).unwrap();
        let error = prepare(&config).unwrap_err();
        assert!(matches!(error, DiskError::Foreign(ref path) if *path == device), "{error}");
        assert_eq!(fs::read(&device).unwrap(), [7; 8192]);
    }

    #[test]
    fn a_missing_mount_point_has_nothing_mounted() {
        assert!(!is_mounted(Path::new("/dev/null"), Path::new("/nosuch")).unwrap());
        assert!(!is_mounted(Path::new("/dev/null"), Path::new("/")).unwrap());
    }
}
