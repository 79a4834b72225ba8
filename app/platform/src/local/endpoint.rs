//! Names of local endpoints.

use std::{
    fmt,
    path::{Path, PathBuf},
};

/// The most bytes a path of a socket may have, without the closing zero: sun_path of the system's `sockaddr_un`.
const MAX_SOCKET_PATH_BYTES: usize = if cfg!(target_vendor = "apple") { 103 } else { 107 };

/// Why an endpoint cannot exist.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EndpointError {
    /// The path does not fit into the system's socket address.
    #[error(
        "socket path {} is {bytes} bytes, the system allows {MAX_SOCKET_PATH_BYTES}; set COVE_HOME to a shorter folder",
        path.display()
    )]
    TooLong {
        /// The path.
        path: PathBuf,
        /// Its length.
        bytes: usize,
    },
}

/// The name of a local endpoint: a socket's path, on Windows a pipe's name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoint(PathBuf);

impl Endpoint {
    /// The endpoint called `name` that belongs to `folder`: `<folder>/<name>.sock`, on Windows `\\.\pipe\cove-<hash of
    /// folder>-<name>`.
    #[must_use]
    pub fn in_folder(folder: &Path, name: &str) -> Self {
        if cfg!(windows) {
            Self(format!(r"\\.\pipe\cove-{:016x}-{name}", fnv1a(folder.as_os_str().as_encoded_bytes())).into())
        } else {
            Self(folder.join(format!("{name}.sock")))
        }
    }

    /// The endpoint at a given path or with a given pipe name.
    #[must_use]
    pub fn at(path: PathBuf) -> Self {
        Self(path)
    }

    /// The path of the socket, or the name of the pipe.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// As `docker` wants it in DOCKER_HOST: `unix:///path`, `npipe:////./pipe/name`.
    #[must_use]
    pub fn docker_host(&self) -> String {
        if cfg!(windows) {
            format!("npipe://{}", self.0.to_string_lossy().replace('\\', "/"))
        } else {
            format!("unix://{}", self.0.display())
        }
    }

    /// Whether the system can have such an endpoint.
    ///
    /// # Errors
    /// [`EndpointError::TooLong`] with the numbers and the way out.
    pub fn check(&self) -> Result<(), EndpointError> {
        let bytes = self.0.as_os_str().as_encoded_bytes().len();
        // Pipe names may have 256 characters; ours are short by construction.
        if cfg!(unix) && bytes > MAX_SOCKET_PATH_BYTES {
            return Err(EndpointError::TooLong { path: self.0.clone(), bytes });
        }
        Ok(())
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.display().fmt(f)
    }
}

/// FNV-1a: the daemon and its clients, built by whatever compilers, must come to the same name.
fn fnv1a(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fnv1a_is_the_published_function() {
        assert_eq!(fnv1a(b""), 0xcbf2_9ce4_8422_2325);
        assert_eq!(fnv1a(b"a"), 0xaf63_dc4c_8601_ec8c);
        assert_eq!(fnv1a(b"foobar"), 0x8594_4171_f739_67e8);
    }

    #[cfg(unix)]
    #[test]
    fn the_longest_path_that_passes_is_the_longest_that_binds() {
        let fits = Endpoint::at(format!("/{}", "x".repeat(MAX_SOCKET_PATH_BYTES - 1)).into());
        fits.check().unwrap();
        assert!(std::os::unix::net::SocketAddr::from_pathname(fits.path()).is_ok());
        let too_long = Endpoint::at(format!("/{}", "x".repeat(MAX_SOCKET_PATH_BYTES)).into());
        assert!(too_long.check().is_err());
        assert!(std::os::unix::net::SocketAddr::from_pathname(too_long.path()).is_err());
    }

    #[cfg(unix)]
    #[test]
    fn docker_gets_a_unix_url() {
        assert_eq!(Endpoint::in_folder(Path::new("/h/run"), "docker").docker_host(), "unix:///h/run/docker.sock");
    }
}
