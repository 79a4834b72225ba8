//! The hypervisor: finds out what the host has and starts machines.

use std::{
    os::{
        fd::{AsFd, AsRawFd},
        unix::{ffi::OsStrExt, net::UnixStream},
    },
    path::{Path, PathBuf},
    process::Stdio,
    sync::Arc,
    time::Duration,
};

use cove_machine::{
    console::Sink,
    hypervisor::{BoxFuture, Check, Hypervisor, HypervisorError, MachineSpec, Platform, Vm},
};
use tokio::{process::Command, time::sleep};

use crate::{
    children::{self, Process},
    host::{
        executable::{self, QemuFound},
        fine,
        kvm::{self, Circumstances, KvmVerdict},
        problem, tsc, warning,
    },
    machine::{Parts, QemuVm, Sockets, keep_console},
    monitor::Monitor,
    plan::{self, Accelerator, Host, VsockDevice},
    probe,
    vsock::{Dialler, kernel},
};

/// The longest path that a socket's address holds.
const MAX_SOCKET_PATH: usize = 107;
const VHOST_SOCKET: &str = "vhost.sock";
const DIAL_SOCKET: &str = "vsock.sock";
const SLOW: &str = "no hardware acceleration, everything is 10 to 30 times slower";
const NO_KVM: &str = "Switch on virtualisation in the firmware, or nested virtualisation in the cloud, and add this user to the group \
                      kvm ('sudo usermod -aG kvm $USER', then log in again)";

/// What is to execute the guest's instructions.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Choice {
    /// KVM if it works, else TCG.
    #[default]
    Best,
    /// This, without asking whether it works.
    Fixed(Accelerator),
    /// What was asked for is neither; it is a problem of the host.
    Unknown(String),
}

impl Choice {
    /// From "kvm" or "tcg"; empty is the best.
    fn parse(word: &str) -> Self {
        match [Accelerator::Kvm, Accelerator::Tcg].into_iter().find(|a| a.name() == word) {
            Some(accelerator) => Self::Fixed(accelerator),
            None if word.is_empty() => Self::Best,
            None => Self::Unknown(word.to_owned()),
        }
    }
}

/// What to use on this host instead of what is found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct QemuConfig {
    /// QEMU. `None`: on the PATH.
    pub qemu: Option<PathBuf>,
    /// vhost-device-vsock. `None`: beside this program, on the PATH.
    pub vhost_device_vsock: Option<PathBuf>,
    /// What executes instructions.
    pub accelerator: Choice,
    /// Where the verdict on KVM is kept. `None`: it is found anew each time.
    pub verdict_file: Option<PathBuf>,
}

impl QemuConfig {
    /// From COVE_QEMU, COVE_VHOST_DEVICE_VSOCK and COVE_ACCELERATOR; the verdict in the user's cache folder.
    #[must_use]
    pub fn from_environment() -> Self {
        let path = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
        let cache = path("XDG_CACHE_HOME").or_else(|| path("HOME").map(|home| home.join(".cache")));
        let accelerator = std::env::var_os("COVE_ACCELERATOR").unwrap_or_default();
        Self {
            qemu: path("COVE_QEMU"),
            vhost_device_vsock: path("COVE_VHOST_DEVICE_VSOCK"),
            accelerator: Choice::parse(&accelerator.to_string_lossy()),
            verdict_file: cache.map(|cache| cache.join("cove/kvm-verdict.json")),
        }
    }
}

/// QEMU as a hypervisor. Its machines end with the thread that starts them (the helper has but one).
#[derive(Debug, Clone, Default)]
pub struct Qemu {
    config: QemuConfig,
}

impl Qemu {
    /// With what is configured.
    #[must_use]
    pub fn new(config: QemuConfig) -> Self {
        Self { config }
    }

    async fn look(&self) -> Vec<Check> {
        let qemu = executable::find_qemu(self.config.qemu.as_deref()).await;
        let acceleration = self.look_at_acceleration(qemu.as_ref().ok());
        let qemu = match qemu {
            Ok(found) => fine("qemu.version", format!("QEMU {} ({})", found.version, found.path.display())),
            Err(check) => check,
        };
        vec![qemu, acceleration, self.look_at_vsock()]
    }

    fn look_at_acceleration(&self, qemu: Option<&QemuFound>) -> Check {
        let name = "acceleration";
        match &self.config.accelerator {
            Choice::Best => {}
            Choice::Fixed(accelerator) => {
                return fine(name, format!("COVE_ACCELERATOR asks for {}", accelerator.name()));
            }
            Choice::Unknown(word) => return unknown_accelerator(word),
        }
        if let Some(error) = kvm::closed() {
            return warning(name, format!("{SLOW}: {}: {error}", kvm::DEVICE), NO_KVM);
        }
        match qemu.and_then(|qemu| self.recall(&Circumstances::now(qemu.version))) {
            None => {
                fine(name, format!("{} opens; whether it runs a guest is found out at the first start", kvm::DEVICE))
            }
            Some(verdict) if verdict.fault.is_empty() => fine(name, format!("{} runs guests", kvm::DEVICE)),
            Some(verdict) => {
                warning(name, format!("{SLOW}: KVM does not run a guest here ({})", verdict.fault), NO_KVM)
            }
        }
    }

