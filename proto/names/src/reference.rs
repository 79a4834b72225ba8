//! Names of images: `[host[:port]/]path[:tag][@digest]`, the rules of distribution/reference.
//!
//! A name without a host is Docker Hub's, one without a slash is in its `library`. The *canonical* form spells that out
//! (`docker.io/library/busybox:latest`) and is what the catalogue stores; the *familiar* form leaves it out again and is
//! what people see.

use crate::Digest;

/// Longest path of a repository, in bytes.
const LONGEST_PATH: usize = 255;
/// Longest tag, in bytes.
const LONGEST_TAG: usize = 128;
/// Where names without a host live.
pub const HUB: &str = "docker.io";

/// A malformed reference; the texts are distribution's.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ReferenceError {
    /// Any other mistake.
    #[error("invalid reference format")]
    Format,
    /// Upper case in the path.
    #[error("invalid reference format: repository name ({0}) must be lowercase")]
    Uppercase(String),
    /// 64 digits are an id.
    #[error("invalid repository name ({0}), cannot specify 64-byte hexadecimal strings")]
    LooksLikeId(String),
    /// Path too long.
    #[error("repository name must not be more than {LONGEST_PATH} characters")]
    TooLong,
}

/// A name with at most one of tag and digest that counts: a digest makes the tag irrelevant, as in dockerd.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Reference {
    domain: String,
    path: String,
    tag: Option<String>,
    digest: Option<Digest>,
}

impl Reference {
    /// Reads a reference in any form and normalises it.
    ///
    /// # Errors
    /// It breaks a rule of distribution/reference.
    pub fn parse(text: &str) -> Result<Self, ReferenceError> {
        if is_full_hex_id(text) {
            return Err(ReferenceError::LooksLikeId(text.to_owned()));
        }
        let (domain, rest) = split_domain(text);
        let remote = rest.split(':').next().unwrap_or_default();
        if remote.to_lowercase() != remote {
            return Err(ReferenceError::Uppercase(remote.to_owned()));
        }
        let (name_and_tag, digest) = match rest.split_once('@') {
            Some((before, digest)) => {
                (before, Some(Digest::parse(digest).map_err(|_not_sha256| ReferenceError::Format)?))
            }
            None => (rest.as_str(), None),
        };
        let (path, tag) = match name_and_tag.split_once(':') {
            Some((path, tag)) if is_tag(tag) => (path, Some(tag.to_owned())),
            Some(_) => return Err(ReferenceError::Format),
            None => (name_and_tag, None),
        };
        if !is_domain(&domain) || !path.split('/').all(is_path_component) {
            return Err(ReferenceError::Format);
        }
        if path.len() > LONGEST_PATH {
            return Err(ReferenceError::TooLong);
        }
        Ok(Self { domain, path: path.to_owned(), tag, digest })
    }

    /// The same with the tag `latest`, if it has neither tag nor digest.
    #[must_use]
    pub fn or_latest(mut self) -> Self {
        if self.is_name_only() {
            self.tag = Some("latest".to_owned());
        }
        self
    }

    /// Whether it has neither tag nor digest.
    #[must_use]
    pub fn is_name_only(&self) -> bool {
        self.tag.is_none() && self.digest.is_none()
    }

    /// Whether it names content by digest.
    #[must_use]
    pub fn has_digest(&self) -> bool {
        self.digest.is_some()
    }

    /// The tag.
    #[must_use]
    pub fn tag(&self) -> Option<&str> {
        self.tag.as_deref()
    }

    /// The digest.
    #[must_use]
    pub fn digest(&self) -> Option<&Digest> {
        self.digest.as_ref()
    }

    /// Where it lives: "docker.io", "host:5000".
    #[must_use]
    pub fn domain(&self) -> &str {
        &self.domain
    }

    /// Its name there: "library/busybox".
    #[must_use]
    pub fn path(&self) -> &str {
        &self.path
    }

    /// The same name with this tag and no digest.
    #[must_use]
    pub fn with_tag(&self, tag: &str) -> Self {
        Self { tag: Some(tag.to_owned()), digest: None, ..self.clone() }
    }

    /// The same name with this digest and no tag.
    #[must_use]
    pub fn with_digest(&self, digest: Digest) -> Self {
        Self { tag: None, digest: Some(digest), ..self.clone() }
    }

    /// Host and path: "docker.io/library/busybox".
    #[must_use]
    pub fn name(&self) -> String {
        format!("{}/{}", self.domain, self.path)
    }

    /// The name as people write it: "busybox".
    #[must_use]
    pub fn familiar_name(&self) -> String {
        if self.domain != HUB {
            return self.name();
        }
        match self.path.strip_prefix("library/") {
            Some(short) if !short.contains('/') => short.to_owned(),
            _ => self.path.clone(),
        }
    }

    /// All of it as people write it: "busybox:latest".
    #[must_use]
    pub fn familiar(&self) -> String {
        self.with_suffix(self.familiar_name())
    }

    /// The form that is stored: "docker.io/library/busybox:latest". A tag beside a digest is dropped, as dockerd does.
    #[must_use]
    pub fn canonical(&self) -> String {
        match &self.digest {
            Some(digest) => format!("{}@{digest}", self.name()),
            None => self.with_suffix(self.name()),
        }
    }

    fn with_suffix(&self, mut text: String) -> String {
        if let Some(tag) = &self.tag {
            text.push(':');
            text.push_str(tag);
        }
        if let Some(digest) = &self.digest {
            text.push('@');
            text.push_str(&digest.to_string());
        }
        text
    }
}

