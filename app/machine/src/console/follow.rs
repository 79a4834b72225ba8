//! What is written to a console log from some point on.

use std::{
    io::{self, SeekFrom},
    path::PathBuf,
};

use tokio::{
    fs::File,
    io::{AsyncReadExt, AsyncSeekExt},
    time::sleep,
};

use super::LOOK;

/// Longer lines are cut: a guest must not make the host keep what it writes.
const MAX_LINE: usize = 4096;

/// Reads a console log as it grows, also over a rotation and before the file exists.
#[derive(Debug)]
pub struct Follow {
    path: PathBuf,
    offset: u64,
}

impl Follow {
    /// Begins at this byte of the file, as [`super::tail()`] said.
    #[must_use]
    pub fn from(path: PathBuf, offset: u64) -> Self {
        Self { path, offset }
    }

    /// The next piece, at least one byte. Waits for it; dropping it loses nothing.
    ///
    /// # Errors
    /// If the file cannot be read.
    pub async fn next(&mut self) -> io::Result<Vec<u8>> {
        loop {
            let data = self.now().await?;
            if !data.is_empty() {
                return Ok(data);
            }
            sleep(LOOK).await;
        }
    }

    /// What is there now, possibly nothing.
    pub(crate) async fn now(&mut self) -> io::Result<Vec<u8>> {
        let mut file = match File::open(&self.path).await {
            Ok(file) => file,
            Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(e) => return Err(e),
        };
        if file.metadata().await?.len() < self.offset {
            self.offset = 0;
        }
        file.seek(SeekFrom::Start(self.offset)).await?;
        let mut data = Vec::new();
        file.take(64 * 1024).read_to_end(&mut data).await?;
        self.offset += data.len() as u64;
        Ok(data)
    }
}

/// The same by lines.
#[derive(Debug)]
pub(crate) struct Lines {
    follow: Follow,
    rest: Vec<u8>,
}

impl Lines {
    /// Begins at this byte of the file.
    pub(crate) fn from(path: PathBuf, offset: u64) -> Self {
        Self { follow: Follow::from(path, offset), rest: Vec::new() }
    }

    /// The next whole line without its break. Waits for it; dropping it loses nothing.
    pub(crate) async fn next(&mut self) -> io::Result<String> {
        loop {
            if let Some(line) = self.buffered() {
                return Ok(line);
            }
            let more = self.follow.next().await?;
            self.rest.extend_from_slice(&more);
        }
    }

    fn buffered(&mut self) -> Option<String> {
        let end = self.rest.iter().position(|byte| *byte == b'\n');
        let length = end.map(|end| end + 1).or_else(|| (self.rest.len() > MAX_LINE).then_some(MAX_LINE))?;
        let line: Vec<u8> = self.rest.drain(..length).collect();
        Some(String::from_utf8_lossy(&line).trim_end().to_owned())
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;
    use crate::console::rotate;

    #[tokio::test(start_paused = true)]
    async fn lines_come_whole_from_before_the_file_exists_and_over_a_rotation() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("console.log");
        let mut lines = Lines::from(path.clone(), 0);
        let writer = tokio::spawn(async move {
            sleep(LOOK * 3).await;
            let mut file = std::fs::File::create(&path).unwrap();
            file.write_all(b"one\r\ntw").unwrap();
            sleep(LOOK * 3).await;
            file.write_all(b"o\n").unwrap();
            sleep(LOOK * 3).await;
            rotate(&path).unwrap();
            std::fs::write(&path, b"three\n").unwrap();
        });
        assert_eq!(lines.next().await.unwrap(), "one");
        assert_eq!(lines.next().await.unwrap(), "two");
        assert_eq!(lines.next().await.unwrap(), "three");
        writer.await.unwrap();
    }
}
