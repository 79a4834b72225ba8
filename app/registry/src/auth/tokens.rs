//! What a token server gives, and for how long. The protocol is that of distribution's "token authentication" pages.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use http::header::{AUTHORIZATION, CONTENT_TYPE};
use reqwest::{Client, Response, Url};
use serde::Deserialize;

use super::{Credentials, challenge::Challenge};
use crate::{error::RegistryError, repository::refusal, transport};

/// What a token lasts when its server does not say; distribution's number.
const SHORTEST: Duration = Duration::from_secs(60);
/// What is taken off, so that none ends on its way.
const MARGIN: Duration = Duration::from_secs(10);
/// No token comes near this.
const LARGEST: usize = 1 << 20;
/// What dockerd calls itself; token servers know it.
const CLIENT_ID: &str = "docker";

/// The tokens that still hold.
#[derive(Debug, Default)]
pub(crate) struct Tokens(Mutex<HashMap<Wanted, (String, Instant)>>);

/// Which token.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Wanted {
    realm: String,
    service: String,
    /// "repository:library/alpine:pull", one or more.
    scopes: Vec<String>,
    credentials: Credentials,
}

/// What a token server gave.
#[derive(Deserialize)]
pub(super) struct Given {
    #[serde(default)]
    token: String,
    #[serde(default)]
    access_token: String,
    /// Takes the place of the password from now on; empty if the server gives none.
    #[serde(default)]
    pub(super) refresh_token: String,
    expires_in: Option<u64>,
}

impl Given {
    /// The token; servers have two names for it.
    pub(super) fn access(&self) -> &str {
        if self.token.is_empty() { &self.access_token } else { &self.token }
    }
}

impl Wanted {
    pub(crate) fn of(challenge: &Challenge, scopes: &[String], credentials: &Credentials) -> Self {
        Self {
            realm: challenge.get("realm").to_owned(),
            service: challenge.get("service").to_owned(),
            scopes: scopes.to_vec(),
            credentials: credentials.clone(),
        }
    }
}

impl Tokens {
    /// A token that holds, a new one if need be.
    pub(crate) async fn get(&self, client: &Client, wanted: &Wanted) -> Result<String, RegistryError> {
        if let Some(token) = self.kept(wanted) {
            return Ok(token);
        }
        let given = fetch(client, wanted, false).await?;
        let holds = given.expires_in.map_or(SHORTEST, Duration::from_secs).max(SHORTEST) - MARGIN;
        let token = given.access().to_owned();
        if token.is_empty() {
            return Err(RegistryError::Malformed(
                "authorization server did not include a token in the response".into(),
            ));
        }
        self.all().insert(wanted.clone(), (token.clone(), Instant::now() + holds));
        Ok(token)
    }

    /// Forgets a token that was refused.
    pub(crate) fn forget(&self, wanted: &Wanted) {
        self.all().remove(wanted);
    }

    fn kept(&self, wanted: &Wanted) -> Option<String> {
        let mut tokens = self.all();
        let now = Instant::now();
        tokens.retain(|_, (_, until)| *until > now);
        tokens.get(wanted).map(|(token, _)| token.clone())
    }

    fn all(&self) -> std::sync::MutexGuard<'_, HashMap<Wanted, (String, Instant)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Asks for a token; with `offline` also for one that takes the place of the password.
pub(super) async fn fetch(client: &Client, wanted: &Wanted, offline: bool) -> Result<Given, RegistryError> {
    let Wanted { credentials, .. } = wanted;
    let request = if credentials.identity_token.is_empty() {
        let mut request = client.get(address(wanted, offline)?);
        if let Some(basic) = credentials.basic() {
            request = request.header(AUTHORIZATION, basic);
        }
        request
    } else {
        client.post(wanted.realm.as_str()).header(CONTENT_TYPE, "application/x-www-form-urlencoded").body(form(wanted))
    };
    let answer = transport::send(request).await?;
    let text = body(answer).await?;
    serde_json::from_slice(&text)
        .map_err(|error| RegistryError::Malformed(format!("unable to decode token response: {error}")))
}

async fn body(answer: Response) -> Result<Vec<u8>, RegistryError> {
    if !answer.status().is_success() {
        return Err(RegistryError::Refused(refusal(answer).await));
    }
    transport::whole(answer, "Get", "a token", LARGEST).await
}

fn address(wanted: &Wanted, offline: bool) -> Result<Url, RegistryError> {
    let wrong = |error| RegistryError::Malformed(format!("the registry names {:?} for tokens: {error}", wanted.realm));
    let mut url = Url::parse(&wanted.realm).map_err(wrong)?;
    {
        let mut query = url.query_pairs_mut();
        if !wanted.credentials.username.is_empty() {
            query.append_pair("account", &wanted.credentials.username);
        }
        if offline {
            query.append_pair("offline_token", "true").append_pair("client_id", CLIENT_ID);
        }
        for scope in &wanted.scopes {
            query.append_pair("scope", scope);
        }
        query.append_pair("service", &wanted.service);
    }
    Ok(url)
}

/// RFC 6749, section 6.
fn form(wanted: &Wanted) -> String {
    let mut url = Url::parse("form:").ok();
    if let Some(url) = &mut url {
        url.query_pairs_mut()
            .append_pair("grant_type", "refresh_token")
            .append_pair("service", &wanted.service)
            .append_pair("client_id", CLIENT_ID)
            .append_pair("scope", &wanted.scopes.join(" "))
            .append_pair("refresh_token", &wanted.credentials.identity_token);
    }
    url.as_ref().and_then(Url::query).unwrap_or_default().to_owned()
}
