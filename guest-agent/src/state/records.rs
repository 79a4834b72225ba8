//! A table of records of one type: postcard under a string key.

use std::marker::PhantomData;

use redb::{ReadableTable, TableDefinition, TableError};
use serde::{Serialize, de::DeserializeOwned};

use super::{Changes, Database, StateError};

/// The table `name`, whose values are `T`.
#[derive(Debug)]
pub struct Records<T> {
    name: &'static str,
    holds: PhantomData<fn() -> T>,
}

impl<T: Serialize + DeserializeOwned> Records<T> {
    /// The table of this name.
    #[must_use]
    pub const fn new(name: &'static str) -> Self {
        Self { name, holds: PhantomData }
    }

    const fn definition(&self) -> TableDefinition<'static, &'static str, &'static [u8]> {
        TableDefinition::new(self.name)
    }

    /// The record under `key`.
    ///
    /// # Errors
    /// If the database cannot be read or the record is damaged.
    pub fn get(&self, database: &Database, key: &str) -> Result<Option<T>, StateError> {
        let table = match database.read()?.open_table(self.definition()) {
            Ok(table) => table,
            Err(TableError::TableDoesNotExist(_)) => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        table.get(key)?.map(|value| self.decode(key, value.value())).transpose()
    }

    /// All records with their keys, in the order of the keys.
    ///
    /// # Errors
    /// If the database cannot be read or a record is damaged.
    pub fn all(&self, database: &Database) -> Result<Vec<(String, T)>, StateError> {
        let table = match database.read()?.open_table(self.definition()) {
            Ok(table) => table,
            Err(TableError::TableDoesNotExist(_)) => return Ok(Vec::new()),
            Err(error) => return Err(error.into()),
        };
        let mut records = Vec::new();
        for entry in table.iter()? {
            let (key, value) = entry?;
            records.push((key.value().to_owned(), self.decode(key.value(), value.value())?));
        }
        Ok(records)
    }

    /// Writes a record; replaces the one that was there.
    ///
    /// # Errors
    /// If it cannot be encoded or written.
    pub fn put(&self, changes: &Changes, key: &str, record: &T) -> Result<(), StateError> {
        let bytes = postcard::to_stdvec(record).map_err(|source| StateError::Encode {
            table: self.name,
            key: key.to_owned(),
            source,
        })?;
        changes.open_table(self.definition())?.insert(key, bytes.as_slice())?;
        Ok(())
    }

    /// Deletes a record; says whether there was one.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn delete(&self, changes: &Changes, key: &str) -> Result<bool, StateError> {
        Ok(changes.open_table(self.definition())?.remove(key)?.is_some())
    }

    fn decode(&self, key: &str, bytes: &[u8]) -> Result<T, StateError> {
        postcard::from_bytes(bytes).map_err(|source| StateError::Decode {
            table: self.name,
            key: key.to_owned(),
            source,
        })
    }
}
