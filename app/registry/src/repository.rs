//! One repository at one place. Every request to a registry goes through here: it is authorised as the registry has
//! demanded, and once more if it demands something else meanwhile.

use std::sync::{Arc, Mutex, PoisonError};

use cove_names::Reference;
use http::{HeaderValue, StatusCode, header::AUTHORIZATION, header::RETRY_AFTER};
use reqwest::{Client, RequestBuilder, Response};
use serde::Deserialize;

use crate::{
    auth::{
        self, Credentials,
        challenge::{self, Challenge},
        tokens::{Tokens, Wanted},
    },
    endpoints::Endpoint,
    error::{Refusal, RegistryError},
    registries::Patience,
    transport::{self, Http},
};

/// No registry's words of refusal are longer.
const LONGEST_REFUSAL: usize = 64 * 1024;

/// What is to be done with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// Read it.
    Pull,
    /// Write to it, and read what is there already.
    Push,
}

/// A repository. A clone is cheap.
#[derive(Debug, Clone)]
pub struct Repository {
    client: Http,
    place: Endpoint,
    name: Reference,
    scope: String,
    credentials: Credentials,
    challenges: Arc<Mutex<Vec<Challenge>>>,
    tokens: Arc<Tokens>,
    patience: Patience,
}

impl Repository {
    pub(crate) fn new(
        client: Http,
        place: Endpoint,
        name: &Reference,
        access: Access,
        credentials: Credentials,
        challenges: Vec<Challenge>,
        tokens: Arc<Tokens>,
    ) -> Self {
        let actions = match access {
            Access::Pull => "pull",
            Access::Push => "pull,push",
        };
        Self {
            client,
            place,
            scope: format!("repository:{}:{actions}", name.path()),
            name: name.clone(),
            credentials,
            challenges: Arc::new(Mutex::new(challenges)),
            tokens,
            patience: Patience::default(),
        }
    }

    pub(crate) fn patient(mut self, patience: Patience) -> Self {
        self.patience = patience;
        self
    }

    /// How much is borne.
    #[must_use]
    pub fn patience(&self) -> Patience {
        self.patience
    }

    /// The name that it was asked for by.
    #[must_use]
    pub fn name(&self) -> &Reference {
        &self.name
    }

    /// Where it is.
    #[must_use]
    pub fn place(&self) -> &Endpoint {
        &self.place
    }

    /// The address of something in it: "manifests/latest".
    pub(crate) fn address(&self, rest: &str) -> String {
        format!("{}/v2/{}/{rest}", self.place.base, self.name.path())
    }

    /// Sends a request that can be made again.
    pub(crate) async fn ask(&self, make: impl Fn(&Client) -> RequestBuilder) -> Result<Response, RegistryError> {
        self.ask_beyond(&[], make).await
    }

    /// The same with rights beyond this repository: "repository:other:pull".
    pub(crate) async fn ask_beyond(
        &self,
        scopes: &[String],
        make: impl Fn(&Client) -> RequestBuilder,
    ) -> Result<Response, RegistryError> {
        let answer = transport::send(self.authorised(make(&self.client.usual), scopes).await?).await?;
        if answer.status() != StatusCode::UNAUTHORIZED {
            return Ok(answer);
        }
        // A token that has ended meanwhile, or a registry that demands another one than at first.
        let demanded = challenge::read(answer.headers());
        if demanded.is_empty() || !self.can_meet(&demanded) {
            return Ok(answer);
        }
        for challenge in self.demands() {
            self.tokens.forget(&self.wanted(&challenge, scopes));
        }
        *self.challenges.lock().unwrap_or_else(PoisonError::into_inner) = demanded;
        transport::send(self.authorised(make(&self.client.usual), scopes).await?).await
    }

    /// Sends a request whose body comes once.
    pub(crate) async fn ask_once(&self, request: RequestBuilder) -> Result<Response, RegistryError> {
        transport::send(self.authorised(request, &[]).await?).await
    }

    /// For requests whose body is long.
    pub(crate) fn sending(&self) -> &Client {
        &self.client.sending
    }

    async fn authorised(&self, request: RequestBuilder, scopes: &[String]) -> Result<RequestBuilder, RegistryError> {
        let (client, built) = request.build_split();
        let mut built = built.map_err(|error| transport::broke("Get", &self.place.base, &error))?;
        // What a registry has named may lie elsewhere, and our secrets are not for there.
        let at_home = self.place.base.contains(&authority(built.url()));
        if at_home && let Some(value) = self.authorization(transport::word(built.method()), built.url(), scopes).await?
        {
            built.headers_mut().insert(AUTHORIZATION, value);
        }
        Ok(RequestBuilder::from_parts(client, built))
    }

    async fn authorization(
        &self,
        method: &'static str,
        url: &reqwest::Url,
        scopes: &[String],
    ) -> Result<Option<HeaderValue>, RegistryError> {
        if !self.credentials.registry_token.is_empty() {
            return Ok(auth::bearer(&self.credentials.registry_token));
        }
        let demands = self.demands();
        if let Some(challenge) = demands.iter().find(|challenge| challenge.scheme == "bearer") {
            let wanted = self.wanted(challenge, scopes);
            return Ok(auth::bearer(&self.tokens.get(&self.client.usual, &wanted).await?));
        }
        if demands.iter().any(|challenge| challenge.scheme == "basic") {
            let basic = self.credentials.basic();
            return basic.map(Some).ok_or_else(|| RegistryError::NoCredentials { method, url: url.to_string() });
        }
        Ok(None)
    }

