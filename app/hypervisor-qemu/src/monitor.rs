//! QEMU's control channel, QMP: JSON lines over a socket pair that no other process can open.

use std::{collections::VecDeque, io, os::unix::net};

use serde::Deserialize;
use serde_json::{Value, json};
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines},
    net::{
        UnixStream,
        unix::{OwnedReadHalf, OwnedWriteHalf},
    },
};

/// Why the monitor could not be spoken to.
#[derive(Debug, thiserror::Error)]
pub(crate) enum MonitorError {
    /// The channel failed.
    #[error("QEMU's monitor")]
    Stream(#[from] io::Error),
    /// QEMU closed it.
    #[error("QEMU closed its monitor")]
    Closed,
    /// It says something else than JSON.
    #[error("understand QEMU's monitor")]
    Json(#[from] serde_json::Error),
    /// It refused a command.
    #[error("QEMU refused {command}: {reason}")]
    Refused {
        /// The command.
        command: String,
        /// Its reason.
        reason: String,
    },
}

/// What QEMU tells unasked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Event {
    /// It shuts down, for this reason: "guest-shutdown".
    Shutdown(String),
    /// The guest's kernel panicked.
    Panicked,
    /// The host's disk did not do what the guest asked; QEMU's reason.
    DiskError(String),
}

#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Message {
    Event {
        event: String,
        #[serde(default)]
        data: Value,
    },
    Return {
        #[serde(rename = "return")]
        value: Value,
    },
    Error {
        error: Refusal,
    },
    Greeting {
        #[serde(rename = "QMP")]
        _greeting: Value,
    },
}

#[derive(Debug, Deserialize)]
struct Refusal {
    desc: String,
}

/// The channel.
#[derive(Debug)]
pub(crate) struct Monitor {
    reader: Lines<BufReader<OwnedReadHalf>>,
    writer: OwnedWriteHalf,
    events: VecDeque<Event>,
}

impl Monitor {
    /// Takes our end of the pair and waits until QEMU accepts commands.
    pub(crate) async fn greet(stream: net::UnixStream) -> Result<Self, MonitorError> {
        stream.set_nonblocking(true)?;
        let (reader, writer) = UnixStream::from_std(stream)?.into_split();
        let mut monitor = Self { reader: BufReader::new(reader).lines(), writer, events: VecDeque::new() };
        while !matches!(monitor.message().await?, Message::Greeting { .. }) {}
        monitor.execute("qmp_capabilities").await?;
        Ok(monitor)
    }

    /// Carries out a command without arguments.
    pub(crate) async fn execute(&mut self, command: &str) -> Result<Value, MonitorError> {
        let mut line = json!({ "execute": command }).to_string();
        line.push('\n');
        self.writer.write_all(line.as_bytes()).await?;
        loop {
            match self.message().await? {
                Message::Return { value } => return Ok(value),
                Message::Error { error } => {
                    return Err(MonitorError::Refused { command: command.to_owned(), reason: error.desc });
                }
                Message::Event { event, data } => self.events.extend(known(&event, &data)),
                Message::Greeting { .. } => {}
            }
        }
    }

    /// The next event that matters here; `None` when QEMU has closed the channel. Dropping it loses nothing.
    pub(crate) async fn next(&mut self) -> Option<Event> {
        loop {
            if let Some(event) = self.events.pop_front() {
                return Some(event);
            }
            match self.message().await {
                Ok(Message::Event { event, data }) => self.events.extend(known(&event, &data)),
                Ok(_) => {}
                Err(MonitorError::Json(error)) => tracing::warn!(%error, "QEMU's monitor says something unknown"),
                Err(_) => return None,
            }
        }
    }

    async fn message(&mut self) -> Result<Message, MonitorError> {
        let line = self.reader.next_line().await?.ok_or(MonitorError::Closed)?;
        Ok(serde_json::from_str(&line)?)
    }
}

fn known(event: &str, data: &Value) -> Option<Event> {
    let text = |name: &str| data[name].as_str().unwrap_or_default().to_owned();
    match event {
        "SHUTDOWN" => Some(Event::Shutdown(text("reason"))),
        "GUEST_PANICKED" => Some(Event::Panicked),
        "BLOCK_IO_ERROR" => Some(Event::DiskError(text("reason"))),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::AsyncReadExt;

    use super::*;

    #[tokio::test]
    async fn events_between_question_and_answer_are_kept() {
        let (ours, theirs) = net::UnixStream::pair().unwrap();
        theirs.set_nonblocking(true).unwrap();
        let mut qemu = UnixStream::from_std(theirs).unwrap();
        let script = tokio::spawn(async move {
            let said = br#"{"QMP": {"version": {}, "capabilities": ["oob"]}}
{"timestamp": {"seconds": 1, "microseconds": 2}, "event": "RESUME"}
{"timestamp": {"seconds": 1, "microseconds": 2}, "event": "SHUTDOWN", "data": {"guest": true, "reason": "guest-reset"}}
{"return": {}}
"#;
            qemu.write_all(said).await.unwrap();
            let mut asked = vec![0; 31];
            qemu.read_exact(&mut asked).await.unwrap();
            assert_eq!(asked, b"{\"execute\":\"qmp_capabilities\"}\n");
            qemu.write_all(b"{\"error\": {\"class\": \"GenericError\", \"desc\": \"no\"}}\n").await.unwrap();
        });
        let mut monitor = Monitor::greet(ours).await.unwrap();
        let refused = monitor.execute("nonsense").await.unwrap_err();
        assert_eq!(refused.to_string(), "QEMU refused nonsense: no");
        assert_eq!(monitor.next().await, Some(Event::Shutdown("guest-reset".to_owned())));
        assert_eq!(monitor.next().await, None);
        script.await.unwrap();
    }
}
