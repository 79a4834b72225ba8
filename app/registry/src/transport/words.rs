//! What failed on the way, in the words of Go's standard library, which people know from dockerd.

use std::{error::Error, io};

use reqwest::Url;
use rustls::{CertificateError, Error as TlsError};

/// Go's words for the failure of a request to this address.
pub(super) fn of(error: &reqwest::Error, url: &str) -> String {
    let place = Place::of(url);
    let mut cause: Option<&(dyn Error + 'static)> = Some(error);
    let mut last = error.to_string();
    while let Some(link) = cause {
        if let Some(words) = of_cause(link, &place) {
            return words;
        }
        last = link.to_string();
        cause = link.source();
    }
    if error.is_connect() && last.contains("failed to lookup address") {
        return format!("dial tcp: lookup {}: no such host", place.host);
    }
    if error.is_timeout() {
        return if error.is_connect() {
            format!("dial tcp {}: i/o timeout", place.address())
        } else {
            "i/o timeout".into()
        };
    }
    if error.is_redirect() {
        return "stopped after 10 redirects".to_owned();
    }
    last
}

struct Place {
    host: String,
    port: u16,
}

impl Place {
    fn of(url: &str) -> Self {
        let url = Url::parse(url).ok();
        let host = url.as_ref().and_then(|url| url.host_str()).unwrap_or_default().to_owned();
        Self { host, port: url.and_then(|url| url.port_or_known_default()).unwrap_or(443) }
    }

    fn address(&self) -> String {
        format!("{}:{}", self.host, self.port)
    }
}

fn of_cause(link: &(dyn Error + 'static), place: &Place) -> Option<String> {
    if let Some(tls) = link.downcast_ref::<TlsError>() {
        return of_tls(tls, place);
    }
    let io = link.downcast_ref::<io::Error>()?;
    // What is inside an error of the system's kind is what really happened.
    if let Some(inside) = io.get_ref() {
        return of_cause(inside, place).or_else(|| of_kind(io, place));
    }
    of_kind(io, place)
}

fn of_kind(error: &io::Error, place: &Place) -> Option<String> {
    let dialled = |what: &str| Some(format!("dial tcp {}: connect: {what}", place.address()));
    match error.kind() {
        io::ErrorKind::ConnectionRefused => dialled("connection refused"),
        io::ErrorKind::NetworkUnreachable => dialled("network is unreachable"),
        io::ErrorKind::HostUnreachable => dialled("no route to host"),
        io::ErrorKind::ConnectionReset => Some("connection reset by peer".to_owned()),
        io::ErrorKind::UnexpectedEof => Some("unexpected EOF".to_owned()),
        _ => None,
    }
}

fn of_tls(error: &TlsError, place: &Place) -> Option<String> {
    let x509 = |what: String| Some(format!("tls: failed to verify certificate: x509: {what}"));
    match error {
        // Plain text where TLS should be.
        TlsError::InvalidMessage(_) => Some("http: server gave HTTP response to HTTPS client".to_owned()),
        TlsError::InvalidCertificate(why) => match why {
            CertificateError::UnknownIssuer => x509("certificate signed by unknown authority".to_owned()),
            CertificateError::Expired | CertificateError::ExpiredContext { .. } => {
                x509("certificate has expired or is not yet valid".to_owned())
            }
            CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
                x509(format!("certificate is not valid for {}", place.host))
            }
            _ => x509(error.to_string()),
        },
        _ => Some(format!("tls: {error}")),
    }
}
