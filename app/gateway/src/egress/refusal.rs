//! Why the host was not connected, in the words that the guest can repeat to a container.

use std::io;

/// What a container is to be told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
pub enum Refusal {
    /// Nobody listens there.
    #[error("connection refused")]
    Refused,
    /// There is no way to that host.
    #[error("no route to host")]
    HostUnreachable,
    /// There is no way to that network.
    #[error("network is unreachable")]
    NetworkUnreachable,
    /// Nobody answers.
    #[error("connection timed out")]
    TimedOut,
    /// A rule of the host forbids it.
    #[error("permission denied")]
    Forbidden,
}

impl Refusal {
    /// What an error of the host comes to. What a container cannot be told as it is becomes "no route to host".
    #[must_use]
    pub fn of(error: &io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::ConnectionRefused | io::ErrorKind::ConnectionReset | io::ErrorKind::ConnectionAborted => {
                Self::Refused
            }
            io::ErrorKind::NetworkUnreachable | io::ErrorKind::NetworkDown | io::ErrorKind::AddrNotAvailable => {
                Self::NetworkUnreachable
            }
            io::ErrorKind::TimedOut => Self::TimedOut,
            io::ErrorKind::PermissionDenied => Self::Forbidden,
            _ => Self::HostUnreachable,
        }
    }

    /// Its number in Linux, which is the same on both architectures that guests have.
    #[must_use]
    pub fn errno(self) -> i32 {
        match self {
            Self::Refused => 111,
            Self::HostUnreachable => 113,
            Self::NetworkUnreachable => 101,
            Self::TimedOut => 110,
            Self::Forbidden => 13,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_of_the_host_keep_their_meaning() {
        for (kind, errno) in [
            (io::ErrorKind::ConnectionRefused, 111),
            (io::ErrorKind::HostUnreachable, 113),
            (io::ErrorKind::NetworkUnreachable, 101),
            (io::ErrorKind::TimedOut, 110),
            (io::ErrorKind::PermissionDenied, 13),
            (io::ErrorKind::OutOfMemory, 113),
        ] {
            assert_eq!(Refusal::of(&kind.into()).errno(), errno, "{kind:?}");
        }
    }
}
