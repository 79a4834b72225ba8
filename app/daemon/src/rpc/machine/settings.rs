//! `GetSettings` and `UpdateSettings`.

use std::path::Path;

use cove_machine::{
    HostResources, MachineConfig, MachineSettings as Settings,
    settings::{self, SettingsError},
};
use cove_proto::v1::{
    GetSettingsResponse, MachineSettings, SettingsLimits, UpdateSettingsRequest, UpdateSettingsResponse,
};
use tonic::Status;

use super::MachineRpc;
use crate::rpc::error::{self, chain};

impl MachineRpc {
    pub(super) async fn settings(&self) -> Result<GetSettingsResponse, Status> {
        let (config, host, runs) = (self.machine.config().clone(), self.host, self.runs());
        let looked = tokio::task::spawn_blocking(move || {
            let (settings, problem) = match Settings::load(&config.settings, host) {
                Ok(settings) => (settings, String::new()),
                Err(problem) => (Settings::defaults(host), chain(&problem)),
            };
            let restart_needed = runs && differs(&config, &settings);
            let limits = limits(host, disk_bytes(&config.data_disk));
            let folder = config.data_disk.parent().unwrap_or(&config.data_disk);
            // A disk that cannot be asked refuses the start, not this answer.
            let free = cove_platform::disk::free_bytes(folder).unwrap_or(0);
            (settings, problem, limits, free, config.settings.display().to_string(), restart_needed)
        });
        let (settings, problem, limits, host_disk_free_bytes, path, restart_needed) =
            looked.await.map_err(|panic| Status::internal(format!("look at the settings: {panic}")))?;
        Ok(GetSettingsResponse {
            settings: Some(encode(&settings)),
            defaults: Some(encode(&Settings::defaults(host))),
            limits: Some(limits),
            problem,
            path,
            host_disk_free_bytes,
            restart_needed,
        })
    }

    pub(super) async fn update_settings(
        &self,
        request: UpdateSettingsRequest,
    ) -> Result<UpdateSettingsResponse, Status> {
        let (config, host, runs) = (self.machine.config().clone(), self.host, self.runs());
        let _alone = self.changing.lock().await;
        let changed = tokio::task::spawn_blocking(move || {
            let settings = change(&config.settings, &config.data_disk, host, &request)?;
            let restart_needed = runs && differs(&config, &settings);
            Ok::<_, ChangeError>((settings, restart_needed))
        });
        let (settings, restart_needed) = changed
            .await
            .map_err(|panic| Status::internal(format!("change the settings: {panic}")))?
            .map_err(|failed| error::settings(&failed))?;
        Ok(UpdateSettingsResponse { settings: Some(encode(&settings)), restart_needed })
    }

    pub(super) fn runs(&self) -> bool {
        self.machine.status().borrow().platform.is_some()
    }
}

/// What the present run began with; nothing if it left no word of that.
pub(super) fn began_with(config: &MachineConfig) -> Option<Settings> {
    let file = config.run_settings();
    if !file.exists() {
        return None;
    }
    Settings::load(&file, config.host).ok()
}

/// Whether the present run began with other settings than these. The grace is read at each stop.
fn differs(config: &MachineConfig, settings: &Settings) -> bool {
    let at_start = |of: &Settings| Settings { grace_seconds: 0, ..of.clone() };
    began_with(config).is_some_and(|began_with| at_start(&began_with) != at_start(settings))
}

/// Why settings were not changed.
#[derive(Debug, thiserror::Error)]
pub enum ChangeError {
    /// What is there cannot be used.
    #[error("{}; set them back to the defaults, or correct the file", chain(.0))]
    Unusable(SettingsError),
    /// What was asked for cannot be, or cannot be written.
    #[error("{}", chain(.0))]
    Refused(SettingsError),
    /// The disk would have to become smaller.
    #[error("the data disk is {present} bytes and never shrinks; {asked} were asked for")]
    Shrinks {
        /// How large it is.
        present: u64,
        /// What was asked for.
        asked: u64,
    },
}