    fn look_at_vsock(&self) -> Check {
        if kernel::closed().is_none() {
            return fine("vsock.device", format!("the kernel's vhost-vsock ({})", kernel::DEVICE));
        }
        match executable::find_vsock(self.config.vhost_device_vsock.as_deref()) {
            Ok(path) => fine("vsock.device", format!("vhost-device-vsock ({})", path.display())),
            Err(check) => check,
        }
    }

    fn recall(&self, now: &Circumstances) -> Option<KvmVerdict> {
        kvm::recall(self.config.verdict_file.as_deref()?, now)
    }

    /// KVM if it runs this very guest, else TCG and what that means.
    async fn accelerator(&self, qemu: &QemuFound, spec: &MachineSpec) -> Result<(Accelerator, Option<String>), Check> {
        match &self.config.accelerator {
            Choice::Best => {}
            Choice::Fixed(accelerator) => return Ok((*accelerator, None)),
            Choice::Unknown(word) => return Err(unknown_accelerator(word)),
        }
        if kvm::closed().is_some() {
            return Ok((Accelerator::Tcg, Some(emulated())));
        }
        let now = Circumstances::now(qemu.version);
        let verdict = match self.recall(&now) {
            Some(verdict) => verdict,
            None => self.judge(qemu, spec, now).await,
        };
        Ok(if verdict.fault.is_empty() { (Accelerator::Kvm, None) } else { (Accelerator::Tcg, Some(emulated())) })
    }

    async fn judge(&self, qemu: &QemuFound, spec: &MachineSpec, circumstances: Circumstances) -> KvmVerdict {
        let fault = probe::boot(qemu, spec).await.err().unwrap_or_default();
        tracing::info!(fault, "found out whether KVM runs a guest");
        let verdict = KvmVerdict { circumstances, fault };
        if let Some(file) = &self.config.verdict_file
            && let Err(error) = kvm::remember(file, &verdict)
        {
            tracing::warn!(file = %file.display(), %error, "could not keep the verdict on KVM; the next start asks again");
        }
        verdict
    }

    async fn bring_up(&self, spec: MachineSpec) -> Result<Arc<dyn Vm>, HypervisorError> {
        let host = |check: Check| HypervisorError::Host(vec![check]);
        let qemu = executable::find_qemu(self.config.qemu.as_deref()).await.map_err(host)?;
        for file in [&spec.kernel, &spec.initramfs, &spec.data_disk] {
            std::fs::metadata(file).map_err(|e| failed(&format!("open {}", file.display()), &e))?;
        }
        let (accelerator, no_kvm) = self.accelerator(&qemu, &spec).await.map_err(host)?;
        let (device, dialler, vsock, sockets) = self.bring_up_vsock(&spec.runtime_dir).await?;
        let (ours, theirs) = UnixStream::pair().map_err(|e| failed("make a socket pair", &e))?;
        let tsc_khz = tsc::frequency_khz().await;
        let host = Host { accelerator, tsc_khz, vsock: Some(device), monitor: theirs.as_raw_fd() };
        let mut command = Command::new(&qemu.path);
        command.args(plan::arguments(&spec, &host, Some(&spec.data_disk))).stdout(Stdio::piped());
        let sink = Sink::create(spec.console_log.clone()).map_err(|e| failed("make the console log", &e))?;
        let mut process = children::spawn("qemu", &mut command, &[theirs.as_fd()])
            .map_err(|e| failed(&format!("start {}", qemu.path.display()), &e))?;
        drop(theirs);
        let Some(console) = process.child.stdout.take() else {
            return Err(failed("start QEMU", &"it has no console"));
        };
        let console = tokio::spawn(keep_console(console, sink));
        let monitor = comes_up(&mut process, ours).await?;
        let platform = Platform {
            hypervisor: format!("QEMU {}", qemu.version),
            accelerator: accelerator.name().to_owned(),
            vsock: dialler.name().to_owned(),
            cid: dialler.cid(),
            owner_pid: std::process::id(),
            warnings: no_kvm.into_iter().collect(),
        };
        Ok(QemuVm::new(Parts { qemu: process, vsock, monitor, console, sockets }, platform, dialler))
    }

