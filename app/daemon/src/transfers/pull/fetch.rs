//! The steps of a pull.

use std::sync::Arc;

use cove_names::{Digest, Reference};
use cove_proto::v1::{
    self, LayerPhase, ReceiveCommit, ReceiveImageRequest, ReceiveOpen, RemoteLayer, receive_image_request,
    receive_image_response::Message,
};
use cove_registry::{
    RegistryError, Repository,
    manifests::{Fetched, Image, platform::Platform},
    repository::Access,
};
use futures::{StreamExt as _, stream::FuturesUnordered};
use tokio::sync::{Semaphore, mpsc};
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Status, Streaming};

use super::{
    Begun, Done, Wanted,
    layer::{self, Bringing},
};
use crate::{
    rpc::error,
    transfers::{
        Transfers,
        progress::{Book, Layer},
    },
};

type Ledger = Book<Begun, Done>;

/// Fetches what is wanted.
pub(super) async fn fetch(transfers: &Transfers, wanted: &Wanted, book: &Ledger) -> Result<Done, Status> {
    let settings = transfers.settings()?;
    let platform = match &wanted.platform {
        Some(platform) => platform.clone(),
        None => transfers.platform()?,
    };
    let name = &wanted.reference;
    let look = |repository| look(transfers, repository, wanted);
    let found = transfers.registries().first_that(name, Access::Pull, &wanted.credentials, &settings, look).await;
    match found.map_err(|failed| error::registry(&failed.of_pull(name)))? {
        Found::Here(image, digest) => {
            book.begin(begun(name));
            Ok(done(name, &digest, true, image.id, String::new()))
        }
        Found::There(repository, fetched) => {
            book.begin(begun(name));
            let there = There { transfers, repository: *repository, wanted, name, book };
            there.take(*fetched, &platform, settings.concurrent_downloads).await
        }
    }
}

/// Where the reference leads.
enum Found {
    /// To what is here already.
    Here(Box<v1::Image>, Digest),
    /// To this.
    There(Box<Repository>, Box<Fetched>),
}

/// Asks the registry where the reference leads, and fetches no more than that if it is here already.
async fn look(transfers: &Transfers, repository: Repository, wanted: &Wanted) -> Result<Found, RegistryError> {
    let name = &wanted.reference;
    let head = repository.head(name).await?;
    let fetched = match head {
        Some(head) => {
            if let Some(image) = here(transfers, wanted, &head.digest).await {
                return Ok(Found::Here(Box::new(image), head.digest));
            }
            repository.fetch(&name.with_digest(head.digest)).await?
        }
        None => repository.fetch(name).await?,
    };
    Ok(Found::There(Box::new(repository), Box::new(fetched)))
}

/// The image, if the reference leads to this digest here as well, and for the platform that is wanted: the machine's, unless
/// it is said or there is no other. An agent that cannot say will be asked again.
async fn here(transfers: &Transfers, wanted: &Wanted, digest: &Digest) -> Option<v1::Image> {
    let name = &wanted.reference;
    let image = transfers.local(&name.canonical()).await.ok().flatten()?;
    let known = name.with_digest(digest.clone()).familiar();
    let theirs = Platform { architecture: image.arch.clone(), os: image.os.clone(), variant: image.variant.clone() };
    let is_alone = Digest::of(&image.manifest) == *digest;
    let fits = match &wanted.platform {
        Some(platform) => platform.runs(&theirs),
        None => is_alone || transfers.platform().is_ok_and(|platform| platform.runs(&theirs)),
    };
    (fits && image.digests.contains(&known)).then_some(image)
}

fn begun(name: &Reference) -> Begun {
    let digest = name.digest().map(ToString::to_string);
    Begun { path: name.path().to_owned(), tag: digest.or_else(|| name.tag().map(str::to_owned)).unwrap_or_default() }
}

fn done(name: &Reference, digest: &Digest, up_to_date: bool, id: String, warning: String) -> Done {
    Done { digest: digest.to_string(), reference: name.familiar(), up_to_date, id, warning }
}

/// An image in a registry, and who takes it.
struct There<'a> {
    transfers: &'a Transfers,
    repository: Repository,
    wanted: &'a Wanted,
    name: &'a Reference,
    book: &'a Ledger,
}

