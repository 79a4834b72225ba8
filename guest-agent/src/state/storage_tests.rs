//! What the disk does to the database: the power fails at each flush, with any of the writes since the last one on the
//! disk or not; sectors are damaged.

use std::{
    io,
    sync::{Arc, Mutex, PoisonError},
};

use redb::StorageBackend;

use super::*;

const NOTES: Records<u64> = Records::new("notes");
const KEYS: u64 = 40;
/// So many ways in which the writes since a flush may have reached the disk, beside none, all, and all to a point.
const MIXTURES: u64 = 4;
const SECTOR: usize = 512;

/// A disk that keeps what was done to it.
#[derive(Debug, Clone, Default)]
struct Disk(Arc<Mutex<Recorded>>);

#[derive(Debug, Default)]
struct Recorded {
    now: Vec<u8>,
    done: Vec<Done>,
}

#[derive(Debug, Clone)]
enum Done {
    Length(u64),
    Write(u64, Vec<u8>),
    Sync,
}

impl Disk {
    fn with(content: Vec<u8>) -> Self {
        Self(Arc::new(Mutex::new(Recorded { now: content, done: Vec::new() })))
    }

    fn recorded<T>(&self, look: impl FnOnce(&mut Recorded) -> T) -> T {
        look(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn do_it(&self, done: Done) -> io::Result<()> {
        self.recorded(|recorded| {
            apply(&mut recorded.now, &done);
            recorded.done.push(done);
        });
        Ok(())
    }

    fn open(&self) -> Result<Database, redb::DatabaseError> {
        Database::on(self.clone(), watch::channel(false).1)
    }
}

fn apply(content: &mut Vec<u8>, done: &Done) {
    match done {
        Done::Length(length) => content.resize(usize::try_from(*length).unwrap(), 0),
        Done::Write(offset, data) => {
            let offset = usize::try_from(*offset).unwrap();
            content[offset..offset + data.len()].copy_from_slice(data);
        }
        Done::Sync => {}
    }
}

impl StorageBackend for Disk {
    fn len(&self) -> io::Result<u64> {
        Ok(self.recorded(|recorded| recorded.now.len() as u64))
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        let offset = usize::try_from(offset).map_err(io::Error::other)?;
        self.recorded(|recorded| {
            let there = recorded.now.get(offset..offset + out.len()).ok_or(io::ErrorKind::UnexpectedEof)?;
            out.copy_from_slice(there);
            Ok(())
        })
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.do_it(Done::Length(len))
    }

    fn sync_data(&self) -> io::Result<()> {
        self.do_it(Done::Sync)
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.do_it(Done::Write(offset, data.to_vec()))
    }
}

/// Change `number` sets a key to it, deletes another, and now and then writes much.
fn change(database: &Database, number: u64) {
    database
        .write_blocking(|changes| {
            NOTES.put(changes, &(number % KEYS).to_string(), &number)?;
            NOTES.delete(changes, &((number + KEYS / 2) % KEYS).to_string())?;
            let many = if number.is_multiple_of(16) { 0..200 } else { 0..0 };
            many.into_iter().try_for_each(|other| NOTES.put(changes, &format!("more-{other}"), &number))
        })
        .unwrap_or_else(|error: StateError| panic!("change {number}: {error}"));
}

/// What is there after so many changes.
fn model(changes: u64) -> Vec<(String, u64)> {
    let mut notes = std::collections::BTreeMap::new();
    for number in 1..=changes {
        notes.insert((number % KEYS).to_string(), number);
        notes.remove(&((number + KEYS / 2) % KEYS).to_string());
        let many = if number.is_multiple_of(16) { 0..200 } else { 0..0 };
        notes.extend(many.map(|other| (format!("more-{other}"), number)));
    }
    notes.into_iter().collect()
}

/// A disk, what was on it when the database was made, and how many things had been done to it when each change was
/// acknowledged.
fn written(changes: u64) -> (Disk, Vec<u8>, Vec<usize>) {
    let disk = Disk::default();
    drop(disk.open().unwrap());
    let made = disk.recorded(|recorded| {
        recorded.done.clear();
        recorded.now.clone()
    });
    let database = disk.open().unwrap();
    let done = || disk.recorded(|recorded| recorded.done.len());
    let acknowledged = (1..=changes).map(|number| (change(&database, number), done()).1).collect();
    // An agent is killed; it never closes its database.
    std::mem::forget(database);
    (disk, made, acknowledged)
}

/// Numbers that are the same in every run.
fn next(state: &mut u64) -> u64 {
    *state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
    *state >> 33
}

/// Which of the writes since the last flush are on the disk.
fn survivors(writes: usize, seed: u64) -> Vec<Vec<bool>> {
    let mut state = seed;
    let to_a_point = (0..=writes).map(|point| (0..writes).map(|at| at < point).collect());
    let mixed =
        (0..MIXTURES).map(|_| (0..writes).map(|_| next(&mut state).is_multiple_of(2)).collect()).collect::<Vec<_>>();
    to_a_point.chain(mixed).collect()
}

#[test]
fn what_was_acknowledged_outlives_a_power_cut_between_any_two_flushes() {
    const CHANGES: u64 = 48;
    let (disk, mut flushed, acknowledged) = written(CHANGES);
    let done = disk.recorded(|recorded| recorded.done.clone());
    let (mut from, mut cuts) = (0, 0);
    for to in (0..done.len()).filter(|at| matches!(done[*at], Done::Sync)) {
        let since = &done[from..to];
        for survive in survivors(since.len(), to as u64) {
            let mut content = flushed.clone();
            // A length is of the file's own records, which the file system's journal keeps in order.
            since.iter().zip(&survive).for_each(|(done, survives)| {
                if *survives || matches!(done, Done::Length(_)) {
                    apply(&mut content, done);
                }
            });
            is_whole(content, acknowledged.iter().filter(|at| **at <= to).count() as u64);
            cuts += 1;
        }
        since.iter().for_each(|done| apply(&mut flushed, done));
        from = to;
    }
    assert!(cuts > 500, "{cuts} cuts only");
}

/// All changes that were acknowledged are there, and the one that was being made is there whole or not at all.
fn is_whole(content: Vec<u8>, acknowledged: u64) {
    let database = Disk::with(content).open().unwrap_or_else(|error| panic!("after {acknowledged} changes: {error}"));
    let there = NOTES.all(&database).unwrap();
    let expected = [acknowledged, acknowledged + 1].map(model);
    assert!(expected.contains(&there), "after {acknowledged} changes: {there:?}");
}

#[test]
fn a_damaged_sector_is_told_or_costs_the_last_change_and_never_makes_a_record_up() {
    const CHANGES: u64 = 24;
    let (disk, ..) = written(CHANGES);
    let content = disk.recorded(|recorded| recorded.now.clone());
    let expected = [CHANGES, CHANGES - 1].map(model);
    let used = |sector: &usize| content[sector * SECTOR..(sector + 1) * SECTOR].iter().any(|byte| *byte != 0);
    let mut told = 0;
    for sector in (0..content.len() / SECTOR).filter(used) {
        let mut damaged = content.clone();
        damaged[sector * SECTOR..(sector + 1) * SECTOR].iter_mut().for_each(|byte| *byte = !*byte);
        match Disk::with(damaged).open() {
            Ok(database) => match NOTES.all(&database) {
                Ok(there) => assert!(expected.contains(&there), "sector {sector}: {there:?}"),
                Err(error) => drop(error),
            },
            Err(error) => {
                let error = StateError::cannot_open(Path::new("state.redb"), error);
                assert!(matches!(error, StateError::Damaged { .. }), "sector {sector}: {error:?}");
                told += 1;
            }
        }
    }
    assert!(told > 0, "no damage was told");
}
