//! One window per home. The first one holds a lock and listens; whoever comes later connects, which raises the first one's
//! window, and leaves.

use anyhow::{Context, bail};
use cove_platform::{
    home::Home,
    local::{Endpoint, LocalListener, LocalStream},
    lock::{InstanceLock, LockError},
};
use tauri::AppHandle;

use crate::window;

/// This is the only one, for as long as this is kept.
#[derive(Debug)]
pub(crate) struct Instance {
    listener: LocalListener,
    _lock: InstanceLock,
}

/// Becomes the only one; nothing if there is one, whose window is raised then.
///
/// # Errors
/// If there is one that does not answer, or the lock or the endpoint cannot be used.
pub(crate) async fn claim(home: &Home) -> anyhow::Result<Option<Instance>> {
    let endpoint = Endpoint::in_folder(&home.run(), "desktop");
    endpoint.check()?;
    match InstanceLock::take(&home.run().join("desktop.lock")) {
        Ok(lock) => {
            let listener = LocalListener::bind(&endpoint)?;
            Ok(Some(Instance { listener, _lock: lock }))
        }
        Err(LockError::Held { pid }) => {
            let Err(error) = LocalStream::connect(&endpoint).await else { return Ok(None) };
            let who = pid.map(|pid| format!(" (pid {pid})")).unwrap_or_default();
            bail!("Cove is open already{who} and does not answer: {error}; end that process and start again");
        }
        Err(error) => Err(error).context("look for another window"),
    }
}

impl Instance {
    /// Raises the window for each that comes later.
    pub(crate) async fn serve(mut self, app: AppHandle) {
        loop {
            match self.listener.accept().await {
                Ok(_) => window::show(&app),
                // A stranger, or the system is short of something; neither is a reason to stop listening.
                Err(_) => tokio::time::sleep(std::time::Duration::from_millis(100)).await,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_second_finds_the_first_and_leaves() {
        let folder = tempfile::tempdir().unwrap();
        let home = Home::find(Some(folder.path().to_owned())).unwrap();
        home.prepare().unwrap();
        let first = claim(&home).await.unwrap();
        assert!(first.is_some());
        assert!(claim(&home).await.unwrap().is_none());
        drop(first);
        assert!(claim(&home).await.unwrap().is_some());
    }

    #[tokio::test]
    async fn a_first_one_that_does_not_answer_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let home = Home::find(Some(folder.path().to_owned())).unwrap();
        home.prepare().unwrap();
        let _lock = InstanceLock::take(&home.run().join("desktop.lock")).unwrap();
        let error = claim(&home).await.unwrap_err().to_string();
        assert!(error.contains(&format!("pid {}", std::process::id())) && error.contains("start again"), "{error}");
    }
}
