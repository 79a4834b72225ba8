//! `cove.v1.Shares`: which folders of this computer containers may see. Answered while the machine is stopped.

use std::sync::Arc;

use cove_proto::v1::{
    GrantShareRequest, GrantShareResponse, ListSharesRequest, ListSharesResponse, RevokeShareRequest,
    RevokeShareResponse, Share, UpdateDockerSocketRequest, UpdateDockerSocketResponse, UpdateShareRootsRequest,
    UpdateShareRootsResponse, shares_server,
};
use tonic::{Request, Response, Status};

use super::error;
use crate::shares::grants::{Grant, GrantError, Grants};

/// What the methods need.
#[derive(Debug)]
pub struct SharesRpc {
    /// The grants.
    pub grants: Arc<Grants>,
}

impl SharesRpc {
    /// Runs what looks at files where it blocks nobody.
    async fn blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Grants) -> Result<T, GrantError> + Send + 'static,
    ) -> Result<T, Status> {
        let grants = Arc::clone(&self.grants);
        let done = tokio::task::spawn_blocking(move || work(&grants)).await;
        done.map_err(|panic| Status::internal(format!("look at shared folders: {panic}")))?
            .map_err(|failed| error::grant(&failed))
    }
}

#[tonic::async_trait]
impl shares_server::Shares for SharesRpc {
    async fn grant_share(&self, request: Request<GrantShareRequest>) -> Result<Response<GrantShareResponse>, Status> {
        let GrantShareRequest { path, read_only, create_missing } = request.into_inner();
        let share = self.blocking(move |grants| grants.grant(&path, read_only, create_missing).map(encode)).await?;
        Ok(Response::new(GrantShareResponse { share: Some(share) }))
    }

    async fn list_shares(&self, _: Request<ListSharesRequest>) -> Result<Response<ListSharesResponse>, Status> {
        let mut shares: Vec<Share> =
            self.blocking(|grants| Ok(grants.list().into_iter().map(encode).collect())).await?;
        let docker_socket = self.grants.shares_docker_api();
        shares.iter_mut().filter(|share| share.docker_api).for_each(|share| share.present = docker_socket);
        Ok(Response::new(ListSharesResponse { shares, roots: roots(&self.grants), docker_socket }))
    }

    async fn revoke_share(
        &self,
        request: Request<RevokeShareRequest>,
    ) -> Result<Response<RevokeShareResponse>, Status> {
        let share = request.into_inner().share;
        self.blocking(move |grants| grants.revoke(&share)).await?;
        Ok(Response::new(RevokeShareResponse {}))
    }

    async fn update_share_roots(
        &self,
        request: Request<UpdateShareRootsRequest>,
    ) -> Result<Response<UpdateShareRootsResponse>, Status> {
        let wanted = request.into_inner().roots;
        self.blocking(move |grants| grants.set_roots(&wanted)).await?;
        Ok(Response::new(UpdateShareRootsResponse { roots: roots(&self.grants) }))
    }

    async fn update_docker_socket(
        &self,
        request: Request<UpdateDockerSocketRequest>,
    ) -> Result<Response<UpdateDockerSocketResponse>, Status> {
        let shared = request.into_inner().shared;
        self.blocking(move |grants| grants.share_docker_api(shared)).await?;
        Ok(Response::new(UpdateDockerSocketResponse {}))
    }
}

fn roots(grants: &Grants) -> Vec<String> {
    grants.roots().iter().map(|root| root.display().to_string()).collect()
}

fn encode(grant: Grant) -> Share {
    let Grant { id, path, read_only, docker_api, .. } = grant;
    Share { id, path: path.display().to_string(), read_only, present: docker_api || path.exists(), docker_api }
}
