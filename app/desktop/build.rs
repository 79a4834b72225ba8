//! Checks `tauri.conf.json` and makes a permission of each command, so that `capabilities/` can say who may call it.

fn main() {
    tauri_build::build();
}