/// Applies a change to the file, as a whole or not at all.
fn change(
    path: &Path,
    data_disk: &Path,
    host: HostResources,
    request: &UpdateSettingsRequest,
) -> Result<Settings, ChangeError> {
    let present = if request.reset {
        Settings::defaults(host)
    } else {
        Settings::load(path, host).map_err(ChangeError::Unusable)?
    };
    let wanted = Settings {
        cpus: request.cpus.unwrap_or(present.cpus),
        memory_bytes: request.memory_bytes.unwrap_or(present.memory_bytes),
        disk_bytes: request.disk_bytes.unwrap_or(present.disk_bytes),
        grace_seconds: request.grace_seconds.unwrap_or(present.grace_seconds),
        user_namespaces: request.user_namespaces.unwrap_or(present.user_namespaces),
    };
    let disk = disk_bytes(data_disk);
    if let Some(asked) = request.disk_bytes.filter(|asked| *asked < disk) {
        return Err(ChangeError::Shrinks { present: disk, asked });
    }
    wanted.save(path, host).map_err(ChangeError::Refused)?;
    Ok(wanted)
}

/// How large the disk is; 0 before it is made.
fn disk_bytes(path: &Path) -> u64 {
    cove_machine::prepare::disk::size(path).unwrap_or(0)
}

fn limits(host: HostResources, disk_bytes: u64) -> SettingsLimits {
    SettingsLimits {
        max_cpus: host.cpus.max(1),
        min_memory_bytes: settings::MIN_MEMORY_BYTES,
        max_memory_bytes: host.memory_bytes.max(settings::MIN_MEMORY_BYTES),
        min_disk_bytes: disk_bytes.max(settings::MIN_DISK_BYTES),
        max_disk_bytes: settings::MAX_DISK_BYTES,
        max_grace_seconds: settings::MAX_GRACE_SECONDS,
    }
}

fn encode(settings: &Settings) -> MachineSettings {
    let Settings { cpus, memory_bytes, disk_bytes, grace_seconds, user_namespaces } = *settings;
    MachineSettings { cpus, memory_bytes, disk_bytes, grace_seconds, user_namespaces }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GIB: u64 = 1 << 30;
    const HOST: HostResources = HostResources { cpus: 4, memory_bytes: 8 * GIB };

    fn changed(folder: &tempfile::TempDir, request: UpdateSettingsRequest) -> Result<Settings, ChangeError> {
        change(&folder.path().join("settings.json"), &folder.path().join("data.raw"), HOST, &request)
    }

    #[test]
    fn what_is_given_changes_and_the_rest_stays() {
        let folder = tempfile::tempdir().unwrap();
        changed(&folder, UpdateSettingsRequest { cpus: Some(3), ..Default::default() }).unwrap();
        let both = changed(&folder, UpdateSettingsRequest { memory_bytes: Some(GIB), ..Default::default() }).unwrap();
        assert_eq!((both.cpus, both.memory_bytes), (3, GIB));
    }

    #[test]
    fn a_value_out_of_range_changes_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let refused =
            changed(&folder, UpdateSettingsRequest { cpus: Some(9), memory_bytes: Some(GIB), ..Default::default() });
        assert!(matches!(refused, Err(ChangeError::Refused(SettingsError::Range { name: "cpus", .. }))), "{refused:?}");
        assert!(!folder.path().join("settings.json").exists());
    }

    #[test]
    fn nonsense_in_the_file_is_said_and_a_reset_is_the_way_out() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("settings.json"), "{]").unwrap();
        let refused = changed(&folder, UpdateSettingsRequest { cpus: Some(2), ..Default::default() });
        assert!(matches!(refused, Err(ChangeError::Unusable(_))), "{refused:?}");
        let reset = UpdateSettingsRequest { cpus: Some(2), reset: true, ..Default::default() };
        assert_eq!(changed(&folder, reset).unwrap().cpus, 2);
    }

    #[test]
    fn the_disk_does_not_shrink() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::File::create(folder.path().join("data.raw")).unwrap().set_len(4 * GIB).unwrap();
        let refused = changed(&folder, UpdateSettingsRequest { disk_bytes: Some(2 * GIB), ..Default::default() });
        assert!(matches!(refused, Err(ChangeError::Shrinks { .. })), "{refused:?}");
        changed(&folder, UpdateSettingsRequest { disk_bytes: Some(4 * GIB), ..Default::default() }).unwrap();
    }
}
