//! From a specification to QEMU's arguments: pure, so that golden tests can hold it.
//!
//! q35 without what a container host has no use for, direct kernel boot, everything on virtio, no network device. microvm is
//! no alternative: a distribution's kernel hangs in it under TCG.

use std::{ffi::OsString, os::fd::RawFd, path::Path};

use cove_machine::hypervisor::MachineSpec;

/// What executes the guest's instructions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Accelerator {
    /// The CPU, through the kernel.
    Kvm,
    /// QEMU's translator: works everywhere, 10 to 30 times slower.
    Tcg,
}

impl Accelerator {
    /// QEMU's name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Kvm => "kvm",
            Self::Tcg => "tcg",
        }
    }
}

/// The device behind the guest's vsock.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum VsockDevice {
    /// The kernel's vhost-vsock.
    Vhost {
        /// The guest's context id, unique on the host.
        cid: u32,
    },
    /// vhost-device-vsock, a process of ours.
    VhostUser {
        /// Its vhost-user socket.
        socket: std::path::PathBuf,
    },
}

/// How a machine is to be made on this host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Host {
    /// What executes instructions.
    pub accelerator: Accelerator,
    /// The frequency of the counter that a guest under TCG tells time by, in kHz, where it is known.
    pub tsc_khz: Option<u64>,
    /// The vsock device; none for a probe.
    pub vsock: Option<VsockDevice>,
    /// The descriptor of QEMU's end of the control channel.
    pub monitor: RawFd,
}

/// QEMU's arguments for a machine. With `data_disk` absent (a probe) it has no disk.
#[must_use]
pub fn arguments(spec: &MachineSpec, host: &Host, data_disk: Option<&Path>) -> Vec<OsString> {
    let mut arguments = machine(spec, host.accelerator);
    arguments.extend(boot(spec, host));
    arguments.extend(console_and_monitor(host.monitor));
    if let Some(device) = &host.vsock {
        arguments.extend(vsock(device));
    }
    if let Some(disk) = data_disk {
        arguments.extend(data(disk));
    }
    // Reporting gives free pages back to the host without anyone asking; pvpanic tells a panic from a reset.
    for device in ["virtio-balloon-pci,free-page-reporting=on", "pvpanic-pci", "virtio-rng-pci"] {
        arguments.extend(["-device", device].map(OsString::from));
    }
    arguments
}

fn machine(spec: &MachineSpec, accelerator: Accelerator) -> Vec<OsString> {
    let mib = spec.memory_bytes >> 20;
    let cpu = match accelerator {
        Accelerator::Kvm => "host",
        Accelerator::Tcg => "max",
    };
    // Shared memory is what vhost-user needs; a memfd has no name and no size limit of /dev/shm.
    let memory = format!("memory-backend-memfd,id=mem0,size={mib}M,share=on");
    [
        "-name",
        "cove",
        "-accel",
        accelerator.name(),
        "-machine",
        "q35,hpet=off,smm=off,vmport=off,memory-backend=mem0",
        "-cpu",
        cpu,
        "-smp",
        &spec.cpus.to_string(),
        "-m",
        &format!("{mib}M"),
        "-object",
        &memory,
        "-nodefaults",
        "-no-user-config",
        "-display",
        "none",
        "-no-reboot",
        // A guest that breaks out of QEMU finds no other program to start and no other user to become.
        "-sandbox",
        "on,obsolete=deny,elevateprivileges=deny,spawn=deny",
    ]
    .map(OsString::from)
    .into()
}

fn boot(spec: &MachineSpec, host: &Host) -> Vec<OsString> {
    // The CPU mitigations stay as the kernel has them: they cost nothing measurable at boot, and containers share a kernel.
    let mut words = ["console=hvc0", "quiet", "panic=-1", "cryptomgr.notests"].map(str::to_owned).to_vec();
    if host.accelerator == Accelerator::Tcg {
        // Without KVM's clock the kernel calibrates the TSC for a third of a second and then distrusts it.
        words.extend(["tsc=reliable", "no_timer_check"].map(str::to_owned));
        words.extend(host.tsc_khz.map(|khz| format!("tsc_early_khz={khz}")));
    }
    words.extend(spec.kernel_arguments.iter().cloned());
    vec![
        "-kernel".into(),
        spec.kernel.clone().into(),
        "-initrd".into(),
        spec.initramfs.clone().into(),
        "-append".into(),
        words.join(" ").into(),
    ]
}

