//! What a handler gets: the request taken apart, and clients of the engine.

use std::sync::Arc;

use bytes::Bytes;
use cove_proto::v1;
use http::{HeaderMap, header};
use http_body_util::{BodyExt as _, Limited};
use hyper::body::Incoming;
use serde_json::Value;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;

use crate::api::Shared;
use crate::dialled::Dialled;
use crate::error::Error;
use crate::query::Query;
use crate::version::ApiVersion;

/// The largest JSON body: dockerd has no limit, and no real one comes near this.
const JSON_LIMIT: usize = 16 * 1024 * 1024;

/// Lists of many containers or images pass gRPC's default of 4 MiB.
const MESSAGE_LIMIT: usize = 64 * 1024 * 1024;

/// Pieces of an upload that may wait for the engine.
const UPLOAD_QUEUE: usize = 4;

/// What an upload is cut into: two messages of a vsock frame would not go faster.
const UPLOAD_PIECE: usize = 32 * 1024;

/// One request.
pub(crate) struct Call {
    /// Engine and facts.
    pub(crate) shared: Arc<Shared>,
    /// The API version that the client speaks.
    pub(crate) version: ApiVersion,
    /// The parts of the path that the pattern names, in its order.
    pub(crate) params: Vec<String>,
    /// The query.
    pub(crate) query: Query,
    /// The headers.
    pub(crate) headers: HeaderMap,
    /// The body, not read yet.
    pub(crate) body: Incoming,
}

impl Call {
    /// The first part of the path that the pattern names: the container, exec, image or volume.
    pub(crate) fn name(&self) -> String {
        self.params.first().cloned().unwrap_or_default()
    }

    fn engine(&self) -> Dialled {
        Dialled(self.shared.engine.clone())
    }

    /// `cove.v1.Containers`.
    pub(crate) fn containers(&self) -> v1::containers_client::ContainersClient<Dialled> {
        v1::containers_client::ContainersClient::new(self.engine()).max_decoding_message_size(MESSAGE_LIMIT)
    }

    /// `cove.v1.Execs`.
    pub(crate) fn execs(&self) -> v1::execs_client::ExecsClient<Dialled> {
        v1::execs_client::ExecsClient::new(self.engine())
    }

    /// `cove.v1.Events`.
    pub(crate) fn events(&self) -> v1::events_client::EventsClient<Dialled> {
        v1::events_client::EventsClient::new(self.engine())
    }

    /// `cove.v1.Files`.
    pub(crate) fn files(&self) -> v1::files_client::FilesClient<Dialled> {
        v1::files_client::FilesClient::new(self.engine()).max_decoding_message_size(MESSAGE_LIMIT)
    }

    /// `cove.v1.Images`.
    pub(crate) fn images(&self) -> v1::images_client::ImagesClient<Dialled> {
        v1::images_client::ImagesClient::new(self.engine()).max_decoding_message_size(MESSAGE_LIMIT)
    }

    /// `cove.v1.Volumes`.
    pub(crate) fn volumes(&self) -> v1::volumes_client::VolumesClient<Dialled> {
        v1::volumes_client::VolumesClient::new(self.engine()).max_decoding_message_size(MESSAGE_LIMIT)
    }

    /// `cove.v1.Networks`.
    pub(crate) fn networks(&self) -> v1::networks_client::NetworksClient<Dialled> {
        v1::networks_client::NetworksClient::new(self.engine()).max_decoding_message_size(MESSAGE_LIMIT)
    }

    /// `cove.v1.Machine`.
    pub(crate) fn machine(&self) -> v1::machine_client::MachineClient<Dialled> {
        v1::machine_client::MachineClient::new(self.engine())
    }

    /// `cove.v1.Registry`.
    pub(crate) fn registry(&self) -> v1::registry_client::RegistryClient<Dialled> {
        v1::registry_client::RegistryClient::new(self.engine())
    }

    /// `cove.v1.Shares`.
    pub(crate) fn shares(&self) -> v1::shares_client::SharesClient<Dialled> {
        v1::shares_client::SharesClient::new(self.engine())
    }

    /// `cove.v1.Guest`.
    pub(crate) fn guest(&self) -> v1::guest_client::GuestClient<Dialled> {
        v1::guest_client::GuestClient::new(self.engine())
    }

