//! The engine's database: one redb file on the data disk, in which containers and images keep their records.
//!
//! A record is postcard under a string key, in a table of its owner ([`Records`]); who owns a table decides what is in it,
//! and may also use redb's own types through [`Database::raw`]. Every change is one transaction. Writers take turns on a
//! blocking thread, so that no worker of the runtime waits for a disk.

mod file;
mod records;
#[cfg(test)]
mod storage_tests;

use std::{fs, io, path::Path, sync::Arc};

use redb::{ReadableDatabase, ReadableTable, TableDefinition};
use tokio::sync::watch;

use self::file::DatabaseFile;
pub use self::records::Records;

/// redb's default of 1 GiB would be most of the guest's memory.
const CACHE_BYTES: usize = 4 * 1024 * 1024;

/// What the records look like. A change that an older agent could not read raises it.
const SCHEMA: u64 = 1;

const META: TableDefinition<'static, &'static str, u64> = TableDefinition::new("meta");
const SCHEMA_KEY: &str = "schema";

/// A handle to the database; clones share it.
#[derive(Clone)]
pub struct Database {
    redb: Arc<redb::Database>,
    failed: watch::Receiver<bool>,
}

impl std::fmt::Debug for Database {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Database(..)")
    }
}

/// A change that is being made; see [`Database::write`].
pub type Changes = redb::WriteTransaction;

/// Why the database cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum StateError {
    /// The file cannot be opened or made.
    #[error("cannot open the database {path}")]
    Open {
        /// The file.
        path: String,
        /// What redb says.
        #[source]
        source: redb::DatabaseError,
    },
    /// Something else than redb has written to the file, or the disk has lost what was on it.
    #[error(
        "the database {path} is damaged; nothing was changed: put a copy of the data disk in its place, or move it away and \
         start anew (volumes are folders on it, and still there)"
    )]
    Damaged {
        /// The file.
        path: String,
        /// What redb says.
        #[source]
        source: redb::DatabaseError,
    },
    /// A later version of Cove wrote it.
    #[error(
        "the database was written by a newer version of Cove (schema {found}, this one knows {SCHEMA}); update Cove, or remove the data disk"
    )]
    Schema {
        /// The version found.
        found: u64,
    },
    /// Reading or writing failed.
    #[error("the database failed")]
    Storage(#[source] Box<redb::Error>),
    /// A record cannot be read.
    #[error("the record {key} of {table} is damaged")]
    Decode {
        /// Its table.
        table: &'static str,
        /// Its key.
        key: String,
        /// What postcard says.
        #[source]
        source: postcard::Error,
    },
    /// A record cannot be written.
    #[error("the record {key} of {table} cannot be encoded")]
    Encode {
        /// Its table.
        table: &'static str,
        /// Its key.
        key: String,
        /// What postcard says.
        #[source]
        source: postcard::Error,
    },
    /// The thread that wrote is gone: the agent is shutting down.
    #[error("the agent is shutting down")]
    Shutdown,
}

impl<E: Into<redb::Error>> From<E> for StateError {
    fn from(error: E) -> Self {
        Self::Storage(Box::new(error.into()))
    }
}

impl StateError {
    fn cannot_open(path: &Path, source: redb::DatabaseError) -> Self {
        let path = path.display().to_string();
        let is_damaged = match &source {
            redb::DatabaseError::Storage(redb::StorageError::Corrupted(_)) => true,
            redb::DatabaseError::Storage(redb::StorageError::Io(error)) => error.kind() == io::ErrorKind::InvalidData,
            _ => false,
        };
        if is_damaged { Self::Damaged { path, source } } else { Self::Open { path, source } }
    }

    /// Whether another agent would fail in the same way: only who owns the data disk can do something about it.
    #[must_use]
    pub fn is_final(&self) -> bool {
        matches!(self, Self::Damaged { .. } | Self::Schema { .. })
    }

    /// Whether the data disk is full.
    #[must_use]
    pub fn is_disk_full(&self) -> bool {
        matches!(self, Self::Storage(error)
            if matches!(&**error, redb::Error::Io(e) if e.kind() == io::ErrorKind::StorageFull))
    }
}

impl Database {
    /// Opens the database, and makes it if there is none.
    ///
    /// # Errors
    /// If the file cannot be used, or a newer Cove wrote it.
    pub fn open(path: &Path) -> Result<Self, StateError> {
        let open = || {
            if !path.exists() {
                Self::make(path)?;
            }
            Self::in_file(path)
        };
        let database = open().map_err(|source| StateError::cannot_open(path, source))?;
        database.check_schema()?;
        Ok(database)
    }