fn console_and_monitor(monitor: RawFd) -> Vec<OsString> {
    [
        "-device",
        "virtio-serial-pci",
        "-chardev",
        "stdio,id=console,signal=off",
        "-device",
        "virtconsole,chardev=console",
        "-chardev",
        &format!("socket,id=monitor,fd={monitor}"),
        "-mon",
        "chardev=monitor,mode=control",
    ]
    .map(OsString::from)
    .into()
}

fn vsock(device: &VsockDevice) -> Vec<OsString> {
    match device {
        VsockDevice::Vhost { cid } => vec!["-device".into(), format!("vhost-vsock-pci,guest-cid={cid}").into()],
        VsockDevice::VhostUser { socket } => vec![
            "-chardev".into(),
            with_path("socket,id=vsock,path=", socket, ""),
            "-device".into(),
            "vhost-user-vsock-pci,chardev=vsock".into(),
        ],
    }
}

fn data(disk: &Path) -> Vec<OsString> {
    let options = ",format=raw,cache=writeback,discard=unmap,detect-zeroes=unmap";
    vec![
        "-drive".into(),
        with_path("if=none,id=data,file=", disk, options),
        "-device".into(),
        // An error of the host's disk is the guest's error. QEMU's default, to halt the machine until somebody frees space,
        // would look like a hang.
        "virtio-blk-pci,drive=data,serial=data,werror=report,rerror=report".into(),
    ]
}

/// A path as part of an option, where a comma separates options unless it is doubled.
fn with_path(before: &str, path: &Path, after: &str) -> OsString {
    use std::os::unix::ffi::{OsStrExt, OsStringExt};
    let mut bytes = before.as_bytes().to_vec();
    for byte in path.as_os_str().as_bytes() {
        bytes.push(*byte);
        if *byte == b',' {
            bytes.push(b',');
        }
    }
    bytes.extend_from_slice(after.as_bytes());
    OsString::from_vec(bytes)
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

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

    fn plan(accelerator: Accelerator, vsock: Option<VsockDevice>, disk: Option<&str>) -> String {
        let host = Host { accelerator, tsc_khz: Some(2_100_000), vsock, monitor: 9 };
        let disk = disk.map(PathBuf::from);
        let arguments = arguments(&spec(), &host, disk.as_deref());
        let mut text = String::new();
        for argument in arguments {
            let argument = argument.into_string().unwrap();
            text.push_str(if argument.starts_with('-') { "\n" } else { " " });
            text.push_str(&argument);
        }
        text.push('\n');
        text
    }

    /// `COVE_UPDATE=1` writes the golden files anew, for a look at what changed.
    fn agrees(name: &str, plan: &str) {
        let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("golden").join(name);
        if std::env::var_os("COVE_UPDATE").is_some() {
            std::fs::write(&path, plan.trim_start()).unwrap();
        }
        assert_eq!(plan.trim_start(), std::fs::read_to_string(&path).unwrap(), "{name}");
    }

    #[test]
    fn tcg_with_vhost_device_vsock() {
        let device = VsockDevice::VhostUser { socket: "/run/cove/vhost.sock".into() };
        agrees("tcg-vhost-user.txt", &plan(Accelerator::Tcg, Some(device), Some("/data/a,b.raw")));
    }

    #[test]
    fn kvm_with_the_kernels_vhost_vsock() {
        let device = VsockDevice::Vhost { cid: 4711 };
        agrees("kvm-vhost.txt", &plan(Accelerator::Kvm, Some(device), Some("/data/a,b.raw")));
    }

    #[test]
    fn kvm_with_vhost_device_vsock() {
        let device = VsockDevice::VhostUser { socket: "/run/cove/vhost.sock".into() };
        agrees("kvm-vhost-user.txt", &plan(Accelerator::Kvm, Some(device), Some("/data/d.raw")));
    }

    #[test]
    fn a_probe_has_neither_disk_nor_vsock() {
        agrees("kvm-probe.txt", &plan(Accelerator::Kvm, None, None));
    }

    #[test]
    fn no_plan_has_a_network_device() {
        for accelerator in [Accelerator::Kvm, Accelerator::Tcg] {
            let plan = plan(accelerator, Some(VsockDevice::Vhost { cid: 3 }), Some("/d"));
            assert!(plan.contains("-nodefaults") && !plan.contains("net") && !plan.contains("-nic"), "{plan}");
        }
    }
}
