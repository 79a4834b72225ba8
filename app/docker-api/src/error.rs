//! Every error that a client can get, and the one map from gRPC's codes to HTTP's.

use http::StatusCode;
use tonic::Code;

use crate::version::ApiVersion;

/// Why a request was not done. The text is what the client shows its user.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// No such path, or not with this method.
    #[error("page not found")]
    PageNotFound,
    /// The version in the path is newer than we are.
    #[error("client version {version} is too new. Maximum supported API version is {}", ApiVersion::MAX)]
    VersionTooNew {
        /// As the client wrote it.
        version: String,
    },
    /// The version in the path is older than we serve.
    #[error(
        "client version {version} is too old. Minimum supported API version is {}, please upgrade your client to a \
         newer version",
        ApiVersion::MIN
    )]
    VersionTooOld {
        /// As the client wrote it.
        version: String,
    },
    /// The request makes no sense.
    #[error("{0}")]
    BadRequest(String),
    /// It makes sense, and is not allowed.
    #[error("{0}")]
    Forbidden(String),
    /// What it names does not exist.
    #[error("{0}")]
    NotFound(String),
    /// Makes sense, and this version of Cove cannot do it.
    #[error("{0}")]
    NotImplemented(String),
    /// Belongs to a swarm, which Cove is not.
    #[error(
        "This node is not a swarm manager. Use \"docker swarm init\" or \"docker swarm join\" to connect this node to \
         swarm and try again."
    )]
    NoSwarm,
    /// A swarm is to be left.
    #[error("This node is not part of a swarm")]
    NotInSwarm,
    /// dockerd calls it an internal error, and so clients expect 500.
    #[error("{0}")]
    Internal(String),
    /// The body did not arrive whole.
    #[error("reading the request body: {0}")]
    Body(#[source] hyper::Error),
    /// The engine said no.
    #[error("{}", chain(.0))]
    Engine(#[from] tonic::Status),
}

impl Error {
    /// Docker's status for it.
    pub(crate) fn status(&self) -> StatusCode {
        match self {
            Self::PageNotFound | Self::NotFound(_) => StatusCode::NOT_FOUND,
            Self::VersionTooNew { .. } | Self::VersionTooOld { .. } | Self::BadRequest(_) | Self::Body(_) => {
                StatusCode::BAD_REQUEST
            }
            Self::Forbidden(_) => StatusCode::FORBIDDEN,
            Self::NotImplemented(_) => StatusCode::NOT_IMPLEMENTED,
            Self::NoSwarm | Self::NotInSwarm => StatusCode::SERVICE_UNAVAILABLE,
            Self::Internal(_) => StatusCode::INTERNAL_SERVER_ERROR,
            Self::Engine(status) => of_code(status.code()),
        }
    }
}

/// gRPC's code as HTTP status, so that a client of Docker draws the right conclusions.
fn of_code(code: Code) -> StatusCode {
    match code {
        Code::Ok => StatusCode::OK,
        Code::InvalidArgument | Code::OutOfRange => StatusCode::BAD_REQUEST,
        Code::Unauthenticated => StatusCode::UNAUTHORIZED,
        Code::PermissionDenied => StatusCode::FORBIDDEN,
        Code::NotFound => StatusCode::NOT_FOUND,
        Code::AlreadyExists | Code::FailedPrecondition | Code::Aborted => StatusCode::CONFLICT,
        Code::Unimplemented => StatusCode::NOT_IMPLEMENTED,
        Code::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
        // dockerd has no other status for a full disk, a deadline or a bug.
        Code::ResourceExhausted
        | Code::DeadlineExceeded
        | Code::Cancelled
        | Code::Unknown
        | Code::Internal
        | Code::DataLoss => StatusCode::INTERNAL_SERVER_ERROR,
    }
}

/// What a status says; its code's meaning when it says nothing.
pub(crate) fn chain(status: &tonic::Status) -> String {
    if status.message().is_empty() { status.code().description().to_owned() } else { status.message().to_owned() }
}

/// An option that this version lacks, in the words of the command line.
pub(crate) fn unsupported(what: &str) -> Error {
    Error::NotImplemented(format!("{what} is not supported by this version of Cove yet"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_become_dockers_statuses() {
        for (code, status) in [
            (Code::InvalidArgument, 400),
            (Code::NotFound, 404),
            (Code::AlreadyExists, 409),
            (Code::FailedPrecondition, 409),
            (Code::Unimplemented, 501),
            (Code::Unavailable, 503),
            (Code::ResourceExhausted, 500),
            (Code::Internal, 500),
        ] {
            assert_eq!(Error::Engine(tonic::Status::new(code, "x")).status(), status, "{code:?}");
        }
    }

    #[test]
    fn a_status_without_words_still_says_something() {
        assert_eq!(Error::Engine(tonic::Status::not_found("")).to_string(), Code::NotFound.description());
    }
}
