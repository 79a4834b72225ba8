//! The window. It is made once and hides instead of closing, so that it is there at once when it is asked for.

use tauri::{AppHandle, Manager, WebviewUrl, WebviewWindowBuilder, Window, WindowEvent};
use tokio::sync::watch;

/// The window's label, which capabilities and events name.
pub(crate) const MAIN: &str = "main";

const SIZE: (f64, f64) = (1100.0, 720.0);
const LEAST_SIZE: (f64, f64) = (800.0, 560.0);

/// Whether the window is looked at.
#[derive(Debug)]
pub(crate) struct Shown(watch::Sender<bool>);

impl Shown {
    /// From now on.
    pub(crate) fn watch(&self) -> watch::Receiver<bool> {
        self.0.subscribe()
    }

    fn set(&self, shown: bool) {
        self.0.send_if_modified(|present| std::mem::replace(present, shown) != shown);
    }
}

/// Makes the window.
///
/// # Errors
/// If the system has no web view.
pub(crate) fn set_up(app: &AppHandle, shown: bool) -> tauri::Result<()> {
    app.manage(Shown(watch::Sender::new(shown)));
    WebviewWindowBuilder::new(app, MAIN, WebviewUrl::App("index.html".into()))
        .title("Cove")
        .inner_size(SIZE.0, SIZE.1)
        .min_inner_size(LEAST_SIZE.0, LEAST_SIZE.1)
        .visible(shown)
        // The page is one document that is inside the program: wherever a link leads, this window does not follow.
        .on_navigation(|url| matches!(url.scheme(), "tauri") || url.host_str() == Some("tauri.localhost"))
        .build()?;
    Ok(())
}

/// Shows the window and brings it to the front.
pub(crate) fn show(app: &AppHandle) {
    let Some(window) = app.get_webview_window(MAIN) else { return };
    app.state::<Shown>().set(true);
    // What a window system refuses here it refuses for its own good reasons: focus that is not given, for example.
    let _ = window.show();
    let _ = window.unminimize();
    let _ = window.set_focus();
}

/// Closing hides.
pub(crate) fn on_event(window: &Window, event: &WindowEvent) {
    if let WindowEvent::CloseRequested { api, .. } = event {
        api.prevent_close();
        let _ = window.hide();
        window.state::<Shown>().set(false);
    }
}
