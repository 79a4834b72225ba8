//! What failed, why, what to do, and the exit code.

use std::{error::Error, fmt, io, process::ExitCode};

use cove_client::ClientError;
use tonic::{Code, Status};

/// What every command gives back: its exit code.
pub(crate) type Outcome = Result<u8, Failure>;

/// The exit code of `docker run` when the engine refuses, as opposed to the container's own codes.
pub(crate) const ENGINE_REFUSED: u8 = 125;

/// A failure for people.
#[derive(Debug)]
pub(crate) struct Failure {
    what: String,
    why: Option<String>,
    advice: Option<String>,
    exit_code: u8,
    silent: bool,
}

impl Failure {
    /// Says what failed: "load image.tar".
    pub(crate) fn new(what: impl Into<String>) -> Self {
        Self { what: what.into(), why: None, advice: None, exit_code: 1, silent: false }
    }

    /// Says why: an error with all its sources.
    pub(crate) fn because(mut self, error: impl Error) -> Self {
        let mut why = error.to_string();
        let mut source = error.source();
        while let Some(cause) = source {
            why = format!("{why}: {cause}");
            source = cause.source();
        }
        self.why = Some(why);
        self
    }

    /// Says what to do about it.
    pub(crate) fn advice(mut self, advice: impl Into<String>) -> Self {
        self.advice = Some(advice.into());
        self
    }

    /// Sets the exit code.
    pub(crate) fn exit_code(mut self, code: u8) -> Self {
        self.exit_code = code;
        self
    }

    /// Writes it to standard error.
    pub(crate) fn report(self) -> ExitCode {
        if !self.silent {
            // With standard error gone there is nobody left to tell.
            let _ = io::Write::write_fmt(&mut io::stderr(), format_args!("cove: {self}\n"));
        }
        ExitCode::from(self.exit_code)
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.what)?;
        if let Some(why) = &self.why {
            write!(f, ": {why}")?;
        }
        if let Some(advice) = &self.advice {
            write!(f, "\n      {advice}")?;
        }
        Ok(())
    }
}

impl From<ClientError> for Failure {
    fn from(error: ClientError) -> Self {
        let advice = error.advice();
        let mut failure = Self::new(error.to_string());
        if let Some(source) = error.source() {
            failure = failure.because(source);
        }
        Self { advice, ..failure }
    }
}

impl From<Status> for Failure {
    fn from(status: Status) -> Self {
        let said = status.message().trim_end();
        // The engine's words may have lines of their own, what to do among them: then nothing is added.
        if said.contains('\n') {
            return Self::new(said.replace('\n', "\n      "));
        }
        let failure = Self::new(if said.is_empty() { status.code().description() } else { said });
        match status.code() {
            // The engine has words for what it does not do; a daemon that does not know the call has none.
            Code::Unimplemented if said.is_empty() => {
                failure.advice("the daemon is older than this command; restart it: cove stop --daemon")
            }
            Code::Unavailable => failure.advice("see what happened: cove doctor, cove machine-log"),
            _ => failure,
        }
    }
}

/// Standard output cannot be written. A reader that left, as `head` does, is no failure to speak of.
impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        let silent = error.kind() == io::ErrorKind::BrokenPipe;
        Self { silent, ..Self::new("write to standard output").because(error) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_line_says_what_why_and_what_to_do() {
        let failure = Failure::new("load image.tar").because(io::Error::other("it is torn")).advice("get it again");
        assert_eq!(failure.to_string(), "load image.tar: it is torn\n      get it again");
    }

    #[test]
    fn the_engines_words_are_kept() {
        assert_eq!(Failure::from(Status::not_found("No such container: x")).to_string(), "No such container: x");
    }

    #[test]
    fn a_reader_that_left_is_passed_over() {
        assert!(Failure::from(io::Error::from(io::ErrorKind::BrokenPipe)).silent);
    }
}