impl There<'_> {
    async fn take(&self, fetched: Fetched, platform: &Platform, at_once: u32) -> Result<Done, Status> {
        let image = self.said(self.repository.image(fetched, platform).await)?;
        let config = &image.manifest.config;
        let config = self.said(self.repository.config(&config.digest, config.size).await)?;
        let warning = self.warning(&platform_of(&config)?)?;
        let (requests, mut answers) = self.open(&image, config).await?;
        let opened = match answers.message().await?.and_then(|answer| answer.message) {
            Some(Message::Opened(opened)) => opened,
            _ => return Err(hung_up()),
        };
        self.layers(&image, &opened, at_once).await?;
        let digest = self.name.with_digest(image.digest.clone());
        let references = if self.name.has_digest() { Vec::new() } else { vec![self.name.canonical()] };
        let commit = ReceiveCommit { references, digests: vec![digest.canonical()], pushed: false };
        let message = Some(receive_image_request::Message::Commit(commit));
        requests.send(ReceiveImageRequest { message }).await.map_err(|_| hung_up())?;
        match answers.message().await?.and_then(|answer| answer.message) {
            Some(Message::Committed(committed)) => Ok(done(self.name, &image.digest, false, committed.id, warning)),
            _ => Err(hung_up()),
        }
    }

    /// Tells the agent what comes. What it then has of it is kept while the stream lasts.
    async fn open(
        &self,
        image: &Image,
        config_json: Vec<u8>,
    ) -> Result<(mpsc::Sender<ReceiveImageRequest>, Streaming<v1::ReceiveImageResponse>), Status> {
        let remote = |layer: &cove_registry::manifests::Descriptor| RemoteLayer {
            digest: layer.digest.to_string(),
            media_type: layer.media_type.clone(),
            size_bytes: layer.size,
        };
        let open = ReceiveOpen {
            config_json,
            layers: image.manifest.layers.iter().map(remote).collect(),
            manifest: image.bytes.clone(),
            manifest_media_type: image.media_type.clone(),
            repository: self.name.name(),
        };
        let (requests, receiver) = mpsc::channel(1);
        let first = ReceiveImageRequest { message: Some(receive_image_request::Message::Open(open)) };
        requests.send(first).await.map_err(|_| hung_up())?;
        let answers = self.transfers.agent.images().receive_image(ReceiverStream::new(receiver)).await?;
        Ok((requests, answers.into_inner()))
    }

    /// Brings the layers that are missing, several at once; the first that fails ends all.
    async fn layers(&self, image: &Image, opened: &v1::ReceiveOpened, at_once: u32) -> Result<(), Status> {
        let layers = &image.manifest.layers;
        let missing: Vec<usize> = opened.missing.iter().filter_map(|index| usize::try_from(*index).ok()).collect();
        let listed = layers.iter().enumerate().map(|(index, layer)| Layer {
            name: layer.digest.to_string(),
            phase: if missing.contains(&index) { LayerPhase::Pending } else { LayerPhase::Exists },
            current: 0,
            total: layer.size,
            retry: 0,
            from: String::new(),
        });
        self.book.layers(listed.collect());
        let places = Arc::new(Semaphore::new(usize::try_from(at_once).unwrap_or(1)));
        let mut coming: FuturesUnordered<_> = missing
            .into_iter()
            .filter_map(|index| Some((index, layers.get(index)?)))
            .map(|(index, layer)| self.layer(index, layer, &opened.receipt, &places))
            .collect();
        while let Some(came) = coming.next().await {
            came?;
        }
        Ok(())
    }

    async fn layer(
        &self,
        index: usize,
        layer: &cove_registry::manifests::Descriptor,
        receipt: &str,
        places: &Semaphore,
    ) -> Result<(), Status> {
        let _place = match places.try_acquire() {
            Ok(place) => place,
            Err(_taken) => {
                self.book.enter(index, LayerPhase::Waiting);
                places.acquire().await.map_err(|_| hung_up())?
            }
        };
        self.book.enter(index, LayerPhase::Downloading);
        let bringing = Bringing {
            images: self.transfers.agent.images(),
            download: self.repository.download(&layer.digest, layer.size),
            receipt,
            index,
            book: self.book,
        };
        layer::bring(bringing).await?;
        self.book.enter(index, LayerPhase::Pulled);
        Ok(())
    }

    /// The guest runs Linux alone. An image that is for another platform than was asked for comes nevertheless, with a word,
    /// as with dockerd.
    fn warning(&self, theirs: &Platform) -> Result<String, Status> {
        if theirs.os != "linux" {
            let os = &theirs.os;
            let why = "cannot be used on this platform: operating system is not supported";
            return Err(Status::unknown(format!("image operating system {os:?} {why}")));
        }
        Ok(match &self.wanted.platform {
            Some(wanted) if !wanted.runs(theirs) => format!(
                "image with reference {} was found but its platform ({theirs}) does not match the specified platform ({wanted})",
                self.name.familiar()
            ),
            _ => String::new(),
        })
    }

    /// What a registry refused, in the words of a pull.
    fn said<T>(&self, answer: Result<T, RegistryError>) -> Result<T, Status> {
        answer.map_err(|failed| error::registry(&failed.of_pull(self.name)))
    }
}

/// For what an image is, as its configuration says.
fn platform_of(config: &[u8]) -> Result<Platform, Status> {
    let config: serde_json::Value = serde_json::from_slice(config)
        .map_err(|error| Status::invalid_argument(format!("the configuration of the image cannot be read: {error}")))?;
    let text = |key: &str| config[key].as_str().unwrap_or_default().to_owned();
    // The first images said nothing of a system.
    let os = if text("os").is_empty() { "linux".to_owned() } else { text("os") };
    Ok(Platform { architecture: text("architecture"), os, variant: text("variant") })
}

/// The agent ended a stream without a word.
pub(super) fn hung_up() -> Status {
    Status::unavailable("the agent hung up while the image was on its way")
}
