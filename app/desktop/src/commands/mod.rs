//! What the page may ask for: a call of `cove.v1` or of the system each, and nothing that the page could not be trusted with.
//!
//! * [`engine`] — the link to the daemon.
//! * [`machine`], [`settings`] — the machine.
//! * [`login`] — whether the app starts with the user's session.
//! * [`containers`], [`logs`], [`images`] — what is in it.

pub(crate) mod containers;
pub(crate) mod engine;
pub(crate) mod images;
pub(crate) mod login;
pub(crate) mod logs;
pub(crate) mod machine;
pub(crate) mod settings;

use cove_proto::NO_WAKE;
use tauri::ipc::Invoke;
use tonic::{Code, Request, Status, metadata::MetadataValue};

use crate::wire::failure::Failure;

/// What a command answers.
type Answer<T> = Result<T, Failure>;

/// All commands; `build.rs` and `capabilities/main.json` list the same names.
pub(crate) fn all() -> impl Fn(Invoke) -> bool + Send + Sync + 'static {
    tauri::generate_handler![
        engine::engine_get,
        engine::engine_retry,
        machine::machine_get,
        machine::machine_start,
        machine::machine_stop,
        machine::machine_restart,
        machine::guest_get,
        machine::host_check,
        settings::settings_get,
        settings::settings_set,
        login::login_get,
        login::login_set,
        containers::containers_list,
        containers::container_get,
        containers::container_start,
        containers::container_stop,
        containers::container_remove,
        containers::container_run,
        containers::isolation_get,
        logs::logs_open,
        logs::logs_close,
        images::images_list,
        images::images_load,
        images::image_remove,
    ]
}

/// A request that does not start a stopped machine: looking is no reason to boot.
pub(crate) fn no_wake<T>(message: T) -> Request<T> {
    let mut request = Request::new(message);
    request.metadata_mut().insert(NO_WAKE, MetadataValue::from_static("1"));
    request
}

/// Names what failed.
fn failed(what: &'static str) -> impl Fn(Status) -> Failure {
    move |status| Failure::of(what, &status)
}

/// Nothing where the machine does not run.
fn unless_asleep<T>(answer: Result<T, Status>) -> Result<Option<T>, Status> {
    match answer {
        Ok(answer) => Ok(Some(answer)),
        Err(status) if status.code() == Code::Unavailable => Ok(None),
        Err(status) => Err(status),
    }
}