    async fn bring_up_vsock(
        &self,
        runtime_dir: &Path,
    ) -> Result<(VsockDevice, Dialler, Option<Process>, Sockets), HypervisorError> {
        if kernel::closed().is_none() {
            let cid = kernel::new_cid();
            return Ok((VsockDevice::Vhost { cid }, Dialler::Kernel(cid), None, Sockets(Vec::new())));
        }
        let program = executable::find_vsock(self.config.vhost_device_vsock.as_deref())
            .map_err(|check| HypervisorError::Host(vec![check]))?;
        let (socket, dial) = (runtime_dir.join(VHOST_SOCKET), runtime_dir.join(DIAL_SOCKET));
        fits(&dial)?;
        let sockets = Sockets(vec![socket.clone(), dial.clone()]);
        // What a killed predecessor left looks like a device that is ready.
        sockets.remove();
        let dialler = Dialler::Hybrid(dial.clone());
        let mut command = Command::new(&program);
        command.arg("--guest-cid").arg(dialler.cid().to_string());
        command.arg("--socket").arg(&socket).arg("--uds-path").arg(&dial).stdout(Stdio::null());
        let mut process = children::spawn("vhost-device-vsock", &mut command, &[])
            .map_err(|e| failed(&format!("start {}", program.display()), &e))?;
        tokio::select! {
            () = appears(&socket) => {}
            how = process.wait() => return Err(failed("start vhost-device-vsock", &format!("it {how}"))),
        }
        Ok((VsockDevice::VhostUser { socket }, dialler, Some(process), sockets))
    }
}

impl Hypervisor for Qemu {
    fn check(&self) -> BoxFuture<'_, Vec<Check>> {
        Box::pin(self.look())
    }

    fn start(&self, spec: MachineSpec) -> BoxFuture<'_, Result<Arc<dyn Vm>, HypervisorError>> {
        Box::pin(self.bring_up(spec))
    }
}

/// QEMU accepts commands, and with that the machine runs: it was not told to wait.
async fn comes_up(qemu: &mut Process, monitor: UnixStream) -> Result<Monitor, HypervisorError> {
    match Monitor::greet(monitor).await {
        Ok(monitor) => Ok(monitor),
        Err(error) => {
            // It ends by itself when it does not like its arguments, and says why; else the deadline of the start ends it.
            let how = qemu.wait().await;
            tracing::debug!(%error, "QEMU did not come up");
            Err(failed("start QEMU", &format!("it {how}")))
        }
    }
}

/// The device makes its socket and says nothing. To dial it would be to take the place of QEMU, so it is looked for.
async fn appears(socket: &Path) {
    while !socket.exists() {
        sleep(Duration::from_millis(2)).await;
    }
}

fn fits(socket: &Path) -> Result<(), HypervisorError> {
    let length = socket.as_os_str().as_bytes().len();
    if length <= MAX_SOCKET_PATH {
        return Ok(());
    }
    let finding = format!("socket path {} is {length} bytes, the system allows {MAX_SOCKET_PATH}", socket.display());
    let check = problem("socket.path", finding, "set COVE_HOME to a shorter folder");
    Err(HypervisorError::Host(vec![check]))
}

fn unknown_accelerator(word: &str) -> Check {
    let finding = format!("COVE_ACCELERATOR is {word:?}, which is no accelerator");
    problem("acceleration", finding, "set it to kvm or tcg, or not at all")
}

/// One sentence; the check says the rest.
fn emulated() -> String {
    format!("{SLOW}; `cove doctor` says why")
}

fn failed(operation: &str, cause: &dyn std::fmt::Display) -> HypervisorError {
    HypervisorError::Operation { operation: operation.to_owned(), cause: cause.to_string() }
}

#[cfg(test)]
mod tests {
    use cove_machine::hypervisor::Verdict;

    use super::*;

    #[test]
    fn a_socket_path_that_is_too_long_is_told_with_its_numbers() {
        fits(Path::new(&format!("/{}", "x".repeat(106)))).unwrap();
        let error = fits(Path::new(&format!("/{}", "x".repeat(107)))).unwrap_err().to_string();
        assert!(error.contains("is 108 bytes, the system allows 107; set COVE_HOME"), "{error}");
    }

    #[tokio::test]
    async fn an_accelerator_that_is_none_is_a_problem_and_no_other_is_taken_instead() {
        let config = QemuConfig { accelerator: Choice::parse("hax"), ..QemuConfig::default() };
        let checks = Qemu::new(config).check().await;
        let check = checks.iter().find(|check| check.name == "acceleration").unwrap();
        assert_eq!(check.verdict, Verdict::Problem);
        assert!(check.finding.contains("hax"));
        assert_eq!(Choice::parse("kvm"), Choice::Fixed(Accelerator::Kvm));
        assert_eq!(Choice::parse(""), Choice::Best);
    }

    #[tokio::test]
    async fn a_host_without_qemu_is_one_problem_with_its_fix() {
        let config = QemuConfig { qemu: Some("/nonexistent".into()), ..QemuConfig::default() };
        let checks = Qemu::new(config).check().await;
        let problems: Vec<_> = checks.iter().filter(|check| check.name.starts_with("qemu")).collect();
        assert_eq!(problems.len(), 1);
        assert_eq!(problems[0].verdict, Verdict::Problem);
        assert!(!problems[0].fix.is_empty());
    }
}
