//! What the link says, told to the page while it is looked at. A window that is shown again is told everything anew.

use serde::Serialize;
use tauri::{AppHandle, Emitter, Manager};
use tokio::sync::watch;

use crate::{link::Link, window};

/// Tells the page from now on.
pub(crate) fn tell(app: &AppHandle, link: &Link) {
    each(app, "engine", link.connection(), |connection| Some(connection.wire()));
    each(app, "machine", link.machine(), Clone::clone);
    each(app, "containers", link.containers(), |containers| Some(containers.clone()));
}

/// Sends each change of one thing as one event, and the present one when the window is shown again.
fn each<T, E>(
    app: &AppHandle,
    event: &'static str,
    mut news: watch::Receiver<T>,
    encode: impl Fn(&T) -> Option<E> + Send + 'static,
) where
    T: Send + Sync + 'static,
    E: Serialize + Clone + Send + 'static,
{
    let app = app.clone();
    let mut shown = app.state::<window::Shown>().watch();
    tauri::async_runtime::spawn(async move {
        while shown.wait_for(|shown| *shown).await.is_ok() {
            let payload = encode(&news.borrow_and_update());
            if let Some(payload) = payload {
                // A page that is not there yet asks when it is.
                let _ = app.emit_to(window::MAIN, event, payload);
            }
            tokio::select! {
                changed = news.changed() => if changed.is_err() { return },
                changed = shown.changed() => if changed.is_err() { return },
            }
        }
    });
}
