//! HTTP to a host: TLS, proxies, timeouts, and what went wrong in Go's words.
//!
//! HTTP/1.1, as dockerd speaks it: each layer has a connection of its own, and none waits for another's window.
//!
//! * [`proxies`] — by which way. `tls` — whom to trust. `certificates` — what lies in docker's `certs.d`. `words` — Go's words for what failed.

mod certificates;
pub(crate) mod proxies;
#[cfg(test)]
mod tests;
mod tls;
mod words;

use std::{
    collections::HashMap,
    path::PathBuf,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use reqwest::{Client, ClientBuilder, RequestBuilder, Response, redirect};

use self::{certificates::Certificates, proxies::Proxies};
use crate::{
    endpoints::{Endpoint, insecure},
    error::RegistryError,
};

/// moby's dialer gives up after this.
const CONNECT: Duration = Duration::from_secs(30);
/// What no proxy and no firewall may take for idle.
const KEEP_ALIVE: Duration = Duration::from_secs(30);

/// How a host is reached. A clone is cheap.
#[derive(Debug, Clone)]
pub(crate) struct Http {
    /// Gives up on a host that says nothing for long.
    pub(crate) usual: Client,
    /// Does not: while a layer is sent, the registry has nothing to say, however long that takes.
    pub(crate) sending: Client,
}

/// A host, whether it must prove itself, by what, and how it is reached.
type Way = (String, bool, Certificates, Proxies);

/// The clients, one for each host and what it is trusted by.
#[derive(Debug)]
pub(crate) struct Transport {
    /// How long a host may say nothing at all.
    stall: Duration,
    clients: Mutex<HashMap<Way, Http>>,
}

impl Transport {
    pub(crate) fn new(stall: Duration) -> Self {
        Self { stall, clients: Mutex::default() }
    }

    /// The client for an endpoint; one that was made for the same host, certificates and proxies is used again.
    pub(crate) fn client(
        &self,
        endpoint: &Endpoint,
        folders: &[PathBuf],
        proxies: &Proxies,
    ) -> Result<Http, RegistryError> {
        let certificates = Certificates::of(&endpoint.host, folders)?;
        let key = (endpoint.host.clone(), endpoint.verify, certificates, proxies.clone());
        let mut clients = self.clients.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(client) = clients.get(&key) {
            return Ok(client.clone());
        }
        let client = self.build(endpoint, &key.2, proxies)?;
        // What was made for what has changed is of no use any more.
        clients.retain(|(host, verify, ..), _| (host, *verify) != (&endpoint.host, endpoint.verify));
        clients.insert(key, client.clone());
        Ok(client)
    }

    fn build(
        &self,
        endpoint: &Endpoint,
        certificates: &Certificates,
        proxies: &Proxies,
    ) -> Result<Http, RegistryError> {
        let tls = tls::config(endpoint.verify, certificates)?;
        let usual = one(endpoint, tls.clone(), proxies, |builder| builder.read_timeout(self.stall))?;
        Ok(Http { usual, sending: one(endpoint, tls, proxies, |builder| builder)? })
    }
}

fn one(
    endpoint: &Endpoint,
    tls: rustls::ClientConfig,
    proxies: &Proxies,
    finish: impl FnOnce(ClientBuilder) -> ClientBuilder,
) -> Result<Client, RegistryError> {
    let mut builder = Client::builder()
        .user_agent(concat!("cove/", env!("CARGO_PKG_VERSION")))
        .connect_timeout(CONNECT)
        .tcp_keepalive(KEEP_ALIVE)
        .redirect(redirect::Policy::limited(10))
        .tls_backend_preconfigured(tls);
    if insecure::is_loopback(insecure::host(&endpoint.host)) {
        // Go asks no proxy for what is on this computer, whatever the environment says.
        builder = builder.no_proxy();
    } else {
        builder = proxies.tell(builder)?;
    }
    let failed = |error: reqwest::Error| RegistryError::Transport {
        method: "Get",
        url: endpoint.base.clone(),
        words: words::of(&error, &endpoint.base),
    };
    finish(builder).build().map_err(failed)
}

/// Sends a request and waits for the head of its answer.
pub(crate) async fn send(request: RequestBuilder) -> Result<Response, RegistryError> {
    let (client, request) = request.build_split();
    let request = request.map_err(|error| broke("Get", "", &error))?;
    let (method, url) = (word(request.method()), request.url().to_string());
    client.execute(request).await.map_err(|error| broke(method, &url, &error))
}

/// What broke, of which request.
pub(crate) fn broke(method: &'static str, url: &str, error: &reqwest::Error) -> RegistryError {
    RegistryError::Transport { method, url: url.to_owned(), words: words::of(error, url) }
}

/// A method as Go's errors write it.
pub(crate) fn word(method: &http::Method) -> &'static str {
    match *method {
        http::Method::HEAD => "Head",
        http::Method::POST => "Post",
        http::Method::PUT => "Put",
        http::Method::PATCH => "Patch",
        http::Method::DELETE => "Delete",
        _ => "Get",
    }
}

/// The whole body of an answer, up to a limit.
pub(crate) async fn whole(
    mut answer: Response,
    method: &'static str,
    what: &'static str,
    limit: usize,
) -> Result<Vec<u8>, RegistryError> {
    let url = answer.url().to_string();
    let mut body = Vec::new();
    while let Some(piece) = answer.chunk().await.map_err(|error| broke(method, &url, &error))? {
        if body.len() + piece.len() > limit {
            return Err(RegistryError::TooLarge { what, limit });
        }
        body.extend_from_slice(&piece);
    }
    Ok(body)
}
