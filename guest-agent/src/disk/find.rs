//! Finds a block device by the serial that the VMM gave it.

use std::fs;
use std::io;
use std::path::Path;

use super::{DiskError, at};

/// Unit of a device's `size`, whatever its block size.
const SECTOR: u64 = 512;

/// A block device.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct BlockDevice {
    /// Name below /dev.
    pub(super) name: String,
    /// Its size.
    pub(super) bytes: u64,
}

/// The device below `sys_block` whose serial is `serial`.
pub(super) fn by_serial(sys_block: &Path, serial: &str) -> Result<BlockDevice, DiskError> {
    let mut found = Vec::new();
    for entry in fs::read_dir(sys_block).map_err(at("list", sys_block))? {
        let name = entry.map_err(at("list", sys_block))?.file_name().to_string_lossy().into_owned();
        let folder = sys_block.join(&name);
        let Some(has) = serial_of(&folder)? else { continue };
        if has == serial {
            let path = folder.join("size");
            let size = fs::read_to_string(&path).map_err(at("read", &path))?;
            let sectors: u64 = size.trim().parse().map_err(|error| at("read", &path)(io::Error::other(error)))?;
            return Ok(BlockDevice { name, bytes: sectors.saturating_mul(SECTOR) });
        }
        found.push(format!("{name}={has}"));
    }
    found.sort();
    Err(DiskError::Missing { serial: serial.to_owned(), found })
}

/// virtio keeps it at the device, SCSI and NVMe (Hyper-V) one level below.
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

#[cfg(test)]
mod tests {
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

    #[test]
    fn the_disk_is_found_by_its_serial_wherever_the_driver_keeps_it() {
        let folder = sys_block(&[("vda", "other", "8\n"), ("vdb", "data\n", "2048\n")]);
        assert_eq!(by_serial(folder.path(), "data").unwrap(), BlockDevice { name: "vdb".to_owned(), bytes: 1 << 20 });
        let folder = sys_block(&[("nvme0n1", "data   \n", "16\n")]);
        assert_eq!(by_serial(folder.path(), "data").unwrap().name, "nvme0n1");
    }

    #[test]
    fn a_missing_disk_says_which_there_are() {
        let folder = sys_block(&[("vdb", "b", "8"), ("vda", "a", "8")]);
        let error = by_serial(folder.path(), "data").unwrap_err().to_string();
        assert!(error.starts_with("no disk with the serial \"data\" among [\"vda=a\", \"vdb=b\"]"), "{error}");
    }

    #[test]
    fn a_size_that_is_no_number_is_an_error() {
        let folder = sys_block(&[("vda", "data", "many")]);
        assert!(matches!(by_serial(folder.path(), "data"), Err(DiskError::Io { .. })));
    }
}
