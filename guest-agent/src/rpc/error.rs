//! The one place where the engine's errors become gRPC statuses.

use tonic::{Code, Status};

use crate::{
    containers::{ContainersError, Kind, chain, network_kind, volume_kind},
    execs::ExecsError,
    networks::NetworksError,
    volumes::VolumesError,
};

fn code(kind: Kind) -> Code {
    match kind {
        Kind::NotFound => Code::NotFound,
        Kind::Invalid => Code::InvalidArgument,
        Kind::Unsupported => Code::Unimplemented,
        Kind::Conflict => Code::FailedPrecondition,
        Kind::Forbidden => Code::PermissionDenied,
        Kind::NameInUse => Code::AlreadyExists,
        Kind::Full => Code::ResourceExhausted,
        Kind::Detached => Code::Aborted,
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

impl From<VolumesError> for Status {
    fn from(error: VolumesError) -> Self {
        Self::new(code(volume_kind(&error)), chain(&error))
    }
}

impl From<NetworksError> for Status {
    fn from(error: NetworksError) -> Self {
        Self::new(code(network_kind(&error)), chain(&error))
    }
}

/// A request without its message, or a stream without its first one.
pub(super) fn missing(what: &str) -> Status {
    Status::invalid_argument(format!("the request lacks {what}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_status_says_what_failed_and_why_in_one_line() {
        let source = Box::new(ContainersError::NotRunning("b5".into()));
        let status = Status::from(ContainersError::Kill { container: "web".into(), source });
        assert_eq!(status.code(), Code::FailedPrecondition);
        assert_eq!(status.message(), "cannot kill container: web: container b5 is not running");
    }

    #[test]
    fn a_full_disk_is_told_from_other_failures() {
        let failed = |kind: std::io::ErrorKind| {
            let source = std::io::Error::from(kind);
            Status::from(ContainersError::Files { action: "make", path: "/x".into(), source }).code()
        };
        assert_eq!(failed(std::io::ErrorKind::StorageFull), Code::ResourceExhausted);
        assert_eq!(failed(std::io::ErrorKind::PermissionDenied), Code::Internal);
    }
}
