//! The first half of a start: prepare the host's files, bring up the monitor.

use std::{
    io::{self, Write},
    path::{Path, PathBuf},
    sync::Arc,
};

use tokio::{task::JoinHandle, time::timeout};

use super::{failure::Cause, task::Shared};
use crate::{
    Failure, MachineConfig, MachineSettings, Phase, State, console,
    hypervisor::{HypervisorError, MachineSpec, Vm},
    prepare::{disk, initramfs, replace},
};

/// A machine that missed its deadline and is being ended.
pub(super) type Late = JoinHandle<()>;

/// A launch that failed.
pub(super) struct Refusal {
    pub(super) failure: Failure,
    pub(super) late: Option<Late>,
}

/// Runs both phases. It is a task of its own: a hypervisor's start is never cut off half-way.
pub(super) async fn launch(shared: Shared, late: Option<Late>) -> Result<Arc<dyn Vm>, Refusal> {
    let spec = match prepare(&shared, late).await {
        Ok(spec) => spec,
        Err(cause) => {
            // Nothing has been written to a console yet; what is there is another boot's.
            let Cause { kind, cause, fix } = cause;
            let failure = Failure { phase: Some(Phase::Prepare), kind, cause, fix, console_tail: String::new() };
            return Err(Refusal { failure, late: None });
        }
    };
    bring_up(&shared, spec).await
}

async fn prepare(shared: &Shared, late: Option<Late>) -> Result<MachineSpec, Cause> {
    shared.publisher.state(State::Starting(Phase::Prepare));
    let deadline = shared.config.deadlines.prepare;
    let steps = async {
        if let Some(late) = late {
            // A panic there is logged by the runtime; the machine of that start is gone either way.
            late.await.ok();
        }
        if let Some(cause) = Cause::host(shared.hypervisor.check().await) {
            return Err(cause);
        }
        let secret = shared.guest.new_secret().map_err(|e| Cause::guest(&e.0))?;
        let config = shared.config.clone();
        let files = tokio::task::spawn_blocking(move || write_files(&config, &secret));
        files.await.map_err(|e| Cause::files("write the machine's files", &io::Error::other(e)))?
    };
    timeout(deadline, steps)
        .await
        .unwrap_or_else(|_| Err(Cause::deadline("the host was not checked and the files not written", deadline)))
}

/// Where the initramfs of the present boot is.
pub(super) fn boot_initramfs(config: &MachineConfig) -> PathBuf {
    config.runtime_dir.join("initramfs.cpio")
}

fn write_files(config: &MachineConfig, secret: &[u8]) -> Result<MachineSpec, Cause> {
    let settings = MachineSettings::load(&config.settings, config.host)?;
    for folder in [Some(config.runtime_dir.as_path()), config.data_disk.parent(), config.console_log.parent()] {
        let folder = folder.unwrap_or(Path::new("."));
        std::fs::create_dir_all(folder).map_err(|e| Cause::files(&format!("make {}", folder.display()), &e))?;
    }
    console::rotate(&config.console_log).map_err(|e| about(&config.console_log, &e))?;
    disk::ensure(&config.data_disk, settings.disk_bytes)?;
    let secret_file = config.secret_file();
    replace(&secret_file, |file| file.write_all(secret)).map_err(|e| about(&secret_file, &e))?;
    settings.save(&config.run_settings(), config.host)?;
    let initramfs = boot_initramfs(config);
    let told = settings.for_guest().map_err(|e| Cause::files("write down what the guest is told", &e.into()))?;
    let files = [(config.secret_guest_path.as_str(), secret), (config.settings_guest_path.as_str(), told.as_slice())];
    initramfs::write(&config.initramfs, &files, &initramfs)?;
    Ok(MachineSpec {
        runtime_dir: config.runtime_dir.clone(),
        kernel: config.kernel.clone(),
        initramfs,
        kernel_arguments: config.kernel_arguments.clone(),
        cpus: settings.cpus,
        memory_bytes: settings.memory_bytes,
        data_disk: config.data_disk.clone(),
        console_log: config.console_log.clone(),
    })
}

fn about(path: &Path, error: &io::Error) -> Cause {
    Cause::files(&path.display().to_string(), error)
}

async fn bring_up(shared: &Shared, spec: MachineSpec) -> Result<Arc<dyn Vm>, Refusal> {
    shared.publisher.state(State::Starting(Phase::Vmm));
    let hypervisor = shared.hypervisor.clone();
    let mut starting = tokio::spawn(async move { hypervisor.start(spec).await });
    let deadline = shared.config.deadlines.vmm;
    let (cause, late) = match timeout(deadline, &mut starting).await {
        Ok(Ok(Ok(vm))) => return Ok(vm),
        Ok(Ok(Err(error))) => (Cause::from(error), None),
        Ok(Err(panic)) => (Cause::from(crashed(&panic)), None),
        Err(_) => (Cause::deadline("the monitor did not come up", deadline), Some(end_late(starting))),
    };
    Err(Refusal { failure: cause.at(Some(Phase::Vmm), &shared.config).await, late })
}

fn crashed(panic: &tokio::task::JoinError) -> HypervisorError {
    HypervisorError::Operation { operation: "start the monitor".to_owned(), cause: panic.to_string() }
}

/// Ends the machine as soon as it comes up after all.
fn end_late(starting: JoinHandle<Result<Arc<dyn Vm>, HypervisorError>>) -> Late {
    tokio::spawn(async move {
        if let Ok(Ok(vm)) = starting.await {
            vm.kill().await;
        }
    })
}
