//! Containers.

use cove_proto::v1::{
    ContainerSpec, CreateContainerRequest, GetContainerRequest, GetIsolationRequest, ListContainersRequest,
    RemoveContainerRequest, StartContainerRequest, StopContainerRequest,
};
use tauri::State;

use super::{Answer, failed, no_wake, unless_asleep};
use crate::{
    link::Link,
    wire::{
        containers::{Container, ContainerDetails},
        isolation::Isolation,
    },
};

/// All containers, the newest first; none while the machine does not run.
#[tauri::command]
pub(crate) async fn containers_list(link: State<'_, Link>) -> Answer<Vec<Container>> {
    let request = no_wake(ListContainersRequest { all: true, ..Default::default() });
    let answer = link.engine().await?.containers().list_containers(request).await;
    let answer = unless_asleep(answer).map_err(failed("the containers cannot be listed"))?;
    let containers = answer.map(|list| list.into_inner().containers).unwrap_or_default();
    Ok(containers.into_iter().map(Container::from).collect())
}

/// All about one container.
#[tauri::command]
pub(crate) async fn container_get(link: State<'_, Link>, id: String) -> Answer<ContainerDetails> {
    let request = no_wake(GetContainerRequest { container: id, sizes: false });
    let answer = link.engine().await?.containers().get_container(request).await;
    let answer = answer.map_err(failed("the container cannot be looked at"))?.into_inner();
    Ok(answer.container.unwrap_or_default().into())
}

/// Starts one.
#[tauri::command]
pub(crate) async fn container_start(link: State<'_, Link>, id: String) -> Answer<()> {
    let answer = link.engine().await?.containers().start_container(StartContainerRequest { container: id }).await;
    answer.map(drop).map_err(failed("the container was not started"))
}

/// Stops one.
#[tauri::command]
pub(crate) async fn container_stop(link: State<'_, Link>, id: String) -> Answer<()> {
    let request = no_wake(StopContainerRequest { container: id, ..Default::default() });
    let answer = link.engine().await?.containers().stop_container(request).await;
    answer.map(drop).map_err(failed("the container was not stopped"))
}

/// Removes one.
#[tauri::command]
pub(crate) async fn container_remove(link: State<'_, Link>, id: String, force: bool) -> Answer<()> {
    let request = no_wake(RemoveContainerRequest { container: id, force, volumes: true, link: false });
    let answer = link.engine().await?.containers().remove_container(request).await;
    answer.map(drop).map_err(failed("the container was not removed"))
}

/// Makes one with the image's own command, starts it and says its id.
#[tauri::command]
pub(crate) async fn container_run(link: State<'_, Link>, image: String) -> Answer<String> {
    let mut containers = link.engine().await?.containers();
    let spec = ContainerSpec { image, ..Default::default() };
    let created = containers.create_container(CreateContainerRequest { name: String::new(), spec: Some(spec) }).await;
    let id = created.map_err(failed("the container was not made"))?.into_inner().id;
    let started = containers.start_container(StartContainerRequest { container: id.clone() }).await;
    started.map_err(failed("the container was made, and did not start"))?;
    Ok(id)
}

/// What a container shares with the guest.
#[tauri::command]
pub(crate) async fn isolation_get(link: State<'_, Link>, id: String) -> Answer<Isolation> {
    let request = no_wake(GetIsolationRequest { container: id });
    let answer = link.engine().await?.containers().get_isolation(request).await;
    Ok(answer.map_err(failed("the container cannot be looked at"))?.into_inner().into())
}
