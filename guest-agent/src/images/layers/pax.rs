//! Extended headers of tar: records "<length> <key>=<value>\n", whose values may hold any byte.

use super::sparse::SparseWords;
use super::tape::TapeError;

/// What extended headers say of the entry that follows them.
#[derive(Debug, Default)]
pub(super) struct Overrides {
    /// Name, instead of the header's.
    pub(super) path: Option<Vec<u8>>,
    /// Link target, instead of the header's.
    pub(super) link: Option<Vec<u8>>,
    /// Size, instead of the header's.
    pub(super) size: Option<u64>,
    /// Owner.
    pub(super) uid: Option<u32>,
    /// Group.
    pub(super) gid: Option<u32>,
    /// Time of modification: seconds and nanoseconds.
    pub(super) mtime: Option<(i64, u32)>,
    /// Extended attributes.
    pub(super) xattrs: Vec<(Vec<u8>, Vec<u8>)>,
    /// Holes.
    pub(super) sparse: SparseWords,
}

const XATTR: &[u8] = b"SCHILY.xattr.";
const SPARSE: &[u8] = b"GNU.sparse.";

impl Overrides {
    /// Reads the records of an `x` header.
    pub(super) fn parse(mut data: &[u8]) -> Result<Self, TapeError> {
        let mut overrides = Self::default();
        while !data.is_empty() {
            let (key, value, rest) = record(data).ok_or(TapeError::Extension("malformed record"))?;
            overrides.set(key, value)?;
            data = rest;
        }
        Ok(overrides)
    }

    /// Whether it changes what an entry is or where it goes.
    pub(super) fn steers_entries(&self) -> bool {
        let has_place = self.path.is_some() || self.link.is_some() || self.size.is_some();
        has_place || self.sparse != SparseWords::default()
    }

    fn set(&mut self, key: &[u8], value: &[u8]) -> Result<(), TapeError> {
        match key {
            b"path" => self.path = text(value)?,
            b"linkpath" => self.link = text(value)?,
            b"size" => self.size = number(value)?,
            b"uid" => self.uid = number(value)?,
            b"gid" => self.gid = number(value)?,
            b"mtime" => self.mtime = Some(time(value).ok_or(TapeError::Extension("bad mtime"))?),
            _ => match (key.strip_prefix(XATTR), key.strip_prefix(SPARSE)) {
                (Some(name), _) => self.xattrs.push((name.to_vec(), value.to_vec())),
                (_, Some(key)) => self.sparse.set(key, value)?,
                (None, None) => {}
            },
        }
        Ok(())
    }
}

/// Splits the first record off: key, value, rest.
fn record(data: &[u8]) -> Option<(&[u8], &[u8], &[u8])> {
    let space = data.iter().take(20).position(|byte| *byte == b' ')?;
    let length: usize = std::str::from_utf8(&data[..space]).ok()?.parse().ok()?;
    let (record, rest) = data.split_at_checked(length)?;
    let body = record.get(space + 1..)?.strip_suffix(b"\n")?;
    let equals = body.iter().position(|byte| *byte == b'=')?;
    Some((&body[..equals], &body[equals + 1..], rest))
}

/// A path; empty takes an override back.
fn text(value: &[u8]) -> Result<Option<Vec<u8>>, TapeError> {
    if value.contains(&0) {
        return Err(TapeError::Extension("a path holds a NUL"));
    }
    Ok((!value.is_empty()).then(|| value.to_vec()))
}

fn number<T: std::str::FromStr>(value: &[u8]) -> Result<Option<T>, TapeError> {
    if value.is_empty() {
        return Ok(None);
    }
    let digits = std::str::from_utf8(value).ok().filter(|text| text.bytes().all(|byte| byte.is_ascii_digit()));
    digits.and_then(|text| text.parse().ok()).map(Some).ok_or(TapeError::Extension("bad number"))
}

/// "[-]seconds[.fraction]".
fn time(value: &[u8]) -> Option<(i64, u32)> {
    let text = std::str::from_utf8(value).ok()?;
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let seconds: i64 = whole.parse().ok()?;
    if !fraction.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let nanos: u32 = format!("{fraction:0<9}").get(..9)?.parse().ok()?;
    match (whole.starts_with('-'), nanos) {
        (true, 1..) => Some((seconds.checked_sub(1)?, 1_000_000_000 - nanos)),
        _ => Some((seconds, nanos)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_may_hold_newlines_and_equals_signs() {
        let overrides = Overrides::parse(b"31 SCHILY.xattr.user.a=\n=b\0c\nd\n12 path=a=b\n").unwrap();
        assert_eq!(overrides.xattrs, [(b"user.a".to_vec(), b"\n=b\0c\nd".to_vec())]);
        assert_eq!(overrides.path.as_deref(), Some(&b"a=b"[..]));
    }

    #[test]
    fn malformed_records_are_refused() {
        for data in [
            &b"5 a=b"[..],
            b"x path=a\n",
            b"999 path=a\n",
            b"0 path=a\n",
            b"10 patha\n\n",
            b"10 size=-\n",
            b"11 size=+1\n",
            b"99999999999999999999 path=a\n",
            b"11 path=a\0\n",
            b"24 GNU.sparse.offset=1\n",
        ] {
            assert!(Overrides::parse(data).is_err(), "{}", String::from_utf8_lossy(data));
        }
    }

    #[test]
    fn times_have_fractions_and_may_be_negative() {
        assert_eq!(time(b"1"), Some((1, 0)));
        assert_eq!(time(b"1.5"), Some((1, 500_000_000)));
        assert_eq!(time(b"-1.25"), Some((-2, 750_000_000)));
        assert_eq!(time(b"1.0000000019"), Some((1, 1)));
        assert_eq!(time(b"1.x"), None);
    }
}
