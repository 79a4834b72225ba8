//! One layer, to a registry: by the cheapest way that there is.

use cove_names::{Digest, Reference};
use cove_proto::v1::{Image, LayerPhase, RemoteLayer};
use cove_registry::{
    RegistryError, Repository,
    blobs::{Source, Told},
};

use super::{
    Done,
    sources::{Copied, Made},
};
use crate::transfers::{
    Transfers,
    progress::{self, Book},
};

/// An image on its way.
pub(super) struct Going<'a> {
    pub(super) transfers: &'a Transfers,
    pub(super) repository: Repository,
    pub(super) image: &'a Image,
    pub(super) book: &'a Book<(), Done>,
}

impl Going<'_> {
    /// Sees to it that the registry has a layer; says as what.
    pub(super) async fn layer(&self, index: usize) -> Result<(Digest, u64), RegistryError> {
        let known = self.known(index);
        if let Some((digest, size)) = &known
            && self.repository.has(digest).await?.is_some()
        {
            self.enter(index, LayerPhase::Exists);
            return Ok((digest.clone(), *size));
        }
        if let Some((digest, size)) = &known
            && (self.mount(index, digest).await? || self.copy(index, digest, *size).await?)
        {
            return Ok((digest.clone(), *size));
        }
        self.make(index).await
    }

    /// What the layer is in a registry: as it came, or as it went the last time.
    fn known(&self, index: usize) -> Option<(Digest, u64)> {
        if let Some(RemoteLayer { digest, size_bytes, .. }) = self.image.remote_layers.get(index) {
            return Some((Digest::parse(digest).ok()?, *size_bytes));
        }
        self.sent().get(self.image.layer_diff_ids.get(index)?).cloned()
    }

    /// Whether the registry takes it from another of its repositories.
    async fn mount(&self, index: usize, digest: &Digest) -> Result<bool, RegistryError> {
        let here = self.repository.name();
        let others = self.origins().filter(|other| other.domain() == here.domain() && other.path() != here.path());
        for other in others {
            if self.repository.mount(digest, other.path()).await? {
                let from = other.path().to_owned();
                self.change(index, |layer| (layer.phase, layer.from) = (LayerPhase::Mounted, from));
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Whether it could be copied from where it came from, without a way through the machine.
    async fn copy(&self, index: usize, digest: &Digest, size: u64) -> Result<bool, RegistryError> {
        let here = self.repository.name();
        for origin in self.origins().filter(|origin| origin.name() != here.name()) {
            let Some(mut source) = Copied::from(self.transfers, &origin, digest, size).await else { continue };
            self.change(index, |layer| (layer.phase, layer.total) = (LayerPhase::Pushing, size));
            match self.upload(index, &mut source).await {
                Ok(_) => {
                    self.enter(index, LayerPhase::Pushed);
                    return Ok(true);
                }
                // It is not there any more, or not for us.
                Err(failed) if source.has_failed() => tracing::debug!(%failed, %digest, "cannot be copied"),
                Err(failed) => return Err(failed),
            }
        }
        Ok(false)
    }

    /// Makes it anew of what the agent has.
    async fn make(&self, index: usize) -> Result<(Digest, u64), RegistryError> {
        let diff_id = self.image.layer_diff_ids.get(index).cloned().unwrap_or_default();
        self.enter(index, LayerPhase::Pushing);
        let mut source = Made::of(self.transfers, &self.image.id, &diff_id);
        let sent = self.upload(index, &mut source).await?;
        self.sent().insert(diff_id, sent.clone());
        self.enter(index, LayerPhase::Pushed);
        Ok(sent)
    }

    async fn upload(&self, index: usize, source: &mut impl Source) -> Result<(Digest, u64), RegistryError> {
        let told = |told| {
            self.change(index, |layer| match told {
                Told::Sent(sent) => (layer.current, layer.retry) = (sent, 0),
                Told::Waiting(wait) => layer.retry = progress::retry(wait),
            });
        };
        self.repository.upload(source, told).await
    }

    /// Repositories that have what the image came with.
    fn origins(&self) -> impl Iterator<Item = Reference> {
        self.image.repositories.iter().filter_map(|name| Reference::parse(name).ok())
    }

    fn enter(&self, index: usize, phase: LayerPhase) {
        self.change(index, |layer| (layer.phase, layer.retry) = (phase, 0));
    }

    /// In the book the topmost is the first.
    fn change(&self, index: usize, change: impl FnOnce(&mut crate::transfers::progress::Layer)) {
        self.book.change(self.image.layer_diff_ids.len() - 1 - index, change);
    }

    fn sent(&self) -> std::sync::MutexGuard<'_, std::collections::HashMap<String, (Digest, u64)>> {
        self.transfers.sent.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}
