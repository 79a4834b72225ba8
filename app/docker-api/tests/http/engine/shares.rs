//! `cove.v1.Shares`: "/etc" may not be shared, "/missing" is not there.

use cove_proto::v1;
use tonic::{Request, Response, Status, async_trait};

use super::Shared;

#[async_trait]
impl v1::shares_server::Shares for Shared {
    async fn grant_share(
        &self,
        request: Request<v1::GrantShareRequest>,
    ) -> Result<Response<v1::GrantShareResponse>, Status> {
        let v1::GrantShareRequest { path, read_only, create_missing } = request.into_inner();
        self.note(format!("grant {path} {read_only} {create_missing}"));
        match path.as_str() {
            "/etc" => Err(Status::permission_denied("the path /etc is not shared from this computer")),
            "/missing" if !create_missing => Err(Status::not_found("bind source path does not exist: /missing")),
            _ => {
                let share =
                    v1::Share { id: format!("id of {path}"), path, read_only, present: true, docker_api: false };
                Ok(Response::new(v1::GrantShareResponse { share: Some(share) }))
            }
        }
    }

    async fn list_shares(&self, _: Request<v1::ListSharesRequest>) -> Result<Response<v1::ListSharesResponse>, Status> {
        Err(Status::unimplemented("not part of Docker's API"))
    }

    async fn revoke_share(
        &self,
        _: Request<v1::RevokeShareRequest>,
    ) -> Result<Response<v1::RevokeShareResponse>, Status> {
        Err(Status::unimplemented("not part of Docker's API"))
    }

    async fn update_share_roots(
        &self,
        _: Request<v1::UpdateShareRootsRequest>,
    ) -> Result<Response<v1::UpdateShareRootsResponse>, Status> {
        Err(Status::unimplemented("not part of Docker's API"))
    }

    async fn update_docker_socket(
        &self,
        _: Request<v1::UpdateDockerSocketRequest>,
    ) -> Result<Response<v1::UpdateDockerSocketResponse>, Status> {
        Err(Status::unimplemented("not part of Docker's API"))
    }
}
