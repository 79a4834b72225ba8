//! A registry in this process.

use std::{
    collections::{HashMap, VecDeque},
    io,
    net::SocketAddr,
    sync::{Arc, Mutex},
};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use bytes::Bytes;
use cove_registry::{Digest, Reference};
use futures::{StreamExt as _, stream};
use http::{Method, Request, Response, StatusCode, header};
use http_body_util::{BodyExt as _, StreamBody, combinators::UnsyncBoxBody};
use hyper::{
    body::{Frame, Incoming},
    server::conn::http1,
    service::service_fn,
};
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;

/// What goes wrong with the next request for a blob.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Fault {
    /// The connection breaks after so many bytes.
    CutAfter(usize),
    /// So many bytes come in good order, and no more.
    EndsAfter(usize),
    /// This status; and when to try again.
    Status(u16, Option<u64>),
    /// A head, and then nothing.
    Stall,
    /// It is over there, which is here.
    Loop,
    /// The whole blob, whatever part was asked for.
    IgnoresRange,
    /// Another blob of the same size.
    Wrong,
    /// More than there is.
    TooMuch,
}

/// What goes wrong with an upload.
#[derive(Debug, Clone, Copy)]
pub(crate) enum UploadFault {
    /// The connection breaks when so many bytes have come, and they are kept.
    CutAfter(usize),
    /// The same, and the upload is not known any more.
    ForgottenAfter(usize),
    /// The blob is taken, and the connection breaks before that is said.
    NotSaid,
    /// Something else was received than was sent.
    Garbled,
}

/// Whom it knows.
#[derive(Debug, Clone)]
pub(crate) enum Door {
    Open,
    Basic,
    Bearer,
}

#[derive(Debug)]
pub(crate) struct State {
    address: SocketAddr,
    pub(crate) door: Mutex<Door>,
    pub(crate) blobs: Mutex<HashMap<String, Vec<u8>>>,
    pub(crate) manifests: Mutex<HashMap<String, (String, Vec<u8>)>>,
    pub(crate) faults: Mutex<VecDeque<Fault>>,
    upload_faults: Mutex<VecDeque<UploadFault>>,
    /// What has come of the upload, while there is one.
    upload: Mutex<Option<Vec<u8>>>,
    /// All bytes of blobs that were sent.
    pub(crate) sent: Mutex<usize>,
    pub(crate) asked: Mutex<Vec<String>>,
    tokens: Mutex<u32>,
}

#[derive(Debug, Clone)]
pub(crate) struct Fake(pub(crate) Arc<State>);

type Body = UnsyncBoxBody<Bytes, io::Error>;

