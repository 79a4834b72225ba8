//! `cove.v1.Images`.

use cove_proto::v1::{self, import_image_request::Message, removed_image::What};
use tonic::{Request, Response, Status, Streaming, async_trait};

use super::{Answers, Shared, canned};

#[async_trait]
impl v1::images_server::Images for Shared {
    type LoadImagesStream = Answers<v1::LoadImagesResponse>;
    type SaveImagesStream = Answers<v1::SaveImagesResponse>;
    type ReceiveImageStream = Answers<v1::ReceiveImageResponse>;
    type ReceiveLayerStream = Answers<v1::ReceiveLayerResponse>;
    type SendLayerStream = Answers<v1::SendLayerResponse>;

    async fn receive_image(
        &self,
        _request: Request<Streaming<v1::ReceiveImageRequest>>,
    ) -> Result<Response<Self::ReceiveImageStream>, Status> {
        Err(Status::unimplemented("not part of Docker's API"))
    }

    async fn receive_layer(
        &self,
        _request: Request<Streaming<v1::ReceiveLayerRequest>>,
    ) -> Result<Response<Self::ReceiveLayerStream>, Status> {
        Err(Status::unimplemented("not part of Docker's API"))
    }

    async fn send_layer(
        &self,
        _request: Request<v1::SendLayerRequest>,
    ) -> Result<Response<Self::SendLayerStream>, Status> {
        Err(Status::unimplemented("not part of Docker's API"))
    }

    async fn load_images(
        &self,
        request: Request<Streaming<v1::LoadImagesRequest>>,
    ) -> Result<Response<Self::LoadImagesStream>, Status> {
        let mut archive = request.into_inner();
        let mut bytes = 0;
        while let Some(piece) = archive.message().await? {
            if piece.data.starts_with(b"corrupt") {
                return Err(Status::invalid_argument("not an archive"));
            }
            bytes += piece.data.len();
        }
        self.note(format!("loaded {bytes} bytes"));
        let loaded = |reference: &str, untagged| {
            Ok(v1::LoadImagesResponse { reference: reference.into(), untagged, id: "sha256:1".into() })
        };
        let images = [loaded("alpine:latest", false), loaded("sha256:2", true)];
        Ok(Response::new(Box::pin(futures::stream::iter(images))))
    }

    async fn save_images(
        &self,
        request: Request<v1::SaveImagesRequest>,
    ) -> Result<Response<Self::SaveImagesStream>, Status> {
        let images = request.into_inner().images;
        if images.iter().any(|image| image == "nope") {
            return Err(Status::not_found("No such image: nope"));
        }
        let late = images.iter().any(|image| image == "late");
        let mut pieces = vec![Ok(v1::SaveImagesResponse { data: images.join(",").into_bytes() })];
        if late {
            pieces.push(Err(Status::internal("the disk broke")));
        }
        Ok(Response::new(Box::pin(futures::stream::iter(pieces))))
    }

    async fn import_image(
        &self,
        request: Request<Streaming<v1::ImportImageRequest>>,
    ) -> Result<Response<v1::ImportImageResponse>, Status> {
        let mut archive = request.into_inner();
        let mut bytes = Vec::new();
        while let Some(piece) = archive.message().await? {
            match piece.message {
                Some(Message::Open(open)) => {
                    self.note(format!("import {} {:?} {:?}", open.reference, open.message, open.changes));
                }
                Some(Message::Data(data)) => bytes.extend(data),
                None => {}
            }
        }
        if bytes == b"x" {
            return Err(Status::invalid_argument("not a tar"));
        }
        Ok(Response::new(v1::ImportImageResponse { id: canned::IMAGE_ID.into() }))
    }

    async fn list_images(
        &self,
        _request: Request<v1::ListImagesRequest>,
    ) -> Result<Response<v1::ListImagesResponse>, Status> {
        Ok(Response::new(v1::ListImagesResponse { images: vec![canned::image(), canned::plain_image()] }))
    }

    async fn get_image(&self, request: Request<v1::GetImageRequest>) -> Result<Response<v1::GetImageResponse>, Status> {
        let name = request.into_inner().image;
        if name == "nope" {
            return Err(Status::not_found("No such image: nope:latest"));
        }
        self.note(format!("image {name}"));
        Ok(Response::new(v1::GetImageResponse { image: Some(canned::image()) }))
    }

    async fn tag_image(&self, request: Request<v1::TagImageRequest>) -> Result<Response<v1::TagImageResponse>, Status> {
        let request = request.into_inner();
        self.note(format!("tag {} {}", request.image, request.reference));
        Ok(Response::new(v1::TagImageResponse {}))
    }

    async fn remove_image(
        &self,
        request: Request<v1::RemoveImageRequest>,
    ) -> Result<Response<v1::RemoveImageResponse>, Status> {
        let step = |what| v1::RemovedImage { what: Some(what) };
        let removed = vec![step(What::Untagged(request.into_inner().image)), step(What::Deleted("sha256:1".into()))];
        Ok(Response::new(v1::RemoveImageResponse { removed }))
    }

    async fn prune_images(
        &self,
        request: Request<v1::PruneImagesRequest>,
    ) -> Result<Response<v1::PruneImagesResponse>, Status> {
        self.note(format!("prune {:?}", request.into_inner().filters.keys().collect::<Vec<_>>()));
        let removed = vec![v1::RemovedImage { what: Some(What::Deleted("sha256:1".into())) }];
        Ok(Response::new(v1::PruneImagesResponse { removed, freed_bytes: 7 }))
    }

    async fn check_store(
        &self,
        _request: Request<v1::CheckStoreRequest>,
    ) -> Result<Response<v1::CheckStoreResponse>, Status> {
        Err(Status::unimplemented("not part of Docker's API"))
    }
}
