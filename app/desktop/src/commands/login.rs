//! Whether this app starts when the user logs in.

use std::{env, io};

use cove_platform::autostart;
use tauri::async_runtime::spawn_blocking;

use super::Answer;
use crate::wire::failure::Failure;

/// As the tray icon alone, which starts the daemon; the machine stays as it is until it is needed.
const ARGUMENTS: &[&str] = &["--hidden"];

/// Whether it does. The system knows, and is asked each time.
#[tauri::command]
pub(crate) async fn login_get() -> Answer<bool> {
    apart(autostart::is_enabled).await.map_err(|error| Failure::new("start at login cannot be read").because(&error))
}

/// Has it start at login, from the next one on, or no longer; answers what the system says afterwards.
#[tauri::command]
pub(crate) async fn login_set(enabled: bool) -> Answer<bool> {
    apart(move || {
        if enabled {
            autostart::enable(&env::current_exe()?, ARGUMENTS)?;
        } else {
            autostart::disable()?;
        }
        autostart::is_enabled()
    })
    .await
    .map_err(|error| Failure::new("start at login was not changed").because(&error))
}

/// Files and the registry keep their caller waiting.
async fn apart(work: impl FnOnce() -> io::Result<bool> + Send + 'static) -> io::Result<bool> {
    spawn_blocking(work).await.map_err(io::Error::other)?
}
