//! QEMU passes the suite of all hypervisors, with real machines. To run it:
//! `COVE_VM_IMAGE=<folder of the image> cargo test -p cove-hypervisor-qemu --features vm-tests --test conformance`
//!
//! The guest that listens is the image itself; the others are the image with a script of busybox as PID 1.
#![cfg(target_os = "linux")]
#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test's fixture fails the test")]

use std::{
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use cove_hypervisor_qemu::{Qemu, QemuConfig};
use cove_machine::{
    conformance::{Behaviour, Subject, disk_is_kept, suite},
    hypervisor::{Exit, Hypervisor, MachineSpec, Vm},
    lifecycle::ended,
    prepare::{cpio, initramfs},
};

const SCRIPT: &str = r#"#!/bin/busybox sh
busybox() { /bin/busybox "$@"; }
busybox mkdir -p /proc /dev
busybox mount -t proc proc /proc
busybox mount -t devtmpfs dev /dev
exec >/dev/hvc0 2>&1
for module in $(busybox cat /cove/modules); do busybox insmod "/lib/modules/$module"; done
echo "cove-guest: init"
case "$(busybox cat /proc/cmdline)" in
*cove.conformance=poweroff*) busybox poweroff -f ;;
*cove.conformance=panic*) echo c >/proc/sysrq-trigger ;;
*cove.conformance=reset*) busybox reboot -f ;;
*cove.conformance=disk*)
    if [ "$(busybox dd if=/dev/vda bs=5 count=1 2>/dev/null)" = mark! ]; then
        echo "disk: kept"
    else
        echo -n mark! | busybox dd of=/dev/vda conv=fsync,notrunc 2>/dev/null
        echo "disk: written"
    fi
    busybox poweroff -f
    ;;
esac
while :; do busybox sleep 1000; done
"#;

/// The agent's port.
const PORT: u32 = 1024;

struct Case {
    qemu: Arc<Qemu>,
    image: PathBuf,
    folder: tempfile::TempDir,
}

impl Case {
    fn new() -> Self {
        let image = std::env::var_os("COVE_VM_IMAGE").expect("COVE_VM_IMAGE names the folder of the machine's image");
        let qemu = Arc::new(Qemu::new(QemuConfig::from_environment()));
        Self { qemu, image: image.into(), folder: tempfile::tempdir().unwrap() }
    }

    /// The image with the boot's secret, as in every boot, and if need be another PID 1.
    fn initramfs(&self, name: &str, behaviour: Behaviour) -> PathBuf {
        let path = self.folder.path().join(format!("{name}.cpio"));
        initramfs::write(&self.image.join("initramfs.cpio"), &[("/cove/boot-secret", &[7; 32])], &path).unwrap();
        if behaviour != Behaviour::Listen {
            let busybox = std::fs::read("/bin/busybox").expect("busybox-static is installed");
            let entry = |path, content| cpio::Entry { path, permissions: 0o755, content };
            let entries =
                [entry("bin", None), entry("bin/busybox", Some(&busybox[..])), entry("init", Some(SCRIPT.as_bytes()))];
            let mut all = std::fs::read(&path).unwrap();
            cpio::write(&mut all, &entries).unwrap();
            std::fs::write(&path, all).unwrap();
        }
        path
    }
}

impl Subject for Case {
    fn hypervisor(&self) -> Arc<dyn Hypervisor> {
        self.qemu.clone()
    }

    fn spec(&self, name: &str, behaviour: Behaviour) -> MachineSpec {
        let runtime_dir = self.folder.path().join(name);
        std::fs::create_dir_all(&runtime_dir).unwrap();
        let data_disk = self.folder.path().join(format!("{name}.raw"));
        std::fs::File::create(&data_disk).unwrap().set_len(1 << 30).unwrap();
        MachineSpec {
            runtime_dir,
            kernel: self.image.join("vmlinux"),
            initramfs: self.initramfs(name, behaviour),
            kernel_arguments: vec![behaviour.kernel_argument()],
            cpus: 1,
            memory_bytes: 512 << 20,
            data_disk,
            console_log: self.folder.path().join(format!("{name}.log")),
        }
    }

    fn listening_port(&self) -> u32 {
        PORT
    }

    fn patience(&self) -> Duration {
        Duration::from_secs(120)
    }
}

#[tokio::test]
async fn qemu_conforms() {
    let case = Case::new();
    let mut failed = Vec::new();
    for outcome in suite(&case).await {
        failed.extend(outcome.result.err().map(|wrong| format!("{}: {wrong}", outcome.name)));
    }
    assert!(failed.is_empty(), "{}", failed.join("\n"));
}

#[tokio::test]
async fn a_disk_keeps_what_was_flushed_to_it() {
    assert_eq!(disk_is_kept(&Case::new()).await, Ok(()));
}

/// A process of the machine, found by what it was started with: the test's own folder.
fn kill_process(name: &str, folder: &Path) {
    let folder = folder.to_str().unwrap();
    let found = std::fs::read_dir("/proc").unwrap().flatten().find_map(|entry| {
        let command = std::fs::read_to_string(entry.path().join("cmdline")).ok()?;
        (command.split('\0').next()?.ends_with(name) && command.contains(folder))
            .then(|| entry.file_name().to_str()?.parse::<i32>().ok())?
    });
    let pid = nix::unistd::Pid::from_raw(found.unwrap());
    nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGKILL).unwrap();
}

async fn started(case: &Case, name: &str) -> (Arc<dyn Vm>, MachineSpec) {
    let spec = case.spec(name, Behaviour::Idle);
    (case.qemu.start(spec.clone()).await.unwrap(), spec)
}

#[tokio::test]
async fn a_monitor_that_is_killed_is_a_monitor_that_died() {
    let case = Case::new();
    let (vm, spec) = started(&case, "killed").await;
    kill_process("qemu-system-x86_64", &spec.initramfs);
    match ended(vm.state()).await {
        Exit::VmmDied(how) => assert!(how.contains("signal 9"), "{how}"),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_machine_does_not_outlive_its_vsock_device() {
    let case = Case::new();
    let (vm, spec) = started(&case, "no-vsock").await;
    if vm.platform().vsock != "vhost-device-vsock" {
        // The kernel's device has no process that could end.
        return vm.kill().await;
    }
    kill_process("vhost-device-vsock", &spec.runtime_dir);
    match ended(vm.state()).await {
        Exit::VmmDied(how) => assert!(how.contains("vhost-device-vsock was ended by signal 9"), "{how}"),
        other => panic!("{other:?}"),
    }
}
