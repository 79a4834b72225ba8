//! Colours, where they can be seen and are wanted. Never the only bearer of a meaning: a word stands beside each.

use std::{env, io::IsTerminal};

/// Paints, or does not.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Paint(bool);

impl Paint {
    /// For standard output.
    pub(crate) fn of_stdout() -> Self {
        Self(wanted() && std::io::stdout().is_terminal() && crate::terminal::understands_escapes())
    }

    /// For standard error.
    pub(crate) fn of_stderr() -> Self {
        Self(wanted() && std::io::stderr().is_terminal() && crate::terminal::understands_escapes())
    }

    /// Never.
    pub(crate) fn plain() -> Self {
        Self(false)
    }

    /// For names and headings.
    pub(crate) fn strong(self, text: &str) -> String {
        self.sequence("1", text)
    }

    /// For what explains.
    pub(crate) fn faint(self, text: &str) -> String {
        self.sequence("2", text)
    }

    /// For what is well.
    pub(crate) fn good(self, text: &str) -> String {
        self.sequence("32", text)
    }

    /// For what works with a drawback.
    pub(crate) fn warning(self, text: &str) -> String {
        self.sequence("33", text)
    }

    /// For what is broken.
    pub(crate) fn bad(self, text: &str) -> String {
        self.sequence("31", text)
    }

    /// For lines of drawings.
    pub(crate) fn line(self, text: &str) -> String {
        self.sequence("36", text)
    }

    fn sequence(self, code: &str, text: &str) -> String {
        if self.0 { format!("\x1b[{code}m{text}\x1b[0m") } else { text.to_owned() }
    }
}

/// NO_COLOR (no-color.org) with any value says no; so does a terminal that calls itself dumb.
fn wanted() -> bool {
    env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
        && env::var_os("TERM").is_none_or(|term| term != "dumb")
}