    /// Makes the file under another name, so that under its own it is never half a database: redb could not tell that from
    /// a damaged one.
    fn make(path: &Path) -> Result<(), redb::DatabaseError> {
        let unfinished = path.with_added_extension("new");
        let put = |result: io::Result<()>| result.map_err(redb::StorageError::Io);
        match fs::remove_file(&unfinished) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => put(Err(error))?,
            _ => {}
        }
        drop(Self::in_file(&unfinished)?);
        put(fs::rename(&unfinished, path))?;
        let folder = path.parent().unwrap_or(Path::new("."));
        Ok(put(fs::File::open(folder).and_then(|folder| folder.sync_all()))?)
    }

    fn in_file(path: &Path) -> Result<Self, redb::DatabaseError> {
        let (tell, failed) = watch::channel(false);
        Self::on(DatabaseFile::open(path, tell).map_err(redb::StorageError::Io)?, failed)
    }

    fn on(storage: impl redb::StorageBackend, failed: watch::Receiver<bool>) -> Result<Self, redb::DatabaseError> {
        let redb = redb::Builder::new().set_cache_size(CACHE_BYTES).create_with_backend(storage)?;
        Ok(Self { redb: Arc::new(redb), failed })
    }

    fn check_schema(&self) -> Result<(), StateError> {
        self.write_blocking(|changes| {
            let mut meta = changes.open_table(META)?;
            let found = meta.get(SCHEMA_KEY)?.map(|value| value.value());
            match found {
                Some(SCHEMA) => Ok(()),
                Some(found) if found > SCHEMA => Err(StateError::Schema { found }),
                _ => {
                    meta.insert(SCHEMA_KEY, SCHEMA)?;
                    Ok(())
                }
            }
        })
    }

    /// redb itself, for tables that are not [`Records`].
    #[must_use]
    pub fn raw(&self) -> &redb::Database {
        &self.redb
    }

    /// redb itself, to keep.
    #[must_use]
    pub fn shared(&self) -> Arc<redb::Database> {
        Arc::clone(&self.redb)
    }

    /// Waits until the file has failed. From then on every change is refused, until the database is opened again.
    pub async fn failed(&self) {
        let mut failed = self.failed.clone();
        if failed.wait_for(|failed| *failed).await.is_err() {
            // Closed without a failure.
            std::future::pending::<()>().await;
        }
    }

    /// Makes a change: all of it, on the disk when this returns, or nothing.
    ///
    /// # Errors
    /// Those of `change`, and if it cannot be committed.
    pub async fn write<T, E, F>(&self, change: F) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<StateError> + Send + 'static,
        F: FnOnce(&Changes) -> Result<T, E> + Send + 'static,
    {
        let database = self.clone();
        match tokio::task::spawn_blocking(move || database.write_blocking(change)).await {
            Ok(result) => result,
            Err(_) => Err(StateError::Shutdown.into()),
        }
    }

    /// [`Database::write`] for a thread that may block.
    ///
    /// # Errors
    /// Those of `change`, and if it cannot be committed.
    pub fn write_blocking<T, E, F>(&self, change: F) -> Result<T, E>
    where
        E: From<StateError>,
        F: FnOnce(&Changes) -> Result<T, E>,
    {
        let changes = self.redb.begin_write().map_err(StateError::from)?;
        // Dropped on an error, a transaction is undone.
        let value = change(&changes)?;
        changes.commit().map_err(StateError::from)?;
        Ok(value)
    }

    /// The state at this moment, for reading.
    ///
    /// # Errors
    /// If the file cannot be read.
    pub fn read(&self) -> Result<redb::ReadTransaction, StateError> {
        Ok(self.redb.begin_read()?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
    struct Note {
        text: String,
    }

    const NOTES: Records<Note> = Records::new("notes");

    fn note(text: &str) -> Note {
        Note { text: text.to_owned() }
    }

    #[tokio::test]
    async fn what_was_written_is_there_after_opening_again() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("state.redb");
        let database = Database::open(&path).unwrap();
        database.write(|changes| NOTES.put(changes, "a", &note("one"))).await.unwrap();
        drop(database);
        let database = Database::open(&path).unwrap();
        assert_eq!(NOTES.get(&database, "a").unwrap(), Some(note("one")));
        assert_eq!(NOTES.all(&database).unwrap(), [("a".to_owned(), note("one"))]);
    }

    #[tokio::test]
    async fn a_change_that_fails_leaves_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let database = Database::open(&folder.path().join("state.redb")).unwrap();
        let failed: Result<(), StateError> = database
            .write(|changes| {
                NOTES.put(changes, "a", &note("one"))?;
                Err(StateError::Shutdown)
            })
            .await;
        assert!(matches!(failed, Err(StateError::Shutdown)));
        assert_eq!(NOTES.get(&database, "a").unwrap(), None);
    }

    #[test]
    fn a_database_that_was_not_finished_is_made_anew_and_one_that_is_none_is_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("state.redb");
        let unfinished = folder.path().join("state.redb.new");
        fs::write(&unfinished, [0; 4096]).unwrap();
        drop(Database::open(&path).unwrap());
        assert!(!unfinished.exists());
        fs::write(&path, [7; 4096]).unwrap();
        let error = Database::open(&path).unwrap_err();
        assert!(matches!(error, StateError::Damaged { .. }) && error.is_final(), "{error}");
        assert_eq!(fs::read(&path).unwrap(), [7; 4096]);
    }

    #[test]
    fn a_table_that_nobody_wrote_to_is_empty() {
        let folder = tempfile::tempdir().unwrap();
        let database = Database::open(&folder.path().join("state.redb")).unwrap();
        assert_eq!(NOTES.all(&database).unwrap(), []);
        assert_eq!(NOTES.get(&database, "a").unwrap(), None);
    }

    #[test]
    fn a_newer_schema_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("state.redb");
        let database = Database::open(&path).unwrap();
        database
            .write_blocking(|changes| {
                changes.open_table(META)?.insert(SCHEMA_KEY, SCHEMA + 1)?;
                Ok::<_, StateError>(())
            })
            .unwrap();
        drop(database);
        assert!(matches!(Database::open(&path), Err(StateError::Schema { found }) if found == SCHEMA + 1));
    }
}
