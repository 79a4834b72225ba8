//! What a user writes to mean an image: a name, or an id. Names themselves are shared with the host.

use cove_names::is_full_hex_id;
pub use cove_names::{Reference, ReferenceError};

use super::digest::Digest;

/// What a user wrote to mean an image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Wanted {
    /// "sha256:<64 digits>", or just the digits.
    Id(Digest),
    /// A name, which may be the prefix of an id as well.
    Name(Reference),
}

/// Reads what a user wrote to mean an image.
pub(super) fn parse_wanted(text: &str) -> Result<Wanted, ReferenceError> {
    if is_full_hex_id(text)
        && let Ok(id) = Digest::parse(&format!("sha256:{text}"))
    {
        return Ok(Wanted::Id(id));
    }
    if let Ok(id) = Digest::parse(text) {
        return Ok(Wanted::Id(id));
    }
    Reference::parse(text).map(Wanted::Name)
}

#[cfg(test)]
mod tests {
    use super::*;

    const DIGEST: &str = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

    #[test]
    fn a_whole_id_is_not_a_name() {
        let id = Digest::parse(DIGEST).unwrap();
        assert_eq!(parse_wanted(DIGEST), Ok(Wanted::Id(id.clone())));
        assert_eq!(parse_wanted(&DIGEST[7..]), Ok(Wanted::Id(id)));
        assert!(matches!(parse_wanted("e3b0c442"), Ok(Wanted::Name(_))));
    }
}
