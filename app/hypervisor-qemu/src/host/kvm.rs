//! KVM: there is more to it than a device that opens. Inside some cloud machines it opens, makes a virtual CPU, and then
//! stops in the middle of a kernel. So it is used only after it has run a guest; that is asked once per boot of the host,
//! kernel and QEMU version, and kept in a file.

use std::{
    fs::{self, OpenOptions},
    io,
    path::Path,
};

use serde::{Deserialize, Serialize};

use super::executable::Version;

/// The device.
pub const DEVICE: &str = "/dev/kvm";

/// Why the device cannot be opened; `None` if it can.
#[must_use]
pub fn closed() -> Option<io::Error> {
    OpenOptions::new().read(true).write(true).open(DEVICE).err()
}

/// What a verdict holds for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Circumstances {
    boot: String,
    kernel: String,
    qemu: String,
}

impl Circumstances {
    /// Those of now.
    #[must_use]
    pub fn now(qemu: Version) -> Self {
        // Without /proc there is no second verdict to tell apart; the file then holds for this kernel and QEMU.
        let read = |name: &str| {
            fs::read_to_string(Path::new("/proc/sys/kernel").join(name)).unwrap_or_default().trim().to_owned()
        };
        Self { boot: read("random/boot_id"), kernel: read("osrelease"), qemu: qemu.to_string() }
    }
}

/// Whether KVM runs a guest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KvmVerdict {
    /// What it holds for.
    pub circumstances: Circumstances,
    /// Why it does not work; empty if it does.
    pub fault: String,
}

/// The verdict of earlier, if it still holds.
#[must_use]
pub fn recall(file: &Path, now: &Circumstances) -> Option<KvmVerdict> {
    let text = fs::read(file).ok()?;
    // A file that cannot be understood is another version's: the question is then asked again.
    serde_json::from_slice::<KvmVerdict>(&text).ok().filter(|verdict| verdict.circumstances == *now)
}

/// Keeps a verdict.
///
/// # Errors
/// If the file cannot be written.
pub fn remember(file: &Path, verdict: &KvmVerdict) -> io::Result<()> {
    if let Some(folder) = file.parent() {
        fs::create_dir_all(folder)?;
    }
    // Two at the same time each write a whole file of their own.
    let temporary = file.with_extension(format!("{}.tmp", std::process::id()));
    fs::write(&temporary, serde_json::to_vec_pretty(verdict)?)?;
    fs::rename(&temporary, file)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_verdict_holds_for_its_circumstances_alone() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("cove/kvm.json");
        let of = |boot: &str| Circumstances { boot: boot.to_owned(), kernel: "6.1".to_owned(), qemu: "10".to_owned() };
        assert_eq!(recall(&file, &of("a")), None);
        let verdict = KvmVerdict { circumstances: of("a"), fault: "hangs".to_owned() };
        remember(&file, &verdict).unwrap();
        assert_eq!(recall(&file, &of("a")), Some(verdict));
        assert_eq!(recall(&file, &of("b")), None);
        fs::write(&file, "half a fi").unwrap();
        assert_eq!(recall(&file, &of("a")), None);
    }
}
