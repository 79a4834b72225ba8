//! A client that speaks HTTP/1.1 by hand.

use std::sync::Arc;

use cove_docker_api::{Api, HostFacts};
use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream};

use crate::engine::Fake;

/// A connection to an API of its own engine.
pub(crate) struct Client {
    pub(crate) stream: DuplexStream,
    pub(crate) fake: Arc<Fake>,
    /// Says to the server that the client has closed both directions.
    pub(crate) leave: tokio::sync::oneshot::Sender<()>,
    /// Ends when the connection does.
    pub(crate) served: tokio::task::JoinHandle<()>,
}

/// A response with a body that ended.
#[derive(Debug)]
pub(crate) struct Response {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: String,
}

impl Response {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {:?}", self.body))
    }

    pub(crate) fn message(&self) -> String {
        self.json()["message"].as_str().unwrap().to_owned()
    }

    /// The value of a header.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "))
    }
}

impl Client {
    pub(crate) fn new() -> Self {
        let fake = Arc::new(Fake::default());
        let api = Api::new(Fake::engine(&fake), HostFacts { daemon_version: "0.1.0".into() });
        let (stream, server) = tokio::io::duplex(64 * 1024);
        let (leave, left) = tokio::sync::oneshot::channel();
        let gone = async {
            if left.await.is_err() {
                std::future::pending::<()>().await;
            }
        };
        let served = tokio::spawn(async move {
            // A client that hangs up is an error to the server and part of the tests.
            let _how_it_ended = api.serve_connection(server, gone).await;
        });
        Self { stream, fake, leave, served }
    }

    /// Sends octets.
    pub(crate) async fn send(&mut self, octets: impl AsRef<[u8]>) {
        self.stream.write_all(octets.as_ref()).await.unwrap();
    }

    /// Reads until what was read ends with `end`.
    pub(crate) async fn read_until(&mut self, end: &[u8]) -> Vec<u8> {
        let mut read = Vec::new();
        while !read.ends_with(end) {
            let byte = self.stream.read_u8().await.unwrap_or_else(|error| {
                panic!("{error} before {:?}: {:?}", String::from_utf8_lossy(end), String::from_utf8_lossy(&read))
            });
            read.push(byte);
        }
        read
    }

    /// Reads the head of a response.
    pub(crate) async fn read_head(&mut self) -> String {
        String::from_utf8(self.read_until(b"\r\n\r\n").await).unwrap()
    }

    /// Reads what has come.
    pub(crate) async fn read_some(&mut self) -> String {
        let mut some = vec![0; 4096];
        let length = self.stream.read(&mut some).await.unwrap();
        some.truncate(length);
        String::from_utf8(some).unwrap()
    }

    /// Reads all that comes.
    pub(crate) async fn read_to_end(&mut self) -> Vec<u8> {
        let mut rest = Vec::new();
        self.stream.read_to_end(&mut rest).await.unwrap();
        rest
    }

    /// Half-closes.
    pub(crate) async fn finish(&mut self) {
        self.stream.shutdown().await.unwrap();
    }

    /// Sends a request without a body and reads the answer.
    pub(crate) async fn call(&mut self, method: &str, path: &str) -> Response {
        self.send(format!("{method} {path} HTTP/1.1\r\nHost: d\r\nContent-Length: 0\r\n\r\n")).await;
        self.response(method).await
    }

    /// Sends JSON and reads the answer.
    pub(crate) async fn post(&mut self, path: &str, body: &str) -> Response {
        self.send(post(path, "application/json", body)).await;
        self.response("POST").await
    }

    /// Reads a response with a length or in chunks.
    pub(crate) async fn response(&mut self, method: &str) -> Response {
        let head = self.read_head().await;
        let status = head[9..12].parse().unwrap();
        let length = head.lines().find_map(|line| line.strip_prefix("Content-Length: ")?.parse().ok());
        let bodiless = method == "HEAD" || status == 204 || status == 304;
        let body = match length {
            _ if bodiless => Vec::new(),
            Some(length) => {
                let mut body = vec![0; length];
                self.stream.read_exact(&mut body).await.unwrap();
                body
            }
            None => self.chunks().await,
        };
        Response { status, head, body: String::from_utf8_lossy(&body).into_owned() }
    }

    async fn chunks(&mut self) -> Vec<u8> {
        let mut body = Vec::new();
        loop {
            let chunk = self.chunk().await;
            if chunk.is_empty() {
                return body;
            }
            body.extend(chunk);
        }
    }

    /// Reads one chunk; an empty one is the last.
    pub(crate) async fn chunk(&mut self) -> Vec<u8> {
        let line = String::from_utf8(self.read_until(b"\r\n").await).unwrap();
        let mut chunk = vec![0; usize::from_str_radix(line.trim(), 16).unwrap() + 2];
        self.stream.read_exact(&mut chunk).await.unwrap();
        chunk.truncate(chunk.len() - 2);
        chunk
    }
}

/// The octets of a request with a body.
pub(crate) fn post(path: &str, content_type: &str, body: &str) -> String {
    format!(
        "POST {path} HTTP/1.1\r\nHost: d\r\nContent-Type: {content_type}\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    )
}

/// The octets of a request that asks for an upgrade.
pub(crate) fn upgrade(path: &str, body: &str) -> String {
    format!(
        "POST {path} HTTP/1.1\r\nHost: d\r\nConnection: Upgrade\r\nUpgrade: tcp\r\nContent-Type: application/json\r\n\
         Content-Length: {}\r\n\r\n{body}",
        body.len()
    )
}
