//! `cove.v1.Volumes` with canned volumes: "v1" is there, "used" is in use, "nope" is not there.

use cove_proto::v1::{self, volumes_server::Volumes};
use tonic::{Request, Response, Status};

use super::Shared;

fn volume(name: &str) -> v1::Volume {
    v1::Volume {
        name: name.into(),
        driver: "local".into(),
        mountpoint: format!("/volumes/{name}/_data"),
        created_at: Some(prost_types::Timestamp { seconds: 1_795_488_095, nanos: 123 }),
        ..Default::default()
    }
}

/// Filters in an order that a test can expect.
fn sorted(filters: &std::collections::HashMap<String, v1::StringList>) -> String {
    let mut texts: Vec<_> = filters.iter().map(|(key, list)| format!("{key}={}", list.values.join("+"))).collect();
    texts.sort();
    texts.join(" ")
}

#[tonic::async_trait]
impl Volumes for Shared {
    async fn create_volume(
        &self,
        request: Request<v1::CreateVolumeRequest>,
    ) -> Result<Response<v1::CreateVolumeResponse>, Status> {
        let v1::CreateVolumeRequest { name, driver, options, labels } = request.into_inner();
        if driver == "nosuch" {
            return Err(Status::not_found(
                "create v1: error looking up volume plugin nosuch: plugin \"nosuch\" not found",
            ));
        }
        let made = v1::Volume { options, labels, ..volume(&name) };
        Ok(Response::new(v1::CreateVolumeResponse { volume: Some(made) }))
    }

    async fn list_volumes(
        &self,
        request: Request<v1::ListVolumesRequest>,
    ) -> Result<Response<v1::ListVolumesResponse>, Status> {
        self.note(format!("volumes {}", sorted(&request.into_inner().filters)));
        Ok(Response::new(v1::ListVolumesResponse { volumes: vec![volume("v1")] }))
    }

    async fn get_volume(
        &self,
        request: Request<v1::GetVolumeRequest>,
    ) -> Result<Response<v1::GetVolumeResponse>, Status> {
        match request.into_inner().name.as_str() {
            "nope" => Err(Status::not_found("get nope: no such volume")),
            name => Ok(Response::new(v1::GetVolumeResponse { volume: Some(volume(name)) })),
        }
    }

    async fn remove_volume(
        &self,
        request: Request<v1::RemoveVolumeRequest>,
    ) -> Result<Response<v1::RemoveVolumeResponse>, Status> {
        let v1::RemoveVolumeRequest { name, force } = request.into_inner();
        self.note(format!("remove volume {name} force={force}"));
        match name.as_str() {
            "used" => Err(Status::failed_precondition("remove used: volume is in use - [abc]")),
            _ => Ok(Response::new(v1::RemoveVolumeResponse {})),
        }
    }

    async fn prune_volumes(
        &self,
        request: Request<v1::PruneVolumesRequest>,
    ) -> Result<Response<v1::PruneVolumesResponse>, Status> {
        self.note(format!("prune volumes {}", sorted(&request.into_inner().filters)));
        Ok(Response::new(v1::PruneVolumesResponse { names: vec!["v1".into()], freed_bytes: 7 }))
    }
}
