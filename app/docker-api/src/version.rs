//! Docker's API versions: which are served, and how a path names one.

use std::fmt;

use crate::error::Error;

/// An API version, "1.51".
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct ApiVersion(u32, u32);

impl ApiVersion {
    /// The oldest that is served.
    pub(crate) const MIN: Self = Self(1, 24);
    /// The newest that is served; also what a path without a version gets.
    pub(crate) const MAX: Self = Self(1, 51);
    /// From here on a stream's content type says whether it has frames.
    pub(crate) const MULTIPLEXED_TYPE: Self = Self(1, 42);

    /// A version.
    pub(crate) const fn new(major: u32, minor: u32) -> Self {
        Self(major, minor)
    }

    /// Splits "/v1.51/info" into its version, as written, and the rest.
    pub(crate) fn split_path(path: &str) -> (Option<&str>, &str) {
        let Some(rest) = path.strip_prefix("/v") else { return (None, path) };
        match rest.split_once('/') {
            Some((text, _)) if !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit() || b == b'.') => {
                (Some(text), &rest[text.len()..])
            }
            _ => (None, path),
        }
    }

    /// Takes the version that a path names; none means the newest.
    pub(crate) fn negotiate(text: Option<&str>) -> Result<Self, Error> {
        let Some(text) = text else { return Ok(Self::MAX) };
        let mut numbers = text.split('.').map(|number| number.parse().unwrap_or(0));
        let version = Self(numbers.next().unwrap_or(0), numbers.next().unwrap_or(0));
        if version < Self::MIN {
            return Err(Error::VersionTooOld { version: text.to_owned() });
        }
        if version > Self::MAX {
            return Err(Error::VersionTooNew { version: text.to_owned() });
        }
        Ok(version)
    }
}

impl fmt::Display for ApiVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.0, self.1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_may_name_a_version() {
        assert_eq!(ApiVersion::split_path("/v1.51/info"), (Some("1.51"), "/info"));
        assert_eq!(ApiVersion::split_path("/info"), (None, "/info"));
        assert_eq!(ApiVersion::split_path("/volumes/v1"), (None, "/volumes/v1"));
        assert_eq!(ApiVersion::split_path("/v1.51"), (None, "/v1.51"));
    }

    #[test]
    fn versions_out_of_range_are_refused_in_dockerds_words() {
        let text = |version| match ApiVersion::negotiate(version) {
            Ok(version) => version.to_string(),
            Err(error) => error.to_string(),
        };
        assert_eq!(text(None), "1.51");
        assert_eq!(text(Some("1.24")), "1.24");
        assert_eq!(text(Some("1.51")), "1.51");
        assert_eq!(text(Some("1.52")), "client version 1.52 is too new. Maximum supported API version is 1.51");
        assert_eq!(text(Some("2.0")), "client version 2.0 is too new. Maximum supported API version is 1.51");
        assert_eq!(
            text(Some("1.9")),
            "client version 1.9 is too old. Minimum supported API version is 1.24, please upgrade your client to a \
             newer version"
        );
    }
}