/// Whether this is an id without its algorithm: 64 hexadecimal digits.
#[must_use]
pub fn is_full_hex_id(text: &str) -> bool {
    text.len() == 64 && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

/// distribution's `splitDockerDomain`: a first part with a dot, a colon or upper case, or "localhost", is a host.
fn split_domain(text: &str) -> (String, String) {
    let (domain, rest) = match text.split_once('/') {
        Some(("index.docker.io", rest)) => (HUB, rest),
        Some((first, rest)) if first == "localhost" || first.contains(['.', ':']) || first.to_lowercase() != first => {
            (first, rest)
        }
        _ => (HUB, text),
    };
    let rest = if domain == HUB && !rest.contains('/') { format!("library/{rest}") } else { rest.to_owned() };
    (domain.to_owned(), rest)
}

/// `[a-zA-Z0-9]` with inner hyphens, joined by dots, or an IPv6 address in brackets; then `:port`.
fn is_domain(domain: &str) -> bool {
    let (host, port) = match domain.rsplit_once(':') {
        Some((host, port)) if !port.contains(']') => (host, Some(port)),
        _ => (domain, None),
    };
    let host_is_right = match host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
        Some(address) => !address.is_empty() && address.bytes().all(|byte| byte.is_ascii_hexdigit() || byte == b':'),
        None => host.split('.').all(|label| {
            !label.is_empty()
                && !label.starts_with('-')
                && !label.ends_with('-')
                && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
        }),
    };
    host_is_right && port.is_none_or(|port| !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit()))
}

/// Runs of `[a-z0-9]` separated by one dot, one or two underscores, or any number of hyphens.
fn is_path_component(component: &str) -> bool {
    let is_alphanumeric = |byte: &u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let bytes = component.as_bytes();
    let ends_are_right = bytes.first().is_some_and(is_alphanumeric) && bytes.last().is_some_and(is_alphanumeric);
    ends_are_right
        && bytes
            .split(is_alphanumeric)
            .all(|separator| matches!(separator, b"" | b"." | b"_" | b"__") || separator.iter().all(|b| *b == b'-'))
}

/// `[\w][\w.-]{0,127}`.
fn is_tag(tag: &str) -> bool {
    let is_word = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    !tag.is_empty()
        && tag.len() <= LONGEST_TAG
        && tag.bytes().next().is_some_and(is_word)
        && tag.bytes().all(|byte| is_word(byte) || byte == b'.' || byte == b'-')
}

#[cfg(test)]
mod tests {
    use super::*;

    const DIGEST: &str = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

    #[test]
    fn names_are_normalised_and_made_familiar_again() {
        for (written, canonical, familiar) in [
            ("busybox", "docker.io/library/busybox:latest", "busybox:latest"),
            ("busybox:1.36", "docker.io/library/busybox:1.36", "busybox:1.36"),
            ("library/busybox", "docker.io/library/busybox:latest", "busybox:latest"),
            ("docker.io/busybox", "docker.io/library/busybox:latest", "busybox:latest"),
            ("index.docker.io/busybox", "docker.io/library/busybox:latest", "busybox:latest"),
            ("cove/hello", "docker.io/cove/hello:latest", "cove/hello:latest"),
            ("library/a/b", "docker.io/library/a/b:latest", "library/a/b:latest"),
            ("localhost/x", "localhost/x:latest", "localhost/x:latest"),
            ("host:5000/x/y:1", "host:5000/x/y:1", "host:5000/x/y:1"),
            ("[::1]:5000/x", "[::1]:5000/x:latest", "[::1]:5000/x:latest"),
            ("Host/x", "Host/x:latest", "Host/x:latest"),
            ("a.b-c_d__e---f/x", "a.b-c_d__e---f/x:latest", ""),
            ("x_y/a--b__c.d", "docker.io/x_y/a--b__c.d:latest", "x_y/a--b__c.d:latest"),
        ] {
            let Ok(reference) = Reference::parse(written) else {
                assert_eq!(familiar, "", "{written}");
                continue;
            };
            let reference = reference.or_latest();
            assert_eq!(reference.canonical(), canonical);
            assert_eq!(reference.familiar(), familiar);
        }
    }

    #[test]
    fn a_digest_wins_over_a_tag() {
        let reference = Reference::parse(&format!("x:1@{DIGEST}")).unwrap().or_latest();
        assert_eq!(reference.canonical(), format!("docker.io/library/x@{DIGEST}"));
        assert_eq!(reference.familiar(), format!("x:1@{DIGEST}"));
    }

    #[test]
    fn malformed_references_are_refused_in_dockers_words() {
        let long = "a/".repeat(130) + "b";
        for (written, error) in [
            ("", "invalid reference format"),
            (":", "invalid reference format"),
            (":tag", "invalid reference format"),
            ("x:", "invalid reference format"),
            ("x:-a", "invalid reference format"),
            ("x:a:b", "invalid reference format"),
            ("x@sha256:00", "invalid reference format"),
            ("x@", "invalid reference format"),
            ("a//b", "invalid reference format"),
            ("/x", "invalid reference format"),
            ("x/", "invalid reference format"),
            ("../x", "invalid reference format"),
            ("a..b", "invalid reference format"),
            ("a___b", "invalid reference format"),
            ("-a", "invalid reference format"),
            ("a-", "invalid reference format"),
            ("a b", "invalid reference format"),
            ("ä/b", "invalid reference format"),
            ("a.b:port/x", "invalid reference format"),
            ("Foo", "invalid reference format: repository name (library/Foo) must be lowercase"),
            ("a/Foo:1", "invalid reference format: repository name (a/Foo) must be lowercase"),
            (&long, "repository name must not be more than 255 characters"),
            (
                &DIGEST[7..],
                "invalid repository name (e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855), cannot specify 64-byte hexadecimal strings",
            ),
        ] {
            assert_eq!(Reference::parse(written).map_err(|e| e.to_string()), Err(error.to_owned()), "{written}");
        }
    }
}
