//! The machine and its host.

use cove_proto::v1::{
    CheckHostRequest, GetGuestRequest, GetMachineRequest, RestartMachineRequest, StartMachineRequest,
    StopMachineRequest,
};
use tauri::State;

use super::{Answer, failed, no_wake, unless_asleep};
use crate::{
    link::Link,
    wire::{
        guest::Guest,
        machine::{HostCheck, Machine},
    },
};

/// The machine as it is.
#[tauri::command]
pub(crate) async fn machine_get(link: State<'_, Link>) -> Answer<Machine> {
    let answer = link.engine().await?.machine().get_machine(GetMachineRequest {}).await;
    let machine = answer.map_err(failed("the machine cannot be looked at"))?.into_inner();
    Ok(Machine::from(machine).seen_by(env!("CARGO_PKG_VERSION")))
}

/// Starts it; phases come as events meanwhile.
#[tauri::command]
pub(crate) async fn machine_start(link: State<'_, Link>) -> Answer<()> {
    start(&link).await
}

/// Stops it.
#[tauri::command]
pub(crate) async fn machine_stop(link: State<'_, Link>) -> Answer<()> {
    stop(&link).await
}

/// Stops and starts it.
#[tauri::command]
pub(crate) async fn machine_restart(link: State<'_, Link>) -> Answer<()> {
    restart(&link).await
}

/// What the guest says of itself, if the machine runs.
#[tauri::command]
pub(crate) async fn guest_get(link: State<'_, Link>) -> Answer<Option<Guest>> {
    let answer = link.engine().await?.guest().get_guest(no_wake(GetGuestRequest {})).await;
    let answer = unless_asleep(answer).map_err(failed("the guest cannot be looked at"))?;
    Ok(answer.map(|guest| guest.into_inner().into()))
}

/// What is there on the host and what is missing.
#[tauri::command]
pub(crate) async fn host_check(link: State<'_, Link>) -> Answer<Vec<HostCheck>> {
    let answer = link.engine().await?.machine().check_host(CheckHostRequest {}).await;
    let answer = answer.map_err(failed("this computer cannot be checked"))?.into_inner();
    Ok(answer.checks.into_iter().map(HostCheck::from).collect())
}

/// Starts it, for the tray as well.
pub(crate) async fn start(link: &Link) -> Answer<()> {
    let answer = link.engine().await?.machine().start_machine(StartMachineRequest {}).await;
    answer.map(drop).map_err(failed("the machine did not start"))
}

/// Stops it, for the tray as well.
pub(crate) async fn stop(link: &Link) -> Answer<()> {
    let answer = link.engine().await?.machine().stop_machine(StopMachineRequest::default()).await;
    answer.map(drop).map_err(failed("the machine did not stop"))
}

/// Stops and starts it, for the tray as well.
pub(crate) async fn restart(link: &Link) -> Answer<()> {
    let answer = link.engine().await?.machine().restart_machine(RestartMachineRequest::default()).await;
    answer.map(drop).map_err(failed("the machine did not restart"))
}
