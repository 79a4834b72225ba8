//! Kernel modules: those that the image brings, in its order, and then no more for ever.
//!
//! The image serves every hypervisor. Which one this is, the kernel says: a driver whose device is not there is not loaded,
//! nor is what the image wants with it alone.

use std::{collections::BTreeSet, fs, path::Path};

use rustix::{
    fs::{Mode, OFlags},
    io::Errno,
    system::finit_module,
};

use super::{BootError, Doing, console};

/// One file name per line, in the order of loading; `a.ko: b.ko` is b if a has been loaded.
const LIST: &str = "/cove/modules";
const FOLDER: &str = "/lib/modules";

/// Loads them, locks the door behind them, and gives back their memory.
pub(super) fn load() -> Result<(), BootError> {
    let list = fs::read_to_string(LIST).doing(format!("read {LIST}"))?;
    load_all(&list, load_one)?;
    fs::write("/proc/sys/kernel/modules_disabled", "1").doing("refuse further modules")?;
    fs::remove_dir_all(FOLDER).doing(format!("remove {FOLDER}"))
}

fn load_all(list: &str, mut load: impl FnMut(&str) -> Result<bool, BootError>) -> Result<(), BootError> {
    let mut loaded = BTreeSet::new();
    for line in list.lines().map(str::trim).filter(|line| !line.is_empty()) {
        let (condition, name) = line.split_once(": ").map_or((None, line), |(condition, name)| (Some(condition), name));
        if condition.is_none_or(|condition| loaded.contains(condition)) && load(name)? {
            loaded.insert(name);
        }
    }
    Ok(())
}

/// Whether it is there now.
fn load_one(name: &str) -> Result<bool, BootError> {
    let path = Path::new(FOLDER).join(name);
    let file = rustix::fs::open(&path, OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty());
    let left_out = |why| {
        console::say(&format!("module {name}: {why}"));
        Ok(false)
    };
    match finit_module(file.doing(format!("open {}", path.display()))?, c"", 0) {
        Ok(()) | Err(Errno::EXIST) => Ok(true),
        // A driver whose device this hypervisor does not have.
        Err(Errno::NODEV) => left_out("no such device"),
        // There is one way to the host, and another driver has it.
        Err(Errno::BUSY) => left_out("another one has its place"),
        Err(errno) => Err(errno).doing(format!("load module {name}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is loaded of a list where some devices are absent.
    fn loaded<'a>(list: &'a str, absent: &[&str]) -> Vec<&'a str> {
        let mut loaded = Vec::new();
        load_all(list, |name| {
            let there = !absent.contains(&name);
            if there {
                loaded.extend(list.split_whitespace().find(|word| *word == name));
            }
            Ok(there)
        })
        .unwrap();
        loaded
    }

    #[test]
    fn empty_lines_are_no_modules() {
        assert_eq!(loaded("vsock.ko\n\n overlay.ko \n", &[]), ["vsock.ko", "overlay.ko"]);
    }

    #[test]
    fn the_drivers_of_a_bus_are_loaded_where_the_bus_is() {
        let list = "vsock.ko\nbus.ko\nbus.ko: disk.ko\nvirtio.ko\n";
        assert_eq!(loaded(list, &[]), ["vsock.ko", "bus.ko", "disk.ko", "virtio.ko"]);
        assert_eq!(loaded(list, &["bus.ko"]), ["vsock.ko", "virtio.ko"]);
    }

    #[test]
    fn a_module_that_fails_ends_the_boot() {
        let failing = |_: &str| Err(Errno::NOEXEC).doing("load module a.ko");
        assert_eq!(load_all("a.ko\n", failing).unwrap_err().what, "load module a.ko");
    }
}
