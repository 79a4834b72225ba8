//! What containers wrote: read from the agent in batches that the page can keep up with.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use cove_proto::v1::{GetContainerLogsRequest, GetContainerLogsResponse};
use tauri::{AppHandle, Emitter, State};
use tokio::{task::AbortHandle, time::Instant};
use tonic::{Status, Streaming};

use super::{Answer, failed, no_wake};
use crate::{
    link::Link,
    window,
    wire::{
        failure::Failure,
        logs::{LogBatch, LogEntry},
    },
};

/// How long entries are gathered.
const BATCH: Duration = Duration::from_millis(50);

/// The most that one batch holds. A container that writes faster waits, by way of the stream's window.
const MOST_ENTRIES: usize = 2000;
const MOST_BYTES: usize = 1 << 20;

/// The logs that are open, by the page's tokens.
#[derive(Debug, Clone, Default)]
pub(crate) struct OpenLogs(Arc<Mutex<HashMap<String, AbortHandle>>>);

impl OpenLogs {
    fn all(&self) -> MutexGuard<'_, HashMap<String, AbortHandle>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Stops reading one.
    fn close(&self, token: &str) {
        if let Some(reading) = self.all().remove(token) {
            reading.abort();
        }
    }
}

/// Begins to read a log; the event `logs:<token>` brings it.
#[tauri::command]
pub(crate) async fn logs_open(
    app: AppHandle,
    link: State<'_, Link>,
    open: State<'_, OpenLogs>,
    id: String,
    follow: bool,
    tail_lines: u64,
    token: String,
) -> Answer<()> {
    if token.is_empty() || !token.chars().all(|c| c.is_ascii_alphanumeric() || c == '-') {
        return Err(Failure::new("the log was not opened: its token is not made of letters, digits and hyphens"));
    }
    let request = GetContainerLogsRequest {
        container: id,
        stdout: true,
        stderr: true,
        follow,
        since: None,
        until: None,
        tail_lines: (tail_lines > 0).then_some(tail_lines),
    };
    let answer = link.engine().await?.containers().get_container_logs(no_wake(request)).await;
    let lines = answer.map_err(failed("the log cannot be read"))?.into_inner();
    open.close(&token);
    let (logs, key) = (open.inner().clone(), token.clone());
    let reading = tokio::spawn(async move {
        let event = format!("logs:{token}");
        // A page that is gone needs no log.
        let send = |batch: LogBatch| app.emit_to(window::MAIN, &event, batch).is_ok();
        read(lines, send).await;
        logs.all().remove(&token);
    });
    open.all().insert(key, reading.abort_handle());
    Ok(())
}

/// Stops reading a log.
#[tauri::command]
pub(crate) fn logs_close(open: State<'_, OpenLogs>, token: String) {
    open.close(&token);
}

async fn read(mut lines: Streaming<GetContainerLogsResponse>, send: impl Fn(LogBatch) -> bool) {
    loop {
        let (batch, slot) = gather(&mut lines).await;
        let ended = batch.ended;
        if !send(batch) || ended {
            return;
        }
        tokio::time::sleep_until(slot).await;
    }
}

/// Waits for the first entry, then gathers what comes; says when the next batch may go.
async fn gather(lines: &mut Streaming<GetContainerLogsResponse>) -> (LogBatch, Instant) {
    let mut batch = LogBatch::default();
    let mut bytes = 0;
    let mut next = lines.message().await;
    let slot = Instant::now() + BATCH;
    loop {
        bytes += next.as_ref().map_or(0, |entry| entry.as_ref().map_or(0, |entry| entry.data.len()));
        if !add(&mut batch, next) || batch.entries.len() >= MOST_ENTRIES || bytes >= MOST_BYTES {
            return (batch, slot);
        }
        match tokio::time::timeout_at(slot, lines.message()).await {
            Ok(entry) => next = entry,
            Err(_) => return (batch, slot),
        }
    }
}

/// Adds an entry, or the end; says whether more may come.
fn add(batch: &mut LogBatch, entry: Result<Option<GetContainerLogsResponse>, Status>) -> bool {
    match entry {
        Ok(Some(entry)) => {
            batch.entries.push(LogEntry::from(entry));
            return true;
        }
        Ok(None) => {}
        Err(status) => batch.failure = Some(Failure::of("the log broke off", &status)),
    }
    batch.ended = true;
    false
}
