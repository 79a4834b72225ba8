//! `cove-desktop`: Cove's window and tray icon.

fn main() {
    let _ = tauri::Builder::default().run(tauri::generate_context!());
}
