//! An exec.

use cove_proto::v1::Exec;
use serde_json::{Value, json};

/// Where the engine keeps the keys by which the creating client lets go of a terminal.
pub(crate) const DETACH_KEYS: &str = "docker.detach_keys";

/// All about an exec.
pub(crate) fn shape(exec: &Exec) -> Value {
    let spec = exec.spec.clone().unwrap_or_default();
    let (program, arguments) = spec.args.split_first().map_or(("", &[][..]), |(first, rest)| (first.as_str(), rest));
    let mut process =
        json!({"tty": spec.tty, "entrypoint": program, "arguments": arguments, "privileged": spec.privileged});
    if !spec.user.is_empty() {
        process["user"] = json!(spec.user);
    }
    json!({
        "ID": exec.id,
        "Running": exec.running,
        "ExitCode": exec.exit_code,
        "ProcessConfig": process,
        "OpenStdin": spec.stdin,
        "OpenStderr": spec.stderr,
        "OpenStdout": spec.stdout,
        "CanRemove": false,
        "ContainerID": exec.container_id,
        "DetachKeys": spec.client_data.get(DETACH_KEYS).cloned().unwrap_or_default(),
        "Pid": exec.pid,
    })
}
