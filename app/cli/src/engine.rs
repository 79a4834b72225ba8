//! The way to the daemon, as the commands need it.

use std::{io, path::Path};

use cove_platform::home::Home;

pub(crate) use cove_client::{Engine, Started};

use crate::failure::Failure;

/// The home of this user's Cove.
///
/// # Errors
/// If the system names none.
pub(crate) fn home() -> Result<Home, Failure> {
    Home::find(None).map_err(|error| Failure::new("find the folder of Cove").because(error))
}

/// A request that is no reason to start a machine that does not run.
pub(crate) fn without_waking<T>(message: T) -> tonic::Request<T> {
    let mut request = tonic::Request::new(message);
    request.metadata_mut().insert(cove_proto::NO_WAKE, tonic::metadata::MetadataValue::from_static("1"));
    request
}

/// Waits until the daemon of this home has ended: until it has given its lock back.
///
/// # Errors
/// If the lock cannot be waited for.
pub(crate) async fn daemon_ended(home: &Home) -> Result<(), Failure> {
    let path = home.lock();
    let wait = move || wait_for_lock(&path);
    let waited = tokio::task::spawn_blocking(wait).await.map_err(io::Error::other).and_then(|waited| waited);
    waited.map_err(|error| Failure::new("wait for the end of coved").because(error))
}

fn wait_for_lock(path: &Path) -> io::Result<()> {
    match std::fs::File::open(path) {
        Ok(file) => file.lock_shared(),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error),
    }
}
