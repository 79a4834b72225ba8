//! Files with holes: where in the file the data of an entry goes. The old form of GNU tar has that in its headers; PAX
//! 0.1 has it in an extended header, PAX 1.0 before the data.
//!
//! Readers that disagree on such an entry are many, so it is refused unless all of it fits: runs in order, none over
//! another or beyond the end, whole blocks but for the last, and as much data as they say. PAX 0.0, whose records repeat,
//! is not read.

use super::tape::{BLOCK, LARGEST_EXTENSION, TapeError, number};

/// Data of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Run {
    /// Where it begins.
    pub(crate) at: u64,
    /// Number of its bytes.
    pub(crate) bytes: u64,
}

/// The runs of an entry that has holes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Sparse {
    runs: Vec<Run>,
}

/// What an extended header says of holes.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct SparseWords {
    major: Option<Vec<u8>>,
    minor: Option<Vec<u8>>,
    /// The file's name: the entry's is one for readers that know nothing of holes.
    pub(super) name: Option<Vec<u8>>,
    real_bytes: Option<u64>,
    map: Option<Vec<u8>>,
}

/// Where the runs are written.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// In the extended header: "at,bytes,at,bytes".
    Here(Vec<u8>),
    /// Before the data.
    BeforeData,
}

impl Sparse {
    /// Those of a file of so many bytes, in an entry with so many bytes of data.
    pub(super) fn checked(runs: Vec<Run>, real_bytes: u64, data_bytes: u64) -> Result<Self, TapeError> {
        let (mut end, mut data) = (0_u64, 0_u64);
        let last = runs.len().saturating_sub(1);
        for (index, run) in runs.iter().enumerate() {
            let fits = run.at >= end && (index == last || run.bytes % BLOCK as u64 == 0);
            end = run.at.checked_add(run.bytes).filter(|end| fits && *end <= real_bytes).ok_or(TapeError::Sparse)?;
            data += run.bytes;
        }
        if data == data_bytes { Ok(Self { runs }) } else { Err(TapeError::Sparse) }
    }

    /// In order.
    pub(crate) fn runs(&self) -> &[Run] {
        &self.runs
    }
}

impl SparseWords {
    /// Takes down a record whose key begins with "GNU.sparse.".
    pub(super) fn set(&mut self, key: &[u8], value: &[u8]) -> Result<(), TapeError> {
        match key {
            b"major" => self.major = Some(value.to_vec()),
            b"minor" => self.minor = Some(value.to_vec()),
            b"name" if !value.is_empty() && !value.contains(&0) => self.name = Some(value.to_vec()),
            b"realsize" | b"size" => self.real_bytes = Some(decimal(value)?),
            b"map" => self.map = Some(value.to_vec()),
            // How many runs the map has, which shows.
            b"numblocks" => {}
            _ => return Err(TapeError::Sparse),
        }
        Ok(())
    }

    /// Size of the file, and where the runs are; `None` if there is no word of holes.
    pub(super) fn read(self) -> Result<Option<(u64, Place)>, TapeError> {
        if self == Self::default() {
            return Ok(None);
        }
        let version = (self.major.as_deref(), self.minor.as_deref());
        let place = match (version, self.map) {
            ((Some(b"1"), Some(b"0")), None) => Place::BeforeData,
            ((None, None) | (Some(b"0"), Some(b"1")), Some(map)) => Place::Here(map),
            _ => return Err(TapeError::Sparse),
        };
        Ok(Some((self.real_bytes.ok_or(TapeError::Sparse)?, place)))
    }
}

/// The runs of PAX 0.1.
pub(super) fn of_text(map: &[u8]) -> Result<Vec<Run>, TapeError> {
    if map.is_empty() {
        return Ok(Vec::new());
    }
    runs(map.split(|byte| *byte == b',').map(decimal))
}

/// The runs of PAX 1.0, from blocks: how many there are, and two numbers for each, a line each.
pub(super) fn of_blocks(mut next: impl FnMut() -> Result<[u8; BLOCK], TapeError>) -> Result<Vec<Run>, TapeError> {
    let (mut text, mut read) = (Vec::new(), 0);
    let mut lines = || -> Result<u64, TapeError> {
        loop {
            if let Some(end) = text.iter().position(|byte| *byte == b'\n') {
                let line: Vec<u8> = text.drain(..=end).collect();
                return decimal(&line[..end]);
            }
            read += BLOCK as u64;
            // A number has no more than 20 digits; nor is there more of them than an extended header could hold.
            if text.len() > 20 || read > LARGEST_EXTENSION {
                return Err(TapeError::Sparse);
            }
            text.extend_from_slice(&next()?);
        }
    };
    let count = lines()?;
    if count > LARGEST_EXTENSION {
        return Err(TapeError::Sparse);
    }
    runs((0..count * 2).map(|_| lines()))
}

/// The runs of the old form: four in the header, 21 in each block that follows.
pub(super) fn of_header(
    header: &[u8; BLOCK],
    mut next: impl FnMut() -> Result<[u8; BLOCK], TapeError>,
) -> Result<(u64, Vec<Run>), TapeError> {
    const IN_HEADER: std::ops::Range<usize> = 386..482;
    const IN_BLOCK: std::ops::Range<usize> = 0..504;
    const REAL_SIZE: std::ops::Range<usize> = 483..495;
    let field = |bytes: &[u8]| number(bytes).and_then(|n| u64::try_from(n).ok()).ok_or(TapeError::Sparse);
    let real_bytes = field(&header[REAL_SIZE])?;
    let (mut numbers, mut block, mut place, mut read) = (Vec::new(), *header, IN_HEADER, 0);
    loop {
        let goes_on = block[place.end];
        // The first that is empty is the end.
        for slot in block[place].chunks_exact(24).take_while(|slot| slot[0] != 0) {
            numbers.extend([field(&slot[..12]), field(&slot[12..])]);
        }
        read += BLOCK as u64;
        match goes_on {
            0 => return Ok((real_bytes, runs(numbers.into_iter())?)),
            _ if read > LARGEST_EXTENSION => return Err(TapeError::Sparse),
            _ => (block, place) = (next()?, IN_BLOCK),
        }
    }
}

fn runs(mut numbers: impl Iterator<Item = Result<u64, TapeError>>) -> Result<Vec<Run>, TapeError> {
    let mut runs = Vec::new();
    while let Some(at) = numbers.next() {
        runs.push(Run { at: at?, bytes: numbers.next().ok_or(TapeError::Sparse)?? });
    }
    Ok(runs)
}

fn decimal(text: &[u8]) -> Result<u64, TapeError> {
    let digits = std::str::from_utf8(text).ok().filter(|text| text.bytes().all(|byte| byte.is_ascii_digit()));
    digits.and_then(|text| text.parse().ok()).ok_or(TapeError::Sparse)
}
