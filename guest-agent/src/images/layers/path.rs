//! Paths of a tar as bytes: made relative, `.` and `..` taken out, so that what is left names something below the root.

/// Longest path in bytes (PATH_MAX without its NUL).
const LONGEST: usize = 4095;
/// Longest component in bytes.
const LONGEST_COMPONENT: usize = 255;

/// A path that cannot be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PathError {
    /// It leads above the root.
    #[error("leads outside of the root")]
    Escapes,
    /// It, or a component of it, is too long.
    #[error("file name too long")]
    TooLong,
    /// It holds a NUL.
    #[error("holds a NUL")]
    Nul,
}

/// The components of `path` below the root: none for the root itself. An absolute path is below the root too, and ".."
/// takes the component before it away, as Go's `filepath.Clean` does for dockerd; one too many is an error.
pub(crate) fn clean(path: &[u8]) -> Result<Vec<&[u8]>, PathError> {
    if path.len() > LONGEST {
        return Err(PathError::TooLong);
    }
    if path.contains(&0) {
        return Err(PathError::Nul);
    }
    let absolute = path.starts_with(b"/");
    let mut components = Vec::new();
    for component in path.split(|byte| *byte == b'/') {
        match component {
            b"" | b"." => {}
            b".." => {
                // "/.." is "/".
                if components.pop().is_none() && !absolute {
                    return Err(PathError::Escapes);
                }
            }
            long if long.len() > LONGEST_COMPONENT => return Err(PathError::TooLong),
            _ => components.push(component),
        }
    }
    Ok(components)
}

/// For messages.
pub(super) fn display(path: &[u8]) -> String {
    String::from_utf8_lossy(path).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_end_up_below_the_root() {
        for (path, expected) in [
            (&b"a/b"[..], &[&b"a"[..], b"b"][..]),
            (b"./a//b/", &[b"a", b"b"]),
            (b"/a", &[b"a"]),
            (b"/../a", &[b"a"]),
            (b"a/../b", &[b"b"]),
            (b"./", &[]),
            (b"", &[]),
            (b"\xff/\xfe", &[b"\xff", b"\xfe"]),
            (b"...", &[b"..."]),
        ] {
            assert_eq!(clean(path).as_deref(), Ok(expected));
        }
    }

    #[test]
    fn paths_that_lead_out_or_cannot_be_are_refused() {
        assert_eq!(clean(b"../a"), Err(PathError::Escapes));
        assert_eq!(clean(b"a/../../b"), Err(PathError::Escapes));
        assert_eq!(clean(b"./.."), Err(PathError::Escapes));
        assert_eq!(clean(&[b'a'; 256]), Err(PathError::TooLong));
        assert_eq!(clean(&b"a/".repeat(2048)), Err(PathError::TooLong));
        assert_eq!(clean(b"a\0b"), Err(PathError::Nul));
    }
}
