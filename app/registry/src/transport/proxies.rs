//! Which proxy leads to registries: the user's settings say it, or else the environment, in the words that dockerd and
//! curl read. Where neither does, the system is asked.

use reqwest::{ClientBuilder, NoProxy, Proxy, Url};

use crate::{error::RegistryError, settings::RegistrySettings};

/// Proxies, and for whom there is none.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct Proxies {
    http: Option<String>,
    https: Option<String>,
    /// Hosts, domains and networks: "host,.example.com,10.0.0.0/8".
    none_for: String,
}

impl Proxies {
    /// What the variables say, in capitals and not: HTTP_PROXY, HTTPS_PROXY, ALL_PROXY, NO_PROXY.
    #[must_use]
    pub fn of_environment(variable: impl Fn(&str) -> Option<String>) -> Self {
        let one = |name: &str| {
            let found = [name.to_owned(), name.to_lowercase()].into_iter().find_map(|name| variable(&name));
            found.filter(|value| !value.is_empty())
        };
        let all = one("ALL_PROXY");
        Self {
            http: one("HTTP_PROXY").or_else(|| all.clone()),
            https: one("HTTPS_PROXY").or(all),
            none_for: one("NO_PROXY").unwrap_or_default(),
        }
    }

    /// What the settings say; `self` if they say nothing.
    pub(crate) fn unless(&self, settings: &RegistrySettings) -> Self {
        if settings.proxy.is_empty() {
            return self.clone();
        }
        let one = Some(settings.proxy.clone());
        Self { http: one.clone(), https: one, none_for: settings.no_proxy.join(",") }
    }

    /// Tells a client.
    pub(super) fn tell(&self, mut client: ClientBuilder) -> Result<ClientBuilder, RegistryError> {
        if self.http.is_none() && self.https.is_none() {
            return Ok(client);
        }
        // The system's word counts no more.
        client = client.no_proxy();
        let none_for = || NoProxy::from_string(&self.none_for);
        if let Some(address) = &self.http {
            client = client.proxy(Proxy::http(parse(address)?).map_err(|_| wrong(address))?.no_proxy(none_for()));
        }
        if let Some(address) = &self.https {
            client = client.proxy(Proxy::https(parse(address)?).map_err(|_| wrong(address))?.no_proxy(none_for()));
        }
        Ok(client)
    }
}

/// The address of a proxy.
///
/// # Errors
/// It has another scheme than http, https or socks5, or no host.
pub(crate) fn parse(address: &str) -> Result<Url, RegistryError> {
    // Without a scheme it is one of HTTP, as in Go.
    let whole = if address.contains("://") { address.to_owned() } else { format!("http://{address}") };
    // The proxy looks names up, as in Go: whoever needs one may not know them.
    let whole = whole.strip_prefix("socks5://").map_or(whole.clone(), |rest| format!("socks5h://{rest}"));
    let url = Url::parse(&whole).map_err(|_| wrong(address))?;
    let known = matches!(url.scheme(), "http" | "https" | "socks5h") && url.has_host();
    if known { Ok(url) } else { Err(wrong(address)) }
}

fn wrong(address: &str) -> RegistryError {
    RegistryError::BadProxy(address.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_settings_go_before_the_environment() {
        let environment = |name: &str| match name {
            "https_proxy" => Some("http://h:1".to_owned()),
            "ALL_PROXY" => Some("socks5://a:2".to_owned()),
            "NO_PROXY" => Some("x,y".to_owned()),
            "HTTP_PROXY" => Some(String::new()),
            _ => None,
        };
        let found = Proxies::of_environment(environment);
        let text = |text: &str| Some(text.to_owned());
        assert_eq!(
            found,
            Proxies { http: text("socks5://a:2"), https: text("http://h:1"), none_for: "x,y".to_owned() }
        );
        assert_eq!(found.unless(&RegistrySettings::default()), found);
        let settings =
            RegistrySettings { proxy: "http://s".into(), no_proxy: vec!["a".into(), "b".into()], ..Default::default() };
        let said = Proxies { http: text("http://s"), https: text("http://s"), none_for: "a,b".to_owned() };
        assert_eq!(found.unless(&settings), said);
        assert_eq!(Proxies::of_environment(|_| None), Proxies::default());
    }

    #[test]
    fn addresses_are_those_of_gos_proxies() {
        assert_eq!(parse("proxy:3128").unwrap().as_str(), "http://proxy:3128/");
        assert_eq!(parse("socks5://u:p@proxy").unwrap().as_str(), "socks5h://u:p@proxy");
        for bad in ["ftp://proxy", "http://", "socks4://x", "a b"] {
            assert_eq!(parse(bad).unwrap_err().to_string(), format!("invalid proxy: {bad:?}"));
        }
    }
}
