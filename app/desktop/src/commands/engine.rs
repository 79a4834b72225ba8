//! The link to the daemon.

use tauri::State;

use crate::{link::Link, wire::engine::Engine};

/// Whether the daemon is reached.
#[tauri::command]
pub(crate) fn engine_get(link: State<'_, Link>) -> Engine {
    link.connection().borrow().wire()
}

/// Connects again, and starts the daemon if it does not run.
#[tauri::command]
pub(crate) async fn engine_retry(link: State<'_, Link>) -> Result<Engine, ()> {
    Ok(link.again().await.wire())
}
