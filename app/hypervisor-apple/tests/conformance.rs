//! Virtualization.framework passes the suite of all hypervisors, with real machines, on a Mac. To run it:
//! `COVE_VM_IMAGE=<folder of the image> COVE_BUSYBOX=<static busybox for Linux> \
//!  cargo test -p cove-hypervisor-apple --features vm-tests --test conformance`
//! with the entitlement in the test program's signature (CARGO_TARGET_<TRIPLE>_RUNNER=tests/ci/signed.sh).
//!
//! The guest that listens is the image itself; the others are the image with a script of busybox as PID 1.
#![cfg(target_os = "macos")]
#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test's fixture fails the test")]

use std::{
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use cove_hypervisor_apple::Apple;
use cove_machine::{
    conformance::{Behaviour, Subject, disk_is_kept, suite},
    hypervisor::{Hypervisor, MachineSpec},
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
    image: PathBuf,
    busybox: Vec<u8>,
    folder: tempfile::TempDir,
}

impl Case {
    fn new() -> Self {
        let named = |variable: &str| PathBuf::from(std::env::var_os(variable).expect(variable));
        let busybox = std::fs::read(named("COVE_BUSYBOX")).unwrap();
        Self { image: named("COVE_VM_IMAGE"), busybox, folder: tempfile::tempdir().unwrap() }
    }

    fn at(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// The image with the boot's secret, as in every boot, and if need be another PID 1.
    fn write_initramfs(&self, path: &Path, behaviour: Behaviour) {
        initramfs::write(&self.image.join("initramfs.cpio"), "/cove/boot-secret", &[7; 32], path).unwrap();
        if behaviour == Behaviour::Listen {
            return;
        }
        let entry = |path, content| cpio::Entry { path, permissions: 0o755, content };
        let busybox = entry("bin/busybox", Some(&self.busybox[..]));
        let entries = [entry("bin", None), busybox, entry("init", Some(SCRIPT.as_bytes()))];
        let mut all = std::fs::read(path).unwrap();
        cpio::write(&mut all, &entries).unwrap();
        std::fs::write(path, all).unwrap();
    }
}

impl Subject for Case {
    fn hypervisor(&self) -> Arc<dyn Hypervisor> {
        Arc::new(Apple)
    }

    fn spec(&self, name: &str, behaviour: Behaviour) -> MachineSpec {
        let spec = MachineSpec {
            runtime_dir: self.at(name),
            kernel: self.image.join("vmlinux"),
            initramfs: self.at(&format!("{name}.cpio")),
            kernel_arguments: vec![behaviour.kernel_argument()],
            cpus: 1,
            memory_bytes: 512 << 20,
            data_disk: self.at(&format!("{name}.raw")),
            console_log: self.at(&format!("{name}.log")),
        };
        std::fs::create_dir_all(&spec.runtime_dir).unwrap();
        std::fs::File::create(&spec.data_disk).unwrap().set_len(1 << 30).unwrap();
        self.write_initramfs(&spec.initramfs, behaviour);
        spec
    }

    fn listening_port(&self) -> u32 {
        PORT
    }

    fn patience(&self) -> Duration {
        Duration::from_secs(60)
    }
}

#[tokio::test]
async fn virtualization_framework_conforms() {
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
