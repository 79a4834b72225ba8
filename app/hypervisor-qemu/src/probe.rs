//! Whether KVM runs a guest: the kernel and initramfs of the machine to come are booted with it until PID 1 speaks.

use std::{os::fd::AsFd, os::unix::net::UnixStream, process::Stdio, time::Duration};

use cove_machine::{guest::CONSOLE_PREFIX, hypervisor::MachineSpec};
use tokio::{
    io::{AsyncReadExt, BufReader},
    process::{ChildStdout, Command},
    time::timeout,
};

use crate::{
    children::{self, Process},
    host::executable::QemuFound,
    plan::{self, Accelerator, Host},
};

/// A guest with KVM speaks within a second; without, nobody should wait longer.
const PATIENCE: Duration = Duration::from_secs(15);
const MAX_LINE: usize = 4096;

/// Why KVM does not run this guest; `Ok` if it does.
pub(crate) async fn boot(qemu: &QemuFound, spec: &MachineSpec) -> Result<(), String> {
    let (monitor, theirs) = UnixStream::pair().map_err(|e| e.to_string())?;
    let spec = MachineSpec { cpus: 1, memory_bytes: spec.memory_bytes.min(512 << 20), ..spec.clone() };
    let monitor_fd = std::os::fd::AsRawFd::as_raw_fd(&theirs);
    let host = Host { accelerator: Accelerator::Kvm, tsc_khz: None, vsock: None, monitor: monitor_fd };
    let mut command = Command::new(&qemu.path);
    command.args(plan::arguments(&spec, &host, None)).stdout(Stdio::piped());
    let mut process = children::spawn("qemu (probe)", &mut command, &[theirs.as_fd()]).map_err(|e| e.to_string())?;
    drop(theirs);
    let verdict = match process.child.stdout.take() {
        Some(console) => watch(&mut process, console).await,
        None => Err("it has no console".to_owned()),
    };
    process.end().await;
    drop(monitor);
    verdict
}

async fn watch(process: &mut Process, console: ChildStdout) -> Result<(), String> {
    tokio::select! {
        spoke = timeout(PATIENCE, speaks(console)) => match spoke {
            Ok(true) => Ok(()),
            Ok(false) => Err(process.wait().await),
            Err(_) => Err(format!("a guest did not come up within {} s", PATIENCE.as_secs())),
        },
        how = process.wait() => Err(format!("QEMU {how}")),
    }
}

async fn speaks(console: ChildStdout) -> bool {
    let mut console = BufReader::new(console);
    let mut seen = Vec::new();
    loop {
        match console.read_u8().await {
            Ok(byte) if byte == b'\n' || seen.len() == MAX_LINE => seen.clear(),
            Ok(byte) => seen.push(byte),
            Err(_) => return false,
        }
        if seen.ends_with(CONSOLE_PREFIX.as_bytes()) {
            return true;
        }
    }
}
