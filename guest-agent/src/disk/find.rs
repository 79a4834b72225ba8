//! Finds the block device that is the data disk: by the serial that the VMM gave it, or by its place on a SCSI bus where
//! the VMM gives no serials.

use std::fs;
use std::io;
use std::path::Path;

use super::{DiskError, at};

/// Unit of a device's `size`, whatever its block size.
const SECTOR: u64 = 512;

/// The kernel argument that says which disk it is.
const ARGUMENT: &str = "cove.data_disk=";

/// How a disk is told from others.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// Its serial.
    Serial(String),
    /// Its address on a SCSI bus, as sysfs has it: "0:0:0:0", controller, channel, target and number.
    Scsi(String),
}

impl Place {
    /// What the VMM says on the kernel's command line, `cove.data_disk=scsi:0:0:0:0`; the serial `data` if it says nothing.
    ///
    /// # Errors
    /// If it says something that is not understood.
    pub(super) fn of_boot(command_line: &str) -> Result<Self, DiskError> {
        let Some(text) = command_line.split_whitespace().find_map(|word| word.strip_prefix(ARGUMENT)) else {
            return Ok(Self::Serial("data".to_owned()));
        };
        match text.split_once(':') {
            Some(("serial", serial)) if !serial.is_empty() => Ok(Self::Serial(serial.to_owned())),
            Some(("scsi", address)) if is_scsi_address(address) => Ok(Self::Scsi(address.to_owned())),
            _ => Err(DiskError::Argument(format!("{ARGUMENT}{text}"))),
        }
    }

    /// What the device with this folder has in its place.
    fn read(&self, folder: &Path) -> Result<Option<String>, DiskError> {
        match self {
            Self::Serial(_) => serial_of(folder),
            Self::Scsi(_) => address_of(folder),
        }
    }

    fn wanted(&self) -> &str {
        match self {
            Self::Serial(text) | Self::Scsi(text) => text,
        }
    }
}

impl std::fmt::Display for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Serial(serial) => write!(f, "with the serial \"{serial}\""),
            Self::Scsi(address) => write!(f, "at the SCSI address {address}"),
        }
    }
}

fn is_scsi_address(text: &str) -> bool {
    text.split(':').filter(|number| number.parse::<u32>().is_ok()).count() == 4 && text.matches(':').count() == 3
}

/// A block device.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct BlockDevice {
    /// Name below /dev.
    pub(super) name: String,
    /// Its size.
    pub(super) bytes: u64,
}

/// The device below `sys_block` that is in this place.
///
/// # Errors
/// [`DiskError::Missing`] if there is none, with those that there are.
pub(super) fn find(sys_block: &Path, place: &Place) -> Result<BlockDevice, DiskError> {
    let mut found = Vec::new();
    for entry in fs::read_dir(sys_block).map_err(at("list", sys_block))? {
        let name = entry.map_err(at("list", sys_block))?.file_name().to_string_lossy().into_owned();
        let folder = sys_block.join(&name);
        let Some(has) = place.read(&folder)? else { continue };
        if has == place.wanted() {
            let path = folder.join("size");
            let size = fs::read_to_string(&path).map_err(at("read", &path))?;
            let sectors: u64 = size.trim().parse().map_err(|error| at("read", &path)(io::Error::other(error)))?;
            return Ok(BlockDevice { name, bytes: sectors.saturating_mul(SECTOR) });
        }
        found.push(format!("{name}={has}"));
    }
    found.sort();
    Err(DiskError::Missing { place: place.clone(), found })
}

/// virtio keeps it at the device, NVMe one level below.
fn serial_of(folder: &Path) -> Result<Option<String>, DiskError> {
    for place in ["serial", "device/serial"] {
        let path = folder.join(place);
        match fs::read_to_string(&path) {
            Ok(text) => return Ok(Some(text.trim().to_owned())),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(at("read", &path)(error)),
        }
    }
    Ok(None)
}

