//! Docker Hub's search, which other registries had once too.

use cove_names::HUB;
use reqwest::Url;
use serde::Deserialize;

use crate::{
    auth::Credentials,
    endpoints,
    error::{ErrorKind, RegistryError},
    registries::Registries,
    settings::RegistrySettings,
    transport,
};

/// Where Docker Hub is searched.
const HUB_INDEX: &str = "index.docker.io";
/// A hundred descriptions.
const LARGEST: usize = 4 << 20;

/// What was found.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct FoundImage {
    /// "library/alpine", or "alpine".
    pub name: String,
    /// What its author says.
    #[serde(default)]
    pub description: String,
    /// How many like it.
    #[serde(default)]
    pub star_count: u32,
    /// Whether Docker vouches for it.
    #[serde(default)]
    pub is_official: bool,
    /// Whether it was built there.
    #[serde(default)]
    pub is_automated: bool,
}

#[derive(Deserialize)]
struct Answer {
    #[serde(default)]
    results: Vec<FoundImage>,
}

impl Registries {
    /// Searches for a term, "alpine" or "host:5000/alpine".
    ///
    /// # Errors
    /// The registry has no search, or cannot be asked.
    pub async fn search(
        &self,
        term: &str,
        limit: u32,
        credentials: &Credentials,
        settings: &RegistrySettings,
    ) -> Result<Vec<FoundImage>, RegistryError> {
        let (domain, term) = split(term);
        let mut last = RegistryError::Malformed("no place to ask".to_owned());
        for mut place in endpoints::to_push(domain, settings) {
            if domain == HUB {
                (place.host, place.base) = (HUB_INDEX.to_owned(), format!("https://{HUB_INDEX}"));
            }
            let mut address = Url::parse(&format!("{}/v1/search", place.base))
                .map_err(|error| RegistryError::Malformed(error.to_string()))?;
            address.query_pairs_mut().append_pair("q", term).append_pair("n", &limit.to_string());
            let mut request = self.client(&place, settings)?.usual.get(address).header("X-Docker-Token", "true");
            if let Some(basic) = credentials.basic() {
                request = request.header(http::header::AUTHORIZATION, basic);
            }
            match transport::send(request).await {
                Ok(answer) if answer.status() == http::StatusCode::OK => {
                    let text = transport::whole(answer, "Get", "what a search found", LARGEST).await?;
                    let answer: Answer =
                        serde_json::from_slice(&text).map_err(|error| RegistryError::Malformed(error.to_string()))?;
                    return Ok(answer.results);
                }
                Ok(answer) => return Err(RegistryError::SearchStatus(answer.status().as_u16())),
                // An insecure registry may speak no TLS.
                Err(error) if error.kind() == ErrorKind::Unreachable => last = error,
                Err(error) => return Err(error),
            }
        }
        Err(last)
    }
}

/// Registry and term; a first part that is no host belongs to the term, as in moby's `splitReposSearchTerm`.
fn split(term: &str) -> (&str, &str) {
    match term.split_once('/') {
        Some((host, rest)) if host.contains(['.', ':']) || host == "localhost" => {
            (if host == HUB || host == HUB_INDEX { HUB } else { host }, rest)
        }
        _ => (HUB, term.strip_prefix("library/").unwrap_or(term)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_before_the_term_is_who_is_asked() {
        assert_eq!(split("alpine"), ("docker.io", "alpine"));
        assert_eq!(split("library/alpine"), ("docker.io", "alpine"));
        assert_eq!(split("some/alpine"), ("docker.io", "some/alpine"));
        assert_eq!(split("docker.io/alpine"), ("docker.io", "alpine"));
        assert_eq!(split("host:5000/a/b"), ("host:5000", "a/b"));
    }
}
