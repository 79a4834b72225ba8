//! The one place where the engine's errors become gRPC statuses.

use tonic::{Code, Status};

use crate::{
    containers::{ContainersError, Kind, chain},
    execs::ExecsError,
};

fn code(kind: Kind) -> Code {
    match kind {
        Kind::NotFound => Code::NotFound,
        Kind::Invalid => Code::InvalidArgument,
        Kind::Conflict => Code::FailedPrecondition,
        Kind::NameInUse => Code::AlreadyExists,
        Kind::Full => Code::ResourceExhausted,
        Kind::Unavailable => Code::Unavailable,
        Kind::Internal => Code::Internal,
    }
}

impl From<ContainersError> for Status {
    fn from(error: ContainersError) -> Self {
        Self::new(code(error.kind()), chain(&error))
    }
}

impl From<ExecsError> for Status {
    fn from(error: ExecsError) -> Self {
        Self::new(code(error.kind()), chain(&error))
    }
}

/// A request without its message, or a stream without its first one.
pub(super) fn missing(what: &str) -> Status {
    Status::invalid_argument(format!("the request lacks {what}"))
}