/// The name of the device behind the disk; a disk without one, a loop device, has none.
fn address_of(folder: &Path) -> Result<Option<String>, DiskError> {
    let path = folder.join("device");
    match fs::read_link(&path) {
        Ok(target) => Ok(target.file_name().map(|name| name.to_string_lossy().into_owned())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(at("read", &path)(error)),
    }
}

#[cfg(test)]
pub(super) mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    fn sys_block(devices: &[(&str, &str, &str)]) -> tempfile::TempDir {
        let folder = tempfile::TempDir::new().unwrap();
        fs::create_dir_all(folder.path().join("loop0")).unwrap();
        for (name, serial, size) in devices {
            let device = folder.path().join(name);
            let place = device.join(if name.starts_with('v') { "serial" } else { "device/serial" });
            fs::create_dir_all(place.parent().unwrap()).unwrap();
            fs::write(place, serial).unwrap();
            fs::write(device.join("size"), size).unwrap();
        }
        folder
    }

    /// A disk on a bus, as the kernel shows it; its driver gives no serial.
    pub(in crate::disk) fn scsi_disk(sys_block: &Path, name: &str, address: &str, size: &str) {
        let device = sys_block.join(name);
        fs::create_dir_all(&device).unwrap();
        fs::write(device.join("size"), size).unwrap();
        symlink(format!("../../../{address}"), device.join("device")).unwrap();
    }

    fn serial(text: &str) -> Place {
        Place::Serial(text.to_owned())
    }

    #[test]
    fn the_disk_is_found_by_its_serial_wherever_the_driver_keeps_it() {
        let folder = sys_block(&[("vda", "other", "8\n"), ("vdb", "data\n", "2048\n")]);
        let found = find(folder.path(), &serial("data")).unwrap();
        assert_eq!(found, BlockDevice { name: "vdb".to_owned(), bytes: 1 << 20 });
        let folder = sys_block(&[("nvme0n1", "data   \n", "16\n")]);
        assert_eq!(find(folder.path(), &serial("data")).unwrap().name, "nvme0n1");
    }

    #[test]
    fn the_disk_is_found_by_its_address_where_there_are_no_serials() {
        let folder = sys_block(&[]);
        scsi_disk(folder.path(), "sda", "0:0:0:1", "16\n");
        scsi_disk(folder.path(), "sdb", "0:0:0:0", "2048\n");
        scsi_disk(folder.path(), "vda", "virtio0", "8\n");
        let found = find(folder.path(), &Place::Scsi("0:0:0:0".to_owned())).unwrap();
        assert_eq!(found, BlockDevice { name: "sdb".to_owned(), bytes: 1 << 20 });
        let error = find(folder.path(), &Place::Scsi("1:0:0:0".to_owned())).unwrap_err().to_string();
        assert!(error.starts_with("no disk at the SCSI address 1:0:0:0 among [\"sda=0:0:0:1\""), "{error}");
    }

    #[test]
    fn a_missing_disk_says_which_there_are() {
        let folder = sys_block(&[("vdb", "b", "8"), ("vda", "a", "8")]);
        let error = find(folder.path(), &serial("data")).unwrap_err().to_string();
        assert!(error.starts_with("no disk with the serial \"data\" among [\"vda=a\", \"vdb=b\"]"), "{error}");
    }

    #[test]
    fn a_size_that_is_no_number_is_an_error() {
        let folder = sys_block(&[("vda", "data", "many")]);
        assert!(matches!(find(folder.path(), &serial("data")), Err(DiskError::Io { .. })));
    }

    #[test]
    fn the_kernels_command_line_says_which_disk_it_is() {
        let of = |line: &str| Place::of_boot(line);
        assert_eq!(of("quiet panic=-1\n").unwrap(), serial("data"));
        assert_eq!(of("cove.data_disk=serial:other quiet").unwrap(), serial("other"));
        assert_eq!(of("quiet cove.data_disk=scsi:0:0:0:7\n").unwrap(), Place::Scsi("0:0:0:7".to_owned()));
        for bad in ["scsi:0:0:0", "scsi:0:0:0:0:0", "scsi:0:0:x:0", "scsi:", "serial:", "sda", ""] {
            let error = of(&format!("cove.data_disk={bad}")).unwrap_err();
            assert!(matches!(error, DiskError::Argument(_)), "{bad}: {error}");
        }
    }
}
