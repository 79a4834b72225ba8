//! Names by which a layer hides what is below it (OCI image-spec `layer.md`, "Whiteouts"): `.wh.NAME` hides NAME,
//! `.wh..wh..opq` hides all that a folder has in the layers below.

/// What a name means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Name<'a> {
    /// A file of that name.
    Plain,
    /// Hides this name.
    Hides(&'a [u8]),
    /// Hides all of the folder that it is in.
    Opaque,
    /// Bookkeeping of AUFS, which dockerd passes over as well.
    Bookkeeping,
    /// A whiteout of nothing, of the folder itself or of the one above.
    Invalid,
}

const PREFIX: &[u8] = b".wh.";

/// What the last component of a path means.
pub(super) fn classify(name: &[u8]) -> Name<'_> {
    match name.strip_prefix(PREFIX) {
        None => Name::Plain,
        Some(b".wh..opq") => Name::Opaque,
        Some(meta) if meta.starts_with(PREFIX) => Name::Bookkeeping,
        Some(b"" | b"." | b"..") => Name::Invalid,
        Some(hidden) => Name::Hides(hidden),
    }
}

/// Whether a folder may have this name: one that reads as a whiteout cannot be told from one.
pub(super) fn may_be_folder(name: &[u8]) -> bool {
    !name.starts_with(PREFIX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_is_told_apart() {
        for (name, meaning) in [
            (&b"a"[..], Name::Plain),
            (b".w", Name::Plain),
            (b".wh", Name::Plain),
            (b"x.wh.a", Name::Plain),
            (b".wh.a", Name::Hides(b"a")),
            (b".wh.\xff", Name::Hides(b"\xff")),
            (b".wh..a", Name::Hides(b".a")),
            (b".wh....", Name::Hides(b"...")),
            (b".wh..wh", Name::Hides(b".wh")),
            (b".wh..wh..opq", Name::Opaque),
            (b".wh..wh..opqx", Name::Bookkeeping),
            (b".wh..wh.", Name::Bookkeeping),
            (b".wh..wh.plnk", Name::Bookkeeping),
            (b".wh.", Name::Invalid),
            (b".wh..", Name::Invalid),
            (b".wh...", Name::Invalid),
        ] {
            assert_eq!(classify(name), meaning, "{}", String::from_utf8_lossy(name));
        }
    }
}