    fn wanted(&self, challenge: &Challenge, scopes: &[String]) -> Wanted {
        let mut all = vec![self.scope.clone()];
        all.extend_from_slice(scopes);
        Wanted::of(challenge, &all, &self.credentials)
    }

    fn can_meet(&self, demanded: &[Challenge]) -> bool {
        let has = |scheme: &str| demanded.iter().any(|challenge| challenge.scheme == scheme);
        // The same password again would be refused again.
        let new = self.demands() != demanded;
        has("bearer") || (has("basic") && new)
    }

    fn demands(&self) -> Vec<Challenge> {
        self.challenges.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// "host:5000" of an address, as it is written there.
fn authority(url: &reqwest::Url) -> String {
    let host = url.host_str().unwrap_or_default();
    format!("{}://{host}{}", url.scheme(), url.port().map_or_else(String::new, |port| format!(":{port}")))
}

/// Asks whether anybody is there, and what they demand.
pub(crate) async fn ping(client: &Client, base: &str) -> Result<Vec<Challenge>, RegistryError> {
    let answer = transport::send(client.get(format!("{base}/v2/"))).await?;
    match answer.status() {
        StatusCode::TOO_MANY_REQUESTS => Err(RegistryError::Refused(refusal(answer).await)),
        status if status.is_server_error() => Err(RegistryError::Refused(refusal(answer).await)),
        _ => Ok(challenge::read(answer.headers())),
    }
}

/// Takes an answer of success, or what the registry said instead.
pub(crate) async fn accepted(answer: Response) -> Result<Response, RegistryError> {
    if answer.status().is_success() { Ok(answer) } else { Err(RegistryError::Refused(refusal(answer).await)) }
}

#[derive(Deserialize)]
struct Errors {
    #[serde(default)]
    errors: Vec<Entry>,
    #[serde(default)]
    details: String,
}

#[derive(Deserialize)]
struct Entry {
    #[serde(default)]
    code: String,
    #[serde(default)]
    message: String,
}

/// What an answer says in refusal: distribution's `HandleHTTPResponseError`.
pub(crate) async fn refusal(answer: Response) -> Refusal {
    let status = answer.status();
    let seconds = answer.headers().get(RETRY_AFTER).and_then(|value| value.to_str().ok()?.trim().parse().ok());
    let retry_after = seconds.map(std::time::Duration::from_secs);
    let of = |code: &str, message: &str| Refusal {
        status: status.as_u16(),
        code: code.to_owned(),
        message: message.to_owned(),
        retry_after,
    };
    if status.is_server_error() {
        return of("", &format!("received unexpected HTTP status: {status}"));
    }
    let bearer = challenge::read(answer.headers()).into_iter().find(|challenge| challenge.scheme == "bearer");
    if let Some(challenge) = bearer {
        let described = |otherwise: &str| match challenge.get("error_description") {
            "" => otherwise.to_owned(),
            description => description.to_owned(),
        };
        match challenge.get("error") {
            "invalid_token" => return of("UNAUTHORIZED", &described("authentication required")),
            "insufficient_scope" => return of("DENIED", &described("requested access to the resource is denied")),
            _ => {}
        }
    }
    // What cannot be read of it says nothing.
    let text = transport::whole(answer, "Get", "a refusal", LONGEST_REFUSAL).await.unwrap_or_default();
    let said = serde_json::from_slice::<Errors>(&text).ok();
    if let Some(entry) = said.as_ref().and_then(|said| said.errors.first()) {
        let code = if entry.code.is_empty() { "UNKNOWN" } else { entry.code.as_str() };
        return of(code, if entry.message.is_empty() { meaning(code) } else { &entry.message });
    }
    let details = said.map(|said| said.details).unwrap_or_default();
    match status {
        StatusCode::UNAUTHORIZED if details.is_empty() => of("UNAUTHORIZED", "authentication required"),
        StatusCode::UNAUTHORIZED => of("UNAUTHORIZED", &details),
        StatusCode::FORBIDDEN => of("DENIED", "requested access to the resource is denied"),
        StatusCode::TOO_MANY_REQUESTS => {
            of("TOOMANYREQUESTS", if details.is_empty() { "too many requests" } else { &details })
        }
        _ => of("", &format!("unexpected status code {status}")),
    }
}

/// What a code means, for a registry that says it alone.
fn meaning(code: &str) -> &'static str {
    match code {
        "UNAUTHORIZED" => "authentication required",
        "DENIED" => "requested access to the resource is denied",
        "MANIFEST_UNKNOWN" => "manifest unknown",
        "NAME_UNKNOWN" => "repository name not known to registry",
        "BLOB_UNKNOWN" => "blob unknown to registry",
        "TOOMANYREQUESTS" => "too many requests",
        _ => "unknown error",
    }
}