    /// Whether the client asked to upgrade the connection.
    pub(crate) fn wants_upgrade(&self) -> bool {
        self.headers.contains_key(header::UPGRADE)
    }

    /// The body as JSON; null when there is none.
    pub(crate) async fn json_if_any(&mut self) -> Result<Value, Error> {
        if hyper::body::Body::is_end_stream(&self.body) { Ok(Value::Null) } else { self.json().await }
    }

    /// The body as JSON; checks the content type as dockerd does.
    pub(crate) async fn json(&mut self) -> Result<Value, Error> {
        self.require_json()?;
        let body = self.bytes().await?;
        if body.iter().all(u8::is_ascii_whitespace) {
            return Err(Error::BadRequest("invalid JSON: got EOF while reading request body".to_owned()));
        }
        let mut values = serde_json::Deserializer::from_slice(&body).into_iter::<Value>();
        let value = values.next().unwrap_or(Ok(Value::Null)).map_err(invalid_json)?;
        match values.next() {
            None => Ok(value),
            Some(_) => Err(Error::BadRequest("unexpected content after JSON".to_owned())),
        }
    }

    /// The whole body.
    pub(crate) async fn bytes(&mut self) -> Result<Bytes, Error> {
        let body = Limited::new(&mut self.body, JSON_LIMIT).collect().await;
        body.map(http_body_util::Collected::to_bytes)
            .map_err(|error| Error::BadRequest(format!("reading the request body: {error}")))
    }

    fn require_json(&self) -> Result<(), Error> {
        let header = self.headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or("");
        let media_type = header.split(';').next().unwrap_or("").trim();
        if media_type.eq_ignore_ascii_case("application/json") {
            return Ok(());
        }
        Err(Error::BadRequest(format!("unsupported Content-Type header ({header}): must be 'application/json'")))
    }

    /// The body in pieces, read on a task of its own.
    ///
    /// An engine that refuses an archive stops taking it, and the client would then see a broken pipe instead of the
    /// answer; so the task reads to the end of the body whatever becomes of the pieces. A body that breaks off ends
    /// the call with an error: half an archive must not look like a whole one.
    pub(crate) fn upload(self) -> Upload {
        let (sender, pieces) = mpsc::channel(UPLOAD_QUEUE);
        let (broke, broken) = tokio::sync::oneshot::channel();
        tokio::spawn(read_to_end(self.body, sender, broke));
        Upload { pieces: ReceiverStream::new(pieces), broken }
    }
}

/// A body on its way to the engine.
pub(crate) struct Upload {
    /// The pieces.
    pub(crate) pieces: ReceiverStream<Vec<u8>>,
    /// Says that the body broke off; dropped at its end. The pieces do not end before.
    pub(crate) broken: tokio::sync::oneshot::Receiver<hyper::Error>,
}

impl Upload {
    /// Runs a call that takes the pieces; fails as soon as the body breaks off.
    pub(crate) async fn during<T>(
        broken: tokio::sync::oneshot::Receiver<hyper::Error>,
        call: impl Future<Output = Result<T, tonic::Status>>,
    ) -> Result<T, Error> {
        let broke = async {
            match broken.await {
                Ok(error) => error,
                Err(_whole) => std::future::pending().await,
            }
        };
        tokio::select! {
            biased;
            error = broke => Err(Error::Body(error)),
            done = call => Ok(done?),
        }
    }
}

async fn read_to_end(
    mut body: Incoming,
    sender: mpsc::Sender<Vec<u8>>,
    broke: tokio::sync::oneshot::Sender<hyper::Error>,
) {
    let mut sender = Some(sender);
    while let Some(frame) = body.frame().await {
        match frame {
            Ok(frame) => {
                let Ok(data) = frame.into_data() else { continue };
                for piece in data.chunks(UPLOAD_PIECE) {
                    let Some(taker) = &sender else { break };
                    if taker.send(piece.to_vec()).await.is_err() {
                        sender = None;
                    }
                }
            }
            Err(error) => {
                // The call is dropped first, by who waits for it or with the connection; only then do the pieces end.
                let _heard = broke.send(error);
                if let Some(taker) = &sender {
                    taker.closed().await;
                }
                return;
            }
        }
    }
}

/// serde's complaint in dockerd's frame.
pub(crate) fn invalid_json(error: serde_json::Error) -> Error {
    Error::BadRequest(format!("invalid JSON: {error}"))
}
