//! How large the machine is.

use cove_client::Engine;
use cove_proto::v1::{GetMachineRequest, GetSettingsRequest, UpdateSettingsRequest};
use tauri::State;
use tonic::Status;

use super::{Answer, failed};
use crate::{link::Link, wire::settings::Settings};

/// The settings.
#[tauri::command]
pub(crate) async fn settings_get(link: State<'_, Link>) -> Answer<Settings> {
    get(&link.engine().await?).await.map_err(failed("the settings cannot be read"))
}

/// Changes the settings. Where the file cannot be used, these replace it.
#[tauri::command]
pub(crate) async fn settings_set(
    link: State<'_, Link>,
    cpus: u32,
    memory_bytes: u64,
    disk_bytes: u64,
) -> Answer<Settings> {
    let engine = link.engine().await?;
    set(&engine, cpus, memory_bytes, disk_bytes).await.map_err(failed("the settings were not changed"))?;
    get(&engine).await.map_err(failed("the settings cannot be read"))
}

async fn get(engine: &Engine) -> Result<Settings, Status> {
    let settings = engine.machine().get_settings(GetSettingsRequest {}).await?.into_inner();
    let machine = engine.machine().get_machine(GetMachineRequest {}).await?.into_inner();
    Ok(Settings::new(settings, machine))
}

async fn set(engine: &Engine, cpus: u32, memory_bytes: u64, disk_bytes: u64) -> Result<(), Status> {
    let present = engine.machine().get_settings(GetSettingsRequest {}).await?.into_inner();
    let wanted = UpdateSettingsRequest {
        cpus: Some(cpus),
        memory_bytes: Some(memory_bytes),
        // A disk that is larger than the settings say stays so, and need not be asked for.
        disk_bytes: present.settings.is_none_or(|size| size.disk_bytes != disk_bytes).then_some(disk_bytes),
        grace_seconds: None,
        user_namespaces: None,
        reset: !present.problem.is_empty(),
    };
    engine.machine().update_settings(wanted).await.map(drop)
}
