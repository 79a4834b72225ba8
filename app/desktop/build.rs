//! Checks `tauri.conf.json` and makes a permission of each command, so that `capabilities/` says who may call it.

use tauri_build::{AppManifest, Attributes};

const COMMANDS: &[&str] = &[
    "engine_get",
    "engine_retry",
    "machine_get",
    "machine_start",
    "machine_stop",
    "machine_restart",
    "guest_get",
    "host_check",
    "settings_get",
    "settings_set",
    "login_get",
    "login_set",
    "containers_list",
    "container_get",
    "container_start",
    "container_stop",
    "container_remove",
    "container_run",
    "isolation_get",
    "logs_open",
    "logs_close",
    "images_list",
    "images_load",
    "image_remove",
];

fn main() {
    let attributes = Attributes::new().app_manifest(AppManifest::new().commands(COMMANDS));
    if let Err(error) = tauri_build::try_build(attributes) {
        println!("cargo::error={error:#}");
    }
}
