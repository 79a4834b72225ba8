//! From a specification to the machine that VZ is to make: pure, so that a golden test can hold it.
//!
//! The same machine as QEMU's: direct kernel boot, everything on virtio. A device that is not listed does not exist, and
//! there is no word for a network device.

use std::path::PathBuf;

use cove_machine::hypervisor::MachineSpec;

use crate::kernel_image::Cpu;

/// The kernel arguments that this backend needs: VZ's console is virtio's, and a panic must not wait for somebody to look.
const KERNEL_ARGUMENTS: [&str; 4] = ["console=hvc0", "quiet", "panic=-1", "cryptomgr.notests"];
/// Intel's VZ before macOS 15.5 announces protection keys that do not work: Linux 6.12 and later then hangs with nothing on
/// its console (lima-vm/lima#3334; Linux's own quirk, "pku: disabled on Apple Virtualization", is in later kernels only).
const INTEL_ARGUMENT: &str = "nopku";
/// VZ refuses memory that is no multiple of this.
const MEMORY_UNIT: u64 = 1 << 20;

/// A machine in VZ's terms.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VzPlan {
    /// What it boots.
    pub boot: Boot,
    /// Number of virtual CPUs.
    pub cpus: usize,
    /// Memory in bytes, a multiple of 1 MiB.
    pub memory_bytes: u64,
    /// Its devices, in the order in which they are made.
    pub devices: Vec<Device>,
}

/// A Linux boot loader: the kernel is entered directly.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Boot {
    /// Uncompressed kernel.
    pub kernel: PathBuf,
    /// Initramfs.
    pub initramfs: PathBuf,
    /// Kernel arguments, separated by blanks.
    pub command_line: String,
}

/// A device.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Device {
    /// A virtio console that only speaks: nothing is ever typed there.
    Console,
    /// A virtio socket device. VZ gives no context id to choose.
    Vsock,
    /// A virtio block device.
    Disk(Disk),
    /// A virtio source of random bytes.
    Entropy,
    /// A virtio balloon. VZ does not give back what the guest frees by itself; the balloon is there for a policy that asks.
    Balloon,
}

/// A disk: a raw file that exists.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Disk {
    /// The file.
    pub path: PathBuf,
    /// Its serial number in the guest, at most 20 bytes of ASCII.
    pub identifier: &'static str,
    /// Whether the host caches it.
    pub caching: Caching,
    /// What a flush of the guest becomes.
    pub synchronization: Synchronization,
}

/// A disk's cache on the host. VZ's own choice ("automatic") has corrupted Linux file systems for UTM, Lima, vfkit, tart
/// and Apple's own containerization; so it has no name here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Caching {
    /// By the host's page cache.
    Cached,
}

/// What becomes of a guest's flush.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Synchronization {
    /// fsync(2): survives a crash of everything but the drive's own cache.
    Fsync,
}

/// Plans a machine for a host of this CPU.
#[must_use]
pub fn plan(spec: &MachineSpec, cpu: Cpu) -> VzPlan {
    let intel = (cpu == Cpu::Amd64).then_some(INTEL_ARGUMENT);
    let own = KERNEL_ARGUMENTS.into_iter().chain(intel).map(str::to_owned);
    let command_line: Vec<String> = own.chain(spec.kernel_arguments.iter().cloned()).collect();
    VzPlan {
        boot: Boot {
            kernel: spec.kernel.clone(),
            initramfs: spec.initramfs.clone(),
            command_line: command_line.join(" "),
        },
        // Lossless: usize has 64 bits wherever VZ is.
        cpus: spec.cpus as usize,
        memory_bytes: spec.memory_bytes / MEMORY_UNIT * MEMORY_UNIT,
        devices: vec![Device::Console, Device::Vsock, data_disk(spec), Device::Entropy, Device::Balloon],
    }
}

fn data_disk(spec: &MachineSpec) -> Device {
    Device::Disk(Disk {
        path: spec.data_disk.clone(),
        identifier: "data",
        caching: Caching::Cached,
        synchronization: Synchronization::Fsync,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spec() -> MachineSpec {
        MachineSpec {
            runtime_dir: "/run/cove".into(),
            kernel: "/image/vmlinux".into(),
            initramfs: "/run/cove/initramfs.cpio".into(),
            kernel_arguments: vec!["cove.x=1".to_owned()],
            cpus: 4,
            memory_bytes: 2 << 30,
            data_disk: "/data/a,b.raw".into(),
            console_log: "/log/console.log".into(),
        }
    }

    /// `COVE_UPDATE=1` writes the golden file anew, for a look at what changed.
    #[test]
    fn the_plan_is_the_golden_one() {
        let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("golden/machine.txt");
        let plan = format!("{:#?}\n", plan(&spec(), Cpu::Arm64));
        if std::env::var_os("COVE_UPDATE").is_some() {
            std::fs::write(&path, &plan).unwrap();
        }
        assert_eq!(plan, std::fs::read_to_string(&path).unwrap());
    }

    #[test]
    fn intels_protection_keys_are_not_used_and_nothing_else_differs() {
        let (arm64, mut amd64) = (plan(&spec(), Cpu::Arm64), plan(&spec(), Cpu::Amd64));
        assert!(!arm64.boot.command_line.contains(INTEL_ARGUMENT));
        amd64.boot.command_line = amd64.boot.command_line.replace(" nopku ", " ");
        assert_eq!(amd64, arm64);
    }

    #[test]
    fn memory_is_what_vz_takes() {
        let odd = MachineSpec { memory_bytes: (512 << 20) + 4096, ..spec() };
        assert_eq!(plan(&odd, Cpu::Arm64).memory_bytes, 512 << 20);
    }

    #[test]
    fn a_disks_serial_fits_into_virtios_field() {
        for device in plan(&spec(), Cpu::Arm64).devices {
            if let Device::Disk(disk) = device {
                assert!(disk.identifier.is_ascii() && disk.identifier.len() <= 20);
            }
        }
    }
}
