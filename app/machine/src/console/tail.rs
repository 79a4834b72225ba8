//! The end of a console log.

use std::{
    io::{self, SeekFrom},
    path::Path,
};

use tokio::{
    fs::File,
    io::{AsyncReadExt, AsyncSeekExt},
};

use super::sink::MAX_BYTES;

/// The last `lines` lines, or all with 0; empty if there is no log yet. Also says where in the file it ended, for
/// [`super::Follow`].
///
/// # Errors
/// If the file cannot be read.
pub async fn tail(path: &Path, lines: usize) -> io::Result<(Vec<u8>, u64)> {
    let mut file = match File::open(path).await {
        Ok(file) => file,
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok((Vec::new(), 0)),
        Err(e) => return Err(e),
    };
    let length = file.metadata().await?.len();
    let start = length.saturating_sub(MAX_BYTES);
    file.seek(SeekFrom::Start(start)).await?;
    let mut data = Vec::new();
    file.take(MAX_BYTES).read_to_end(&mut data).await?;
    let end = start + data.len() as u64;
    Ok((data.split_off(start_of_last(&data, lines)), end))
}

/// Where the last `lines` lines begin.
fn start_of_last(data: &[u8], lines: usize) -> usize {
    if lines == 0 {
        return 0;
    }
    let end = data.strip_suffix(b"\n").map_or(data.len(), <[u8]>::len);
    let breaks = data[..end].iter().enumerate().rev().filter(|(_, byte)| **byte == b'\n');
    breaks.map(|(at, _)| at + 1).nth(lines - 1).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_lines_are_counted_with_and_without_a_final_line_break() {
        let last = |data: &'static [u8], lines| &data[start_of_last(data, lines)..];
        assert_eq!(last(b"a\nb\nc\n", 2), b"b\nc\n");
        assert_eq!(last(b"a\nb\nc", 2), b"b\nc");
        assert_eq!(last(b"a\nb\n", 9), b"a\nb\n");
        assert_eq!(last(b"a\nb\n", 0), b"a\nb\n");
        assert_eq!(last(b"", 3), b"");
    }

    #[tokio::test]
    async fn a_log_that_is_not_there_is_empty() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(tail(&dir.path().join("none"), 5).await.unwrap(), (Vec::new(), 0));
    }
}
