//! Kernel modules: those that the image brings, in its order, and then no more for ever.

use std::{fs, path::Path};

use rustix::{
    fs::{Mode, OFlags},
    io::Errno,
    system::finit_module,
};

use super::{BootError, Doing, console};

/// One file name per line, in the order of loading.
const LIST: &str = "/cove/modules";
const FOLDER: &str = "/lib/modules";

/// Loads them, locks the door behind them, and gives back their memory.
pub(super) fn load() -> Result<(), BootError> {
    let list = fs::read_to_string(LIST).doing(format!("read {LIST}"))?;
    for name in names(&list) {
        load_one(name)?;
    }
    fs::write("/proc/sys/kernel/modules_disabled", "1").doing("refuse further modules")?;
    fs::remove_dir_all(FOLDER).doing(format!("remove {FOLDER}"))
}

fn load_one(name: &str) -> Result<(), BootError> {
    let path = Path::new(FOLDER).join(name);
    let file = rustix::fs::open(&path, OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty());
    match finit_module(file.doing(format!("open {}", path.display()))?, c"", 0) {
        Ok(()) | Err(Errno::EXIST) => Ok(()),
        // A driver whose device this hypervisor does not have.
        Err(Errno::NODEV) => {
            console::say(&format!("module {name}: no such device"));
            Ok(())
        }
        Err(errno) => Err(errno).doing(format!("load module {name}")),
    }
}

fn names(list: &str) -> impl Iterator<Item = &str> {
    list.lines().map(str::trim).filter(|line| !line.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn empty_lines_are_no_modules() {
        assert_eq!(names("vsock.ko\n\n overlay.ko \n").collect::<Vec<_>>(), ["vsock.ko", "overlay.ko"]);
    }
}
