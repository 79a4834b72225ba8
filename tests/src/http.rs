//! HTTP/1.1 on a stream: one request after another, whole bodies in memory. Enough for a bench, of
//! whose measurement it is no part, and for tests that ask more often than a command could be started.

use std::io::{BufRead, BufReader, Read, Write};

use anyhow::{Context as _, Result, bail};
use serde_json::Value;

/// The unit in which bodies are sent: larger writes are lost on some vsock devices.
const CHUNK: usize = 16 * 1024;

/// A connection to an HTTP server.
#[derive(Debug)]
pub struct Connection<S: Read + Write> {
    stream: BufReader<S>,
}

/// An answer.
#[derive(Debug, PartialEq, Eq)]
pub struct Answer {
    /// The status code.
    pub status: u16,
    /// The whole body.
    pub body: Vec<u8>,
}

impl<S: Read + Write> Connection<S> {
    /// Takes a stream that is connected to a server.
    pub fn new(stream: S) -> Self {
        Self { stream: BufReader::new(stream) }
    }

    /// Sends a request and reads the answer.
    ///
    /// # Errors
    /// If the connection ends before that, or what comes is no answer.
    pub fn request(&mut self, method: &str, path: &str, media_type: &str, body: &[u8]) -> Result<Answer> {
        let head = format!(
            "{method} {path} HTTP/1.1\r\nHost: docker\r\nContent-Type: {media_type}\r\nContent-Length: {}\r\n\r\n",
            body.len()
        );
        let context = || format!("{method} {path}");
        let writer = self.stream.get_mut();
        // A small request is one write, as clients do it.
        if body.len() < CHUNK {
            writer.write_all(&[head.as_bytes(), body].concat()).with_context(context)?;
        } else {
            writer.write_all(head.as_bytes()).with_context(context)?;
            for chunk in body.chunks(CHUNK) {
                writer.write_all(chunk).with_context(context)?;
            }
        }
        writer.flush().with_context(context)?;
        self.answer().with_context(context)
    }

    /// Asks with a JSON body, or none if that is null, and gives back what is answered in JSON; null if it is nothing.
    ///
    /// # Errors
    /// As [`Self::request`], and if what was asked for was not done.
    pub fn json(&mut self, method: &str, path: &str, body: &Value) -> Result<Value> {
        let body = if body.is_null() { String::new() } else { body.to_string() };
        let answer = self.request(method, path, "application/json", body.as_bytes())?;
        if answer.status >= 400 {
            bail!("{method} {path}: {} {}", answer.status, String::from_utf8_lossy(&answer.body));
        }
        Ok(serde_json::from_slice(&answer.body).unwrap_or_default())
    }

    fn answer(&mut self) -> Result<Answer> {
        let status_line = self.line()?;
        let status = status_line.split(' ').nth(1).and_then(|code| code.parse().ok());
        let status: u16 = status.with_context(|| format!("not an HTTP answer: {status_line:?}"))?;
        let mut length = None;
        let mut chunked = false;
        loop {
            let line = self.line()?.to_ascii_lowercase();
            match line.split_once(':') {
                Some(("content-length", value)) => length = Some(value.trim().parse().context("bad content-length")?),
                Some(("transfer-encoding", value)) => chunked = value.trim() == "chunked",
                Some(_) => {}
                None if line.is_empty() => break,
                None => bail!("not a header: {line:?}"),
            }
        }
        let mut body = Vec::new();
        if chunked {
            self.chunks(&mut body)?;
        } else if let Some(length) = length {
            (&mut self.stream).take(length).read_to_end(&mut body)?;
            if body.len() as u64 != length {
                bail!("the connection ended within the body");
            }
        } else if !matches!(status, 204 | 304) {
            bail!("an answer without length");
        }
        Ok(Answer { status, body })
    }

    fn chunks(&mut self, body: &mut Vec<u8>) -> Result<()> {
        loop {
            let line = self.line()?;
            let digits = line.split(';').next().unwrap_or_default();
            let length = u64::from_str_radix(digits.trim(), 16).with_context(|| format!("bad chunk: {line:?}"))?;
            let read = (&mut self.stream).take(length).read_to_end(body)?;
            if read as u64 != length {
                bail!("the connection ended within the body");
            }
            if !self.line()?.is_empty() {
                bail!("a chunk is longer than it says");
            }
            if length == 0 {
                return Ok(());
            }
        }
    }

    fn line(&mut self) -> Result<String> {
        let mut line = Vec::new();
        self.stream.read_until(b'\n', &mut line)?;
        let text = line.strip_suffix(b"\r\n").context("the connection ended")?;
        Ok(String::from_utf8_lossy(text).into_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What the server sends, and what it was sent.
    struct Scripted(std::io::Cursor<Vec<u8>>, Vec<u8>);

    impl Read for Scripted {
        fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
            self.0.read(buffer)
        }
    }

    impl Write for Scripted {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.1.write(bytes)
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    fn connection(answers: &str) -> Connection<Scripted> {
        Connection::new(Scripted(std::io::Cursor::new(answers.as_bytes().to_vec()), Vec::new()))
    }

    #[test]
    fn answers_follow_one_another_whatever_ends_them() {
        let mut connection = connection(
            "HTTP/1.1 201 Created\r\nContent-Length: 2\r\n\r\n{}HTTP/1.1 204 No Content\r\n\r\n\
             HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n1\r\nd\r\n0\r\n\r\n",
        );
        let mut get = || connection.request("GET", "/x", "application/json", b"").unwrap();
        assert_eq!(get(), Answer { status: 201, body: b"{}".to_vec() });
        assert_eq!(get(), Answer { status: 204, body: vec![] });
        assert_eq!(get(), Answer { status: 200, body: b"abcd".to_vec() });
    }

    #[test]
    fn what_is_cut_off_is_an_error() {
        for answer in ["", "HTTP/1.1 200 OK\r\n", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nab", "SSH-2.0\r\n"] {
            assert!(connection(answer).request("GET", "/x", "text/plain", b"").is_err(), "{answer:?}");
        }
    }

    #[test]
    fn a_request_has_its_length() {
        let mut connection = connection("HTTP/1.1 204 No Content\r\n\r\n");
        connection.request("POST", "/x", "text/plain", b"body").unwrap();
        let sent = String::from_utf8(connection.stream.get_ref().1.clone()).unwrap();
        assert!(sent.starts_with("POST /x HTTP/1.1\r\n") && sent.ends_with("Content-Length: 4\r\n\r\nbody"), "{sent}");
    }
}
