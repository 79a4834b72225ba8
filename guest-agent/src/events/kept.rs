//! The events that are kept, on a file in memory too: the next agent of this boot tells them as well.
//!
//! The file is a row of records, each postcard behind its length. It grows by a record for each event, and is written anew
//! when it holds many more than are kept. A record that was cut off is the end.

use std::{
    collections::VecDeque,
    fs::{self, File},
    io::{self, Write as _},
    path::{Path, PathBuf},
    sync::Arc,
};

use super::Event;

/// How many events are kept for those who come late, as in dockerd.
pub(super) const KEPT: usize = 256;

/// How many records the file may have before it is written anew.
const MOST_RECORDS: usize = 4 * KEPT;

/// The last events, the oldest first.
#[derive(Debug, Default)]
pub(super) struct Kept {
    events: VecDeque<Arc<Event>>,
    file: Option<Records>,
}

#[derive(Debug)]
struct Records {
    path: PathBuf,
    file: File,
    count: usize,
}

impl Kept {
    /// Reads what an earlier agent kept, and goes on from there.
    pub(super) fn open(path: &Path) -> io::Result<Self> {
        let bytes = match fs::read(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
            read => read?,
        };
        let all = records(&bytes);
        let events: VecDeque<_> = all.into_iter().rev().take(KEPT).rev().map(Arc::new).collect();
        let file = Some(Records::write(path, &events)?);
        Ok(Self { events, file })
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Arc<Event>> {
        self.events.iter()
    }

    pub(super) fn push(&mut self, event: Arc<Event>) {
        if self.events.len() == KEPT {
            self.events.pop_front();
        }
        self.events.push_back(Arc::clone(&event));
        if let Err(error) = self.note(&event) {
            tracing::warn!(%error, "events cannot be kept for the next agent");
            self.file = None;
        }
    }

    fn note(&mut self, event: &Event) -> io::Result<()> {
        let Some(records) = &mut self.file else { return Ok(()) };
        if records.count == MOST_RECORDS {
            *records = Records::write(&records.path, &self.events)?;
            return Ok(());
        }
        records.count += 1;
        records.file.write_all(&record(event)?)
    }
}

impl Records {
    /// A file with these events, in the place of the one that there is.
    fn write(path: &Path, events: &VecDeque<Arc<Event>>) -> io::Result<Self> {
        let new = path.with_extension("new");
        let mut file = File::create(&new)?;
        let mut bytes = Vec::new();
        for event in events {
            bytes.extend(record(event)?);
        }
        file.write_all(&bytes)?;
        fs::rename(&new, path)?;
        Ok(Self { path: path.to_owned(), file, count: events.len() })
    }
}

fn record(event: &Event) -> io::Result<Vec<u8>> {
    let body = postcard::to_stdvec(event).map_err(io::Error::other)?;
    let length = u32::try_from(body.len()).map_err(io::Error::other)?;
    Ok([&length.to_le_bytes()[..], &body].concat())
}

fn records(mut bytes: &[u8]) -> Vec<Event> {
    let mut events = Vec::new();
    while let Some((length, rest)) = bytes.split_first_chunk() {
        let length = usize::try_from(u32::from_le_bytes(*length)).unwrap_or(usize::MAX);
        let Some((body, rest)) = rest.split_at_checked(length) else { break };
        let Ok(event) = postcard::from_bytes(body) else { break };
        events.push(event);
        bytes = rest;
    }
    events
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::events::Kind;

    fn event(action: usize) -> Arc<Event> {
        Arc::new(Event::new(Kind::Image, action.to_string(), "i").with("name", "n"))
    }

    fn actions(kept: &Kept) -> Vec<usize> {
        kept.iter().map(|event| event.action.parse().unwrap()).collect()
    }

    #[test]
    fn the_next_agent_has_what_was_kept_and_the_file_stays_small() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("events");
        let mut kept = Kept::open(&path).unwrap();
        (0..5000).for_each(|at| kept.push(event(at)));
        assert_eq!(actions(&kept), (5000 - KEPT..5000).collect::<Vec<_>>());
        assert!(records(&fs::read(&path).unwrap()).len() <= MOST_RECORDS);
        let mut next = Kept::open(&path).unwrap();
        assert_eq!(actions(&next), actions(&kept));
        next.push(event(5000));
        assert_eq!(actions(&Kept::open(&path).unwrap()).last(), Some(&5000));
    }

    #[test]
    fn a_record_that_was_cut_off_is_the_end() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("events");
        let mut kept = Kept::open(&path).unwrap();
        (0..3).for_each(|at| kept.push(event(at)));
        let bytes = fs::read(&path).unwrap();
        fs::write(&path, &bytes[..bytes.len() - 1]).unwrap();
        assert_eq!(actions(&Kept::open(&path).unwrap()), [0, 1]);
    }
}
