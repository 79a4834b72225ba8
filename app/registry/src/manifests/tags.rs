//! Which tags a repository has.

use http::header::LINK;
use reqwest::Url;
use serde::Deserialize;

use crate::{
    error::RegistryError,
    repository::{Repository, accepted},
    transport,
};

/// A page of names.
const LARGEST: usize = 16 << 20;
/// A registry that has more pages goes in circles.
const MOST_PAGES: usize = 10_000;

#[derive(Deserialize)]
struct Page {
    tags: Option<Vec<String>>,
}

impl Repository {
    /// Lists them, page by page.
    ///
    /// # Errors
    /// The registry does not say.
    pub async fn tags(&self) -> Result<Vec<String>, RegistryError> {
        let mut tags = Vec::new();
        let mut next = Some(self.address("tags/list"));
        for _ in 0..MOST_PAGES {
            let Some(address) = next.take() else { break };
            let answer = accepted(self.ask(|client| client.get(&address)).await?).await?;
            next = following(&answer);
            let text = transport::whole(answer, "Get", "a list of tags", LARGEST).await?;
            let page: Page =
                serde_json::from_slice(&text).map_err(|error| RegistryError::Malformed(error.to_string()))?;
            tags.extend(page.tags.unwrap_or_default());
        }
        Ok(tags)
    }
}

/// The address of the next page: `Link: </v2/…>; rel="next"` (RFC 5988).
fn following(answer: &reqwest::Response) -> Option<String> {
    let link = answer.headers().get(LINK)?.to_str().ok()?;
    let (address, relation) = link.strip_prefix('<')?.split_once('>')?;
    let here: &Url = answer.url();
    relation.contains("next").then(|| here.join(address).ok().map(String::from)).flatten()
}
