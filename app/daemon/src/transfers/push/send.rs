//! The steps of a push.

use cove_names::{Digest, Reference};
use cove_proto::v1::{
    self, LayerPhase, ReceiveCommit, ReceiveImageRequest, ReceiveOpen, RemoteLayer, receive_image_request,
};
use cove_registry::{
    RegistryError, Repository,
    blobs::upload::Whole,
    manifests::{DOCKER_LAYER, DOCKER_MANIFEST, put},
    repository::Access,
};
use futures::{StreamExt as _, TryStreamExt as _, stream};
use tonic::Status;

use super::{Done, Wanted, absent, layer::Going};
use crate::{
    rpc::error,
    transfers::{
        Transfers,
        progress::{Book, Layer},
    },
};

/// Sends an image.
pub(super) async fn send(transfers: &Transfers, wanted: &Wanted, book: &Book<(), Done>) -> Result<Done, Status> {
    let settings = transfers.settings()?;
    let name = &wanted.reference;
    let image = transfers.local(&name.canonical()).await?.ok_or_else(|| absent(name))?;
    let at_once = usize::try_from(settings.concurrent_uploads).unwrap_or(1);
    let image = &image;
    let go = |repository: Repository| async move { Going { transfers, repository, image, book }.go(at_once).await };
    let sent = transfers.registries().first_that(name, Access::Push, &wanted.credentials, &settings, go).await;
    let sent = sent.map_err(|failed| error::registry(&failed))?;
    let done = Done {
        tag: name.tag().unwrap_or_default().to_owned(),
        digest: Digest::of(&sent.manifest).to_string(),
        size: sent.manifest.len() as u64,
    };
    if let Err(failed) = note(transfers, image, name, sent).await {
        // The registry has it; what is lost is that the next push would know.
        tracing::warn!(error = failed.message(), "the agent does not know where the image was sent");
    }
    Ok(done)
}

/// What the registry has now.
pub(super) struct Sent {
    manifest: Vec<u8>,
    media_type: String,
    layers: Vec<(Digest, u64)>,
}

impl Going<'_> {
    async fn go(self, at_once: usize) -> Result<Sent, RegistryError> {
        self.book.layers(self.listed());
        let count = self.image.layer_diff_ids.len();
        // The topmost first, as dockerd does.
        let going = stream::iter((0..count).rev()).map(|index| self.layer(index)).buffered(at_once);
        let mut layers: Vec<(Digest, u64)> = going.try_collect().await?;
        layers.reverse();
        let config = self.config().await?;
        let (manifest, media_type) = self.manifest((&config, self.image.config_json.len() as u64), &layers)?;
        self.repository.put_manifest(self.repository.name(), &manifest, &media_type).await?;
        Ok(Sent { manifest, media_type, layers })
    }

    fn listed(&self) -> Vec<Layer> {
        let of = |name: &String| Layer {
            name: name.clone(),
            phase: LayerPhase::Preparing,
            current: 0,
            total: 0,
            retry: 0,
            from: String::new(),
        };
        self.image.layer_diff_ids.iter().rev().map(of).collect()
    }

    async fn config(&self) -> Result<Digest, RegistryError> {
        let digest = Digest::of(&self.image.config_json);
        if self.repository.has(&digest).await?.is_none() {
            self.repository.upload(&mut Whole::of(self.image.config_json.clone()), drop).await?;
        }
        Ok(digest)
    }

    /// The manifest that it came with, if that still says what it is made of; else one that does.
    fn manifest(&self, config: (&Digest, u64), layers: &[(Digest, u64)]) -> Result<(Vec<u8>, String), RegistryError> {
        let as_it_came = !self.image.manifest.is_empty()
            && self.image.remote_layers.len() == layers.len()
            && self
                .image
                .remote_layers
                .iter()
                .zip(layers)
                .all(|(remote, (digest, _))| remote.digest == digest.to_string());
        if as_it_came {
            return Ok((self.image.manifest.clone(), self.image.manifest_media_type.clone()));
        }
        Ok((put::made(config, layers)?, DOCKER_MANIFEST.to_owned()))
    }
}

/// Tells the agent where the image is now, and as what.
async fn note(transfers: &Transfers, image: &v1::Image, name: &Reference, sent: Sent) -> Result<(), Status> {
    let kind = |index: usize| image.remote_layers.get(index).map_or(DOCKER_LAYER, |layer| layer.media_type.as_str());
    let layers = sent.layers.iter().enumerate().map(|(index, (digest, size))| RemoteLayer {
        digest: digest.to_string(),
        media_type: kind(index).to_owned(),
        size_bytes: *size,
    });
    let digest = name.with_digest(Digest::of(&sent.manifest));
    let open = ReceiveOpen {
        config_json: image.config_json.clone(),
        layers: layers.collect(),
        manifest: sent.manifest,
        manifest_media_type: sent.media_type,
        repository: name.name(),
    };
    let commit = ReceiveCommit { references: vec![name.canonical()], digests: vec![digest.canonical()], pushed: true };
    let messages = [receive_image_request::Message::Open(open), receive_image_request::Message::Commit(commit)];
    let requests = messages.map(|message| ReceiveImageRequest { message: Some(message) });
    let mut answers = transfers.agent.images().receive_image(stream::iter(requests)).await?.into_inner();
    while answers.message().await?.is_some() {}
    Ok(())
}
