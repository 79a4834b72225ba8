//! `GetMachine`.

use cove_machine::{
    MachineSettings, Status as MachineStatus,
    console::{self, agents::Restless},
};
use cove_proto::{
    ports,
    v1::{GetMachineResponse, GuestImage, HostInfo, MachineHardware, MachineTransport},
};
use tonic::Status;

use super::{MachineRpc, settings::began_with, status};
use crate::rpc::error::chain;

impl MachineRpc {
    pub(super) async fn get(&self) -> Result<GetMachineResponse, Status> {
        let now = self.machine.status().borrow().clone();
        let (config, host, image) = (self.machine.config().clone(), self.host, self.image.clone());
        let runs = now.platform.is_some();
        let looked = tokio::task::spawn_blocking(move || {
            let settings = MachineSettings::load(&config.settings, host);
            // A disk that is not made yet takes nothing.
            let disk_used = cove_platform::disk::allocated_bytes(&config.data_disk).unwrap_or(0);
            let began_with = if runs { began_with(&config) } else { None };
            (settings, began_with, disk_used, image.manifest())
        });
        let (settings, began_with, disk_used_bytes, manifest) =
            looked.await.map_err(|panic| Status::internal(format!("look at the machine's files: {panic}")))?;

        // Broken settings and a missing image are said here and refuse a start, not this answer: it is how one finds out.
        let mut status = status::encode(&now);
        let settings = settings.unwrap_or_else(|error| {
            status.warnings.push(format!("the settings cannot be used: {}", chain(&error)));
            MachineSettings::defaults(self.host)
        });
        let image = manifest.map(GuestImage::from).unwrap_or_else(|error| {
            status.warnings.push(chain(&error));
            GuestImage::default()
        });
        status.warnings.extend(if runs { self.restless_agent().await } else { None });
        Ok(GetMachineResponse {
            status: Some(status),
            hardware: Some(hardware(began_with.as_ref().unwrap_or(&settings), disk_used_bytes, &now)),
            transport: Some(self.transport(&now)),
            host: Some(self.host_info()),
            image: Some(image),
        })
    }

    /// Said here and not with the machine's states: it runs, and so do its containers.
    async fn restless_agent(&self) -> Option<String> {
        let (end, _) = console::tail(&self.machine.config().console_log, console::FAILURE_LINES).await.ok()?;
        let Restless { ends, last_words } = console::agents::restless(&String::from_utf8_lossy(&end))?;
        let reason = if last_words.is_empty() { String::new() } else { format!(": {last_words}") };
        Some(format!(
            "the engine in the machine has ended {ends} times in a row{reason}. Containers run on; cove machine-log says more"
        ))
    }

    fn transport(&self, now: &MachineStatus) -> MachineTransport {
        let platform = now.platform.as_ref();
        MachineTransport {
            vsock: platform.map(|platform| platform.vsock.clone()).unwrap_or_default(),
            cid: platform.map_or(0, |platform| platform.cid),
            agent_port: ports::AGENT,
            helper_pid: platform.map_or(0, |platform| platform.owner_pid),
            agent_round_trip: self.agent.round_trip().and_then(|time| time.try_into().ok()),
        }
    }

    fn host_info(&self) -> HostInfo {
        HostInfo {
            os: match std::env::consts::OS {
                "macos" => "darwin",
                os => os,
            }
            .to_owned(),
            arch: match std::env::consts::ARCH {
                "x86_64" => "amd64",
                "aarch64" => "arm64",
                arch => arch,
            }
            .to_owned(),
            daemon_version: env!("CARGO_PKG_VERSION").to_owned(),
            daemon_pid: std::process::id(),
            engine_endpoint: self.home.engine_endpoint().to_string(),
            docker_endpoint: self.home.docker_endpoint().to_string(),
            home: self.home.path().display().to_string(),
        }
    }
}

fn hardware(settings: &MachineSettings, disk_used_bytes: u64, now: &MachineStatus) -> MachineHardware {
    let platform = now.platform.as_ref();
    MachineHardware {
        cpus: settings.cpus,
        memory_bytes: settings.memory_bytes,
        disk_bytes: settings.disk_bytes,
        disk_used_bytes,
        hypervisor: platform.map(|platform| platform.hypervisor.clone()).unwrap_or_default(),
        accelerator: platform.map(|platform| platform.accelerator.clone()).unwrap_or_default(),
    }
}
