//! What containers wrote.

use cove_proto::v1::{GetContainerLogsResponse, StdioStream};
use serde::Serialize;

use super::{failure::Failure, time};

/// `LogBatch` of bridge.ts.
#[derive(Debug, Clone, Default, Serialize)]
pub(crate) struct LogBatch {
    /// What came.
    pub(crate) entries: Vec<LogEntry>,
    /// Nothing more comes.
    pub(crate) ended: bool,
    /// Why nothing more comes, if it is not the end.
    pub(crate) failure: Option<Failure>,
}

/// `LogEntry` of bridge.ts.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct LogEntry {
    stream: &'static str,
    time: Option<String>,
    text: String,
    continues: bool,
}

impl From<GetContainerLogsResponse> for LogEntry {
    fn from(entry: GetContainerLogsResponse) -> Self {
        let stream = match entry.stream() {
            StdioStream::Unspecified | StdioStream::Stdout => "stdout",
            StdioStream::Stderr => "stderr",
        };
        let line = entry.data.strip_suffix(b"\n").unwrap_or(&entry.data);
        let text = String::from_utf8_lossy(line).into_owned();
        Self { stream, time: time(entry.time), text, continues: entry.continues }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_loses_its_line_feed_and_what_is_no_text_is_replaced() {
        let entry = GetContainerLogsResponse { data: b"a\xffb\n".to_vec(), ..Default::default() };
        let entry = LogEntry::from(entry);
        assert_eq!((entry.text.as_str(), entry.stream), ("a\u{fffd}b", "stdout"));
    }
}