impl Fake {
    pub(crate) async fn new() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let fake = Self(Arc::new(State {
            address: listener.local_addr().unwrap(),
            door: Mutex::new(Door::Open),
            blobs: Mutex::default(),
            manifests: Mutex::default(),
            faults: Mutex::default(),
            upload_faults: Mutex::default(),
            upload: Mutex::default(),
            sent: Mutex::default(),
            asked: Mutex::default(),
            tokens: Mutex::default(),
        }));
        let serving = fake.clone();
        tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                let fake = serving.clone();
                tokio::spawn(async move {
                    let service = service_fn(move |request| fake.clone().answer(request));
                    // Broken connections are what it is for.
                    http1::Builder::new().serve_connection(TokioIo::new(stream), service).await.ok();
                });
            }
        });
        fake
    }

    pub(crate) fn host(&self) -> String {
        self.0.address.to_string()
    }

    pub(crate) fn name(&self, rest: &str) -> Reference {
        Reference::parse(&format!("{}/{rest}", self.host())).unwrap()
    }

    pub(crate) fn lock(&self, door: Door) {
        *self.0.door.lock().unwrap() = door;
    }

    pub(crate) fn blob(&self, bytes: &[u8]) -> Digest {
        let digest = Digest::of(bytes);
        self.0.blobs.lock().unwrap().insert(digest.to_string(), bytes.to_vec());
        digest
    }

    /// Puts a manifest under a tag, and under its digest.
    pub(crate) fn manifest(&self, tag: &str, kind: &str, text: &str) -> Digest {
        let digest = Digest::of(text.as_bytes());
        for name in [tag.to_owned(), digest.to_string()] {
            self.0.manifests.lock().unwrap().insert(name, (kind.to_owned(), text.as_bytes().to_vec()));
        }
        digest
    }

    pub(crate) fn fails(&self, faults: &[Fault]) {
        self.0.faults.lock().unwrap().extend(faults);
    }

    pub(crate) fn fails_uploads(&self, faults: &[UploadFault]) {
        self.0.upload_faults.lock().unwrap().extend(faults);
    }

    /// What was asked, in order, without the pings.
    pub(crate) fn asked(&self) -> Vec<String> {
        self.0.asked.lock().unwrap().clone()
    }

    pub(crate) fn tokens(&self) -> u32 {
        *self.0.tokens.lock().unwrap()
    }

    async fn answer(self, request: Request<Incoming>) -> io::Result<Response<Body>> {
        let path = request.uri().path().to_owned();
        if path == "/token" {
            return Ok(self.token(&request));
        }
        if let Some(refused) = self.refuses(&request) {
            return Ok(refused);
        }
        if path == "/v2/" {
            return Ok(plain(200, "{}"));
        }
        let range = request.headers().get(header::RANGE).map_or("", |range| range.to_str().unwrap());
        self.0.asked.lock().unwrap().push(format!("{} {path} {range}", request.method()).trim().to_owned());
        if path.contains("/blobs/uploads/") {
            return self.upload(request).await;
        }
        let Some((_, what)) = path.rsplit_once('/') else { return Ok(plain(404, "")) };
        Ok(match (request.method(), path.contains("/manifests/")) {
            (&Method::PUT, true) => {
                let kind = request.headers()[header::CONTENT_TYPE].to_str().unwrap().to_owned();
                let what = what.to_owned();
                let bytes = request.into_body().collect().await.unwrap().to_bytes();
                self.manifest(&what, &kind, std::str::from_utf8(&bytes).unwrap());
                plain(201, "")
            }
            (method, true) => self.show_manifest(what, method),
            (&Method::HEAD, false) => match self.0.blobs.lock().unwrap().get(what) {
                Some(blob) => head(blob.len()),
                None => plain(404, ""),
            },
            _ if path.ends_with("/tags/list") => self.tags(request.uri().query().unwrap_or("")),
            _ => self.show_blob(what, range),
        })
    }

    fn show_manifest(&self, name: &str, method: &Method) -> Response<Body> {
        let manifests = self.0.manifests.lock().unwrap();
        let Some((kind, bytes)) = manifests.get(name) else {
            return plain(404, r#"{"errors":[{"code":"MANIFEST_UNKNOWN","message":"manifest unknown"}]}"#);
        };
        let body = if method == Method::HEAD { Bytes::new() } else { bytes.clone().into() };
        Response::builder()
            .header(header::CONTENT_TYPE, kind)
            .header(header::CONTENT_LENGTH, bytes.len())
            .header("Docker-Content-Digest", Digest::of(bytes).to_string())
            .body(full(body))
            .unwrap()
    }

    fn tags(&self, query: &str) -> Response<Body> {
        let (tag, link) = if query.is_empty() { ("one", true) } else { ("two", false) };
        let mut answer = plain(200, &format!(r#"{{"name":"a/b","tags":["{tag}"]}}"#));
        if link {
            let next = "</v2/a/b/tags/list?last=one>; rel=\"next\"";
            answer.headers_mut().insert(header::LINK, next.parse().unwrap());
        }
        answer
    }

    fn show_blob(&self, digest: &str, range: &str) -> Response<Body> {
        let Some(blob) = self.0.blobs.lock().unwrap().get(digest).cloned() else {
            return plain(404, r#"{"errors":[{"code":"BLOB_UNKNOWN","message":"blob unknown to registry"}]}"#);
        };
        let from: usize = range.trim_start_matches("bytes=").trim_end_matches('-').parse().unwrap_or_default();
        let fault = self.0.faults.lock().unwrap().pop_front();
        match fault {
            None => part(&blob, from, blob.len() - from, None),
            Some(Fault::CutAfter(bytes)) => part(&blob, from, blob.len() - from, Some(bytes)),
            Some(Fault::EndsAfter(bytes)) => part(&blob[..from + bytes], from, bytes, None),
            Some(Fault::IgnoresRange) => part(&blob, 0, blob.len(), None),
            Some(Fault::Wrong) => part(&vec![b'?'; blob.len()], from, blob.len() - from, None),
            Some(Fault::TooMuch) => part(&[blob.clone(), blob.clone()].concat(), from, 2 * blob.len() - from, None),
            Some(Fault::Stall) => Response::new(StreamBody::new(stream::pending()).boxed_unsync()),
            Some(Fault::Loop) => {
                self.0.faults.lock().unwrap().push_front(Fault::Loop);
                let here = format!("/v2/a/b/blobs/{digest}");
                Response::builder().status(307).header(header::LOCATION, here).body(full(Bytes::new())).unwrap()
            }
            Some(Fault::Status(status, retry)) => {
                let mut answer = plain(status, "");
                if let Some(seconds) = retry {
                    answer.headers_mut().insert(header::RETRY_AFTER, seconds.into());
                }
                answer
            }
        }
    }

    async fn upload(&self, request: Request<Incoming>) -> io::Result<Response<Body>> {
        let query = request.uri().query().unwrap_or("").to_owned();
        let value = |name: &str| {
            let found = query.split('&').find_map(|pair| pair.strip_prefix(&format!("{name}=")));
            found.unwrap_or("").replace("%3A", ":")
        };
        Ok(match *request.method() {
            Method::POST if self.0.blobs.lock().unwrap().contains_key(&value("mount")) => plain(201, ""),
            Method::POST => {
                *self.0.upload.lock().unwrap() = Some(Vec::new());
                self.upload_is(202)
            }
            Method::GET => self.upload_is(204),
            Method::PATCH => {
                self.take(request.into_body()).await?;
                self.upload_is(202)
            }
            _ => return self.finish(&value("digest")),
        })
    }

    /// Where the upload is, and how much of it.
    fn upload_is(&self, status: u16) -> Response<Body> {
        let Some(bytes) = self.0.upload.lock().unwrap().as_ref().map(Vec::len) else {
            return plain(404, r#"{"errors":[{"code":"BLOB_UPLOAD_UNKNOWN","message":"blob upload unknown"}]}"#);
        };
        Response::builder()
            .status(status)
            .header(header::LOCATION, format!("/v2/a/b/blobs/uploads/1?state={bytes}"))
            .header(header::RANGE, format!("0-{}", bytes.saturating_sub(1)))
            .body(full(Bytes::new()))
            .unwrap()
    }

    /// Takes what comes of an upload.
    async fn take(&self, mut body: Incoming) -> io::Result<()> {
        let cut = |queue: &VecDeque<UploadFault>| match queue.front() {
            Some(UploadFault::CutAfter(bytes) | UploadFault::ForgottenAfter(bytes)) => Some(*bytes),
            _ => None,
        };
        let mut left = cut(&self.0.upload_faults.lock().unwrap()).unwrap_or(usize::MAX);
        while let Some(frame) = body.frame().await {
            let data = frame.map_err(io::Error::other)?.into_data().unwrap_or_default();
            let data = &data[..data.len().min(left)];
            left -= data.len();
            *self.0.sent.lock().unwrap() += data.len();
            if let Some(upload) = &mut *self.0.upload.lock().unwrap() {
                upload.extend_from_slice(data);
            }
            if left == 0 {
                if let Some(UploadFault::ForgottenAfter(_)) = self.0.upload_faults.lock().unwrap().pop_front() {
                    *self.0.upload.lock().unwrap() = None;
                }
                return Err(io::Error::other("cut"));
            }
        }
        Ok(())
    }

    fn finish(&self, digest: &str) -> io::Result<Response<Body>> {
        let fault = self.0.upload_faults.lock().unwrap().pop_front();
        let mut bytes = self.0.upload.lock().unwrap().take().unwrap_or_default();
        if let Some(UploadFault::Garbled) = fault {
            bytes.reverse();
        }
        if Digest::of(&bytes).to_string() != digest {
            let said = r#"{"errors":[{"code":"DIGEST_INVALID","message":"provided digest did not match"}]}"#;
            return Ok(plain(400, said));
        }
        self.blob(&bytes);
        match fault {
            Some(UploadFault::NotSaid) => Err(io::Error::other("cut")),
            _ => Ok(plain(201, "")),
        }
    }

    fn token(&self, request: &Request<Incoming>) -> Response<Body> {
        let given = request.headers().get(header::AUTHORIZATION).map(|value| value.to_str().unwrap().to_owned());
        let query = request.uri().query().unwrap_or("").to_owned();
        self.0
            .asked
            .lock()
            .unwrap()
            .push(format!("token {}", query.replace("%3A", ":").replace("%2F", "/").replace("%2C", ",")));
        let known = format!("Basic {}", STANDARD.encode("me:secret"));
        match given {
            Some(other) if other != known => plain(401, r#"{"details":"incorrect username or password"}"#),
            given => {
                *self.0.tokens.lock().unwrap() += 1;
                let token = if given.is_some() { "mine" } else { "anonymous" };
                plain(200, &format!(r#"{{"token":"{token}","expires_in":300,"refresh_token":"again"}}"#))
            }
        }
    }

    fn refuses(&self, request: &Request<Incoming>) -> Option<Response<Body>> {
        let given = request.headers().get(header::AUTHORIZATION).map_or("", |value| value.to_str().unwrap());
        let (demand, error) = match &*self.0.door.lock().unwrap() {
            Door::Open => return None,
            Door::Basic if given == format!("Basic {}", STANDARD.encode("me:secret")) => return None,
            Door::Basic => ("Basic realm=\"test\"".to_owned(), ""),
            Door::Bearer if given == "Bearer mine" => return None,
            Door::Bearer => {
                let error = if given == "Bearer anonymous" { ",error=\"insufficient_scope\"" } else { "" };
                (format!("Bearer realm=\"http://{}/token\",service=\"test\"{error}", self.0.address), error)
            }
        };
        let text = if error.is_empty() {
            r#"{"errors":[{"code":"UNAUTHORIZED","message":"authentication required"}]}"#
        } else {
            ""
        };
        let mut answer = plain(401, text);
        answer.headers_mut().insert(header::WWW_AUTHENTICATE, demand.parse().unwrap());
        Some(answer)
    }
}

/// A part of a blob, which may break off.
fn part(blob: &[u8], from: usize, promised: usize, cut: Option<usize>) -> Response<Body> {
    let bytes = Bytes::copy_from_slice(&blob[from..from + cut.unwrap_or(promised).min(promised)]);
    let broken = cut.map(|_| Err(io::Error::other("cut")));
    // What was sent goes out before the connection breaks.
    let pause = stream::once(tokio::time::sleep(std::time::Duration::from_millis(20))).filter_map(|()| async { None });
    let pieces = stream::iter([Ok(Frame::data(bytes))]).chain(pause).chain(stream::iter(broken));
    let mut answer = Response::builder().header(header::CONTENT_LENGTH, promised);
    if from > 0 {
        let range = format!("bytes {from}-{}/{}", from + promised - 1, blob.len());
        answer = answer.status(StatusCode::PARTIAL_CONTENT).header(header::CONTENT_RANGE, range);
    }
    answer.body(StreamBody::new(pieces).boxed_unsync()).unwrap()
}

fn head(length: usize) -> Response<Body> {
    Response::builder().header(header::CONTENT_LENGTH, length).body(full(Bytes::new())).unwrap()
}

fn plain(status: u16, text: &str) -> Response<Body> {
    Response::builder().status(status).body(full(text.to_owned().into())).unwrap()
}

fn full(bytes: Bytes) -> Body {
    http_body_util::Full::new(bytes).map_err(|never| match never {}).boxed_unsync()
}
