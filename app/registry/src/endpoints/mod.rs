//! Which hosts are asked for a name, in which order, and how far they are trusted: moby's rules.
//!
//! * [`insecure`] — which registries need no certificate that anybody vouches for.

pub mod insecure;

use cove_names::HUB;
use reqwest::Url;

use crate::{error::RegistryError, settings::RegistrySettings};

/// Where Docker Hub's images are.
const HUB_ADDRESS: &str = "https://registry-1.docker.io";

/// One place to ask.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoint {
    /// "https://host:5000", without a slash at its end.
    pub base: String,
    /// "host:5000".
    pub host: String,
    /// Whether somebody must vouch for its certificate.
    pub verify: bool,
    /// Whether it stands in for another: then what it refuses is asked of the next.
    pub mirror: bool,
}

impl Endpoint {
    /// Whether what is said to it can be read on the way.
    #[must_use]
    pub fn is_plain(&self) -> bool {
        self.base.starts_with("http:")
    }
}

/// Where to pull from: for Docker Hub its mirrors first.
///
/// # Errors
/// A mirror that is no address.
pub fn to_pull(domain: &str, settings: &RegistrySettings) -> Result<Vec<Endpoint>, RegistryError> {
    let mut endpoints = Vec::new();
    if domain == HUB {
        for address in &settings.mirrors {
            let (base, host) = mirror(address)?;
            let verify = !insecure::is_insecure(&host, &settings.insecure);
            endpoints.push(Endpoint { base, host, verify, mirror: true });
        }
    }
    endpoints.extend(to_push(domain, settings));
    Ok(endpoints)
}

/// Where to push to: never to a mirror.
#[must_use]
pub fn to_push(domain: &str, settings: &RegistrySettings) -> Vec<Endpoint> {
    if domain == HUB {
        let host = HUB_ADDRESS.trim_start_matches("https://").to_owned();
        return vec![Endpoint { base: HUB_ADDRESS.to_owned(), host, verify: true, mirror: false }];
    }
    let verify = !insecure::is_insecure(domain, &settings.insecure);
    let at = |scheme: &str| Endpoint {
        base: format!("{scheme}://{domain}"),
        host: domain.to_owned(),
        verify,
        mirror: false,
    };
    if verify { vec![at("https")] } else { vec![at("https"), at("http")] }
}

/// Address and host of a mirror.
///
/// # Errors
/// It has no scheme of HTTP, no host, or more than these.
pub fn mirror(address: &str) -> Result<(String, String), RegistryError> {
    let wrong = |why: &str| RegistryError::BadMirror(format!("{address:?} {why}"));
    let url = Url::parse(address).map_err(|_| wrong("is not a valid URI"))?;
    if !matches!(url.scheme(), "http" | "https") {
        return Err(wrong("has no scheme http or https"));
    }
    if url.query().is_some() || url.fragment().is_some() || !url.username().is_empty() || url.password().is_some() {
        return Err(wrong("has more than a scheme, a host and a path"));
    }
    let host = url.host_str().filter(|host| !host.is_empty()).ok_or_else(|| wrong("has no host"))?;
    let host = url.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"));
    Ok((url.as_str().trim_end_matches('/').to_owned(), host))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bases(domain: &str, settings: &RegistrySettings) -> Vec<(String, bool)> {
        let endpoints = to_pull(domain, settings).unwrap();
        endpoints.into_iter().map(|endpoint| (endpoint.base, endpoint.verify)).collect()
    }

    #[test]
    fn the_hub_is_asked_after_its_mirrors_and_pushed_to_alone() {
        let settings = RegistrySettings {
            mirrors: vec!["https://m.example/".into(), "http://127.0.0.1:5000".into()],
            ..RegistrySettings::default()
        };
        assert_eq!(
            bases("docker.io", &settings),
            [
                ("https://m.example".into(), true),
                ("http://127.0.0.1:5000".into(), false),
                ("https://registry-1.docker.io".into(), true),
            ]
        );
        assert_eq!(to_push("docker.io", &settings).len(), 1);
        assert_eq!(bases("quay.io", &settings), [("https://quay.io".into(), true)]);
    }

    #[test]
    fn an_insecure_registry_is_asked_with_tls_first() {
        let both = [("https://localhost:5000".into(), false), ("http://localhost:5000".into(), false)];
        assert_eq!(bases("localhost:5000", &RegistrySettings::default()), both);
    }
}
