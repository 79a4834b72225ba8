//! Facts that the engine keeps for us and does not read: what `docker inspect` shows and no container needs.

use std::collections::HashMap;

use crate::spec::body::Config;

/// "true" when the creating client attached standard input.
pub(crate) const ATTACH_STDIN: &str = "docker.attach_stdin";
/// "true" when the creating client attached standard output.
pub(crate) const ATTACH_STDOUT: &str = "docker.attach_stdout";
/// "true" when the creating client attached standard error.
pub(crate) const ATTACH_STDERR: &str = "docker.attach_stderr";

/// `Binds`, JSON: `["v1:/data:ro"]`.
pub(crate) const BINDS: &str = "docker.binds";
/// `Mounts`, JSON, as the client wrote them.
pub(crate) const MOUNTS: &str = "docker.mounts";
/// `Tmpfs`, JSON: `{"/run":"size=1m"}`.
pub(crate) const TMPFS: &str = "docker.tmpfs";
/// `VolumeDriver`, JSON: `"local"`.
pub(crate) const VOLUME_DRIVER: &str = "docker.volume_driver";
/// `Isolation`, JSON: `"default"`.
pub(crate) const ISOLATION: &str = "docker.isolation";

/// The facts of a body.
pub(crate) fn of(config: &Config) -> HashMap<String, String> {
    let attached = [
        (ATTACH_STDIN, config.attach_stdin),
        (ATTACH_STDOUT, config.attach_stdout),
        (ATTACH_STDERR, config.attach_stderr),
    ];
    attached
        .into_iter()
        .filter(|(_, attached)| *attached == Some(true))
        .map(|(key, _)| (key.to_owned(), "true".to_owned()))
        .collect()
}
