//! What a command rejects with.

use std::error::Error;

use cove_client::ClientError;
use serde::Serialize;
use tonic::{Code, Status};

/// What failed, why, what to do.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub(crate) struct Failure {
    /// What could not be done, one sentence.
    pub(crate) what: String,
    /// The cause.
    pub(crate) why: String,
    /// What to do about it.
    pub(crate) fix: String,
    /// Anything longer.
    pub(crate) details: String,
}

impl Failure {
    /// Says what failed: "the container was not started".
    pub(crate) fn new(what: impl Into<String>) -> Self {
        Self { what: what.into(), ..Self::default() }
    }

    /// Says why: an error and its sources.
    pub(crate) fn because(mut self, error: &dyn Error) -> Self {
        let mut why = error.to_string();
        let mut source = error.source();
        while let Some(cause) = source {
            why = format!("{why}: {cause}");
            source = cause.source();
        }
        self.why = why;
        self
    }

    /// The engine's answer. Its words may have lines of their own: what, why, what to do.
    pub(crate) fn of(what: &str, status: &Status) -> Self {
        // What the engine says comes without a source; what has one is the connection that broke.
        if let Some(broken) = status.source() {
            return Self {
                why: "the engine ended before it answered".to_owned(),
                fix: "Connect again, which starts it if it does not run".to_owned(),
                details: Self::new("").because(broken).why,
                ..Self::new(what)
            };
        }
        let said = status.message().trim_end();
        let mut lines = said.lines();
        let fix = advice(status.code()).to_owned();
        match (lines.next(), lines.next(), lines.next()) {
            (Some(what), Some(why), Some(fix)) => Self {
                what: what.to_owned(),
                why: why.to_owned(),
                fix: fix.to_owned(),
                details: lines.collect::<Vec<_>>().join("\n"),
            },
            (Some(what), Some(why), None) => {
                Self { what: what.to_owned(), why: why.to_owned(), fix, details: String::new() }
            }
            (Some(why), None, _) => Self { what: what.to_owned(), why: why.to_owned(), fix, details: String::new() },
            (None, ..) => {
                let why = status.code().description().to_owned();
                Self { what: what.to_owned(), why, fix, details: String::new() }
            }
        }
    }
}

impl From<ClientError> for Failure {
    fn from(error: ClientError) -> Self {
        let fix = error.advice().unwrap_or_default();
        Self { fix, ..Self::new("the engine is not reached").because(&error) }
    }
}

/// What to do where the engine does not say it itself.
fn advice(code: Code) -> &'static str {
    match code {
        Code::Unimplemented => {
            "The engine is older than this window: end it with `cove stop --daemon`, and connect again"
        }
        Code::Unavailable => "See what happened: cove doctor, cove machine-log",
        Code::Ok
        | Code::Cancelled
        | Code::Unknown
        | Code::InvalidArgument
        | Code::DeadlineExceeded
        | Code::NotFound
        | Code::AlreadyExists
        | Code::PermissionDenied
        | Code::ResourceExhausted
        | Code::FailedPrecondition
        | Code::Aborted
        | Code::OutOfRange
        | Code::Internal
        | Code::DataLoss
        | Code::Unauthenticated => "",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn three_lines_are_what_why_and_what_to_do() {
        let status = Status::failed_precondition("it did not start\nQEMU is missing\ninstall it");
        let failure = Failure::of("unused", &status);
        assert_eq!(
            [&*failure.what, &*failure.why, &*failure.fix],
            ["it did not start", "QEMU is missing", "install it"]
        );
    }

    #[test]
    fn one_line_is_why() {
        let failure = Failure::of("the container was not started", &Status::not_found("No such container: x"));
        assert_eq!([&*failure.what, &*failure.why], ["the container was not started", "No such container: x"]);
    }

    #[test]
    fn an_older_daemon_is_named() {
        assert!(Failure::of("x", &Status::unimplemented("")).fix.contains("older than this window"));
    }
}
