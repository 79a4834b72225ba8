//! `cove.v1.Volumes`.

use tonic::{Request, Response, Status};

use cove_proto::v1::{
    self, CreateVolumeRequest, CreateVolumeResponse, GetVolumeRequest, GetVolumeResponse, ListVolumesRequest,
    ListVolumesResponse, PruneVolumesRequest, PruneVolumesResponse, RemoveVolumeRequest, RemoveVolumeResponse,
};

use crate::{
    containers::timestamp,
    volumes::{DRIVER, Pruned, VolumeInfo, Volumes, VolumesError, Wanted},
};

/// `cove.v1.Volumes`.
#[derive(Debug, Clone)]
pub struct VolumesService {
    volumes: Volumes,
}

impl VolumesService {
    /// The service of these volumes.
    #[must_use]
    pub fn new(volumes: Volumes) -> Self {
        Self { volumes }
    }

    /// Does what blocks on the disk where it blocks nobody. What was begun is finished although the caller may leave.
    async fn ask<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Volumes) -> Result<T, VolumesError> + Send + 'static,
    ) -> Result<T, Status> {
        let volumes = self.volumes.clone();
        let done = tokio::task::spawn_blocking(move || work(&volumes)).await;
        Ok(done.map_err(|_| Status::unavailable("the agent is shutting down"))??)
    }
}

#[tonic::async_trait]
impl v1::volumes_server::Volumes for VolumesService {
    async fn create_volume(
        &self,
        request: Request<CreateVolumeRequest>,
    ) -> Result<Response<CreateVolumeResponse>, Status> {
        let CreateVolumeRequest { name, driver, options, labels } = request.into_inner();
        let (options, labels) = (options.into_iter().collect(), labels.into_iter().collect());
        let volume = self.ask(move |volumes| volumes.create(Wanted { name, driver, options, labels }, None)).await?;
        Ok(Response::new(CreateVolumeResponse { volume: Some(shown(volume)) }))
    }

    async fn list_volumes(
        &self,
        request: Request<ListVolumesRequest>,
    ) -> Result<Response<ListVolumesResponse>, Status> {
        let ListVolumesRequest { filters, sizes } = request.into_inner();
        let volumes = self.ask(move |volumes| volumes.list(&filters, sizes)).await?;
        Ok(Response::new(ListVolumesResponse { volumes: volumes.into_iter().map(shown).collect() }))
    }

    async fn get_volume(&self, request: Request<GetVolumeRequest>) -> Result<Response<GetVolumeResponse>, Status> {
        let name = request.into_inner().name;
        let volume = self.ask(move |volumes| volumes.get(&name)).await?;
        Ok(Response::new(GetVolumeResponse { volume: Some(shown(volume)) }))
    }

    async fn remove_volume(
        &self,
        request: Request<RemoveVolumeRequest>,
    ) -> Result<Response<RemoveVolumeResponse>, Status> {
        let RemoveVolumeRequest { name, force } = request.into_inner();
        self.ask(move |volumes| volumes.remove(&name, force)).await?;
        Ok(Response::new(RemoveVolumeResponse {}))
    }

    async fn prune_volumes(
        &self,
        request: Request<PruneVolumesRequest>,
    ) -> Result<Response<PruneVolumesResponse>, Status> {
        let filters = request.into_inner().filters;
        let Pruned { names, freed_bytes } = self.ask(move |volumes| volumes.prune(&filters)).await?;
        Ok(Response::new(PruneVolumesResponse { names, freed_bytes }))
    }
}

fn shown(volume: VolumeInfo) -> v1::Volume {
    let anonymous = volume.is_anonymous();
    v1::Volume {
        name: volume.record.name,
        driver: DRIVER.to_owned(),
        mountpoint: volume.mountpoint.to_string_lossy().into_owned(),
        created_at: timestamp(volume.record.created_at),
        labels: volume.record.labels.into_iter().collect(),
        options: volume.record.options.into_iter().collect(),
        anonymous,
        bytes: volume.bytes,
        containers: u32::try_from(volume.containers).unwrap_or(u32::MAX),
    }
}
