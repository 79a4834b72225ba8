//! What went wrong as gRPC says it: the one total match per error of the domain.

use std::error::Error;

use cove_machine::{FailureKind, StartError, StopError, hypervisor::Exit, settings::SettingsError};
use cove_registry::{ErrorKind, RegistryError};
use tonic::Status;

use crate::{agent::DialError, image::ImageError, rpc::machine::ChangeError, shares::grants::GrantError};

/// An error and its sources, once each, as one text.
#[must_use]
pub fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        text.push_str(": ");
        text.push_str(&error.to_string());
        source = error.source();
    }
    text
}

/// The machine did not start.
#[must_use]
pub fn start(error: &StartError) -> Status {
    let text = error.to_string();
    match error {
        StartError::Failed(failure) => match failure.kind {
            FailureKind::Host(_) | FailureKind::Settings | FailureKind::Files => Status::failed_precondition(text),
            FailureKind::Deadline => Status::deadline_exceeded(text),
            FailureKind::Monitor | FailureKind::Guest | FailureKind::Ended(_) => Status::unavailable(text),
        },
        StartError::Stopped => Status::aborted(text),
        StartError::Gone => Status::unavailable(text),
    }
}

/// The machine did not stop.
#[must_use]
pub fn stop(error: &StopError) -> Status {
    match error {
        StopError::Unkillable(_) => Status::deadline_exceeded(error.to_string()),
        StopError::Gone => Status::unavailable(error.to_string()),
    }
}

/// The settings were not changed.
#[must_use]
pub fn settings(error: &ChangeError) -> Status {
    let text = error.to_string();
    match error {
        ChangeError::Unusable(_) | ChangeError::Shrinks { .. } => Status::failed_precondition(text),
        ChangeError::Refused(SettingsError::Range { .. }) => Status::invalid_argument(text),
        ChangeError::Refused(
            SettingsError::Read { .. } | SettingsError::Parse { .. } | SettingsError::Write { .. },
        ) => Status::internal(text),
    }
}

/// A registry could not be asked, or refused.
#[must_use]
pub fn registry(error: &RegistryError) -> Status {
    let text = chain(error);
    match error.kind() {
        ErrorKind::NotFound => Status::not_found(text),
        ErrorKind::Unauthorized => Status::unauthenticated(text),
        ErrorKind::Invalid => Status::invalid_argument(text),
        ErrorKind::Unreachable => Status::unavailable(text),
        ErrorKind::Corrupt => Status::data_loss(text),
        ErrorKind::Unsupported => Status::unimplemented(text),
        ErrorKind::Refused => Status::unknown(text),
    }
}

/// A folder of this computer is not shared.
#[must_use]
pub fn grant(error: &GrantError) -> Status {
    let text = chain(error);
    match error {
        GrantError::Relative(_) | GrantError::Special(_) => Status::invalid_argument(text),
        GrantError::Missing(_) | GrantError::Unknown(_) => Status::not_found(text),
        GrantError::Forbidden { .. } | GrantError::NoDockerApi => Status::permission_denied(text),
        GrantError::Unsupported => Status::unimplemented(text),
        GrantError::Look { .. } | GrantError::Keep { .. } => Status::internal(text),
    }
}

/// The machine does not run, and the call said that it is no reason to start it.
#[must_use]
pub fn asleep() -> Status {
    Status::unavailable("the machine does not run")
}

/// There is no image to start.
#[must_use]
pub fn image(error: &ImageError) -> Status {
    Status::failed_precondition(chain(error))
}

/// The agent cannot be reached.
#[must_use]
pub fn dial(error: &DialError) -> Status {
    Status::unavailable(format!("the agent in the machine cannot be reached: {}", chain(error)))
}

/// The machine ended under a call.
#[must_use]
pub fn ended(exit: &Exit) -> Status {
    Status::unavailable(format!("the machine ended while the call was under way: {exit}"))
}

/// The connection to the agent broke under a call, and the machine runs on.
#[must_use]
pub fn broken(error: &dyn Error) -> Status {
    Status::unavailable(format!("the agent hung up while the call was under way: {}", chain(error)))
}

/// The daemon goes away.
#[must_use]
pub fn closing() -> Status {
    Status::unavailable("coved is stopping")
}
