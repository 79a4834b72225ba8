//! The `Config` of an inspected container.

use std::collections::BTreeMap;

use cove_proto::v1::{Container, ContainerSpec, StringList};
use serde_json::{Map, Value, json};

use crate::shapes::{life, list_or_null, ports};
use crate::spec::client_data;

/// What the container was made from. Docker leaves some members out when they are not set.
pub(super) fn shape(container: &Container, spec: &ContainerSpec) -> Value {
    let mut config = Map::new();
    let mut set = |key: &str, value: Value| {
        config.insert(key.to_owned(), value);
    };
    set("Hostname", json!(hostname(container, spec)));
    set("Domainname", json!(spec.domainname));
    set("User", json!(spec.user));
    set("AttachStdin", json!(fact(spec, client_data::ATTACH_STDIN)));
    set("AttachStdout", json!(fact(spec, client_data::ATTACH_STDOUT)));
    set("AttachStderr", json!(fact(spec, client_data::ATTACH_STDERR)));
    if let Some(ports) = ports::exposed(spec) {
        set("ExposedPorts", ports);
    }
    set("Tty", json!(spec.tty));
    set("OpenStdin", json!(spec.open_stdin));
    set("StdinOnce", json!(spec.stdin_once));
    set("Env", list_or_null(&spec.env));
    set("Cmd", strings(spec.cmd.as_ref()));
    if let Some(check) = &spec.healthcheck {
        set("Healthcheck", life::healthcheck(check));
    }
    set("Image", json!(spec.image));
    set("Volumes", volumes(spec));
    set("WorkingDir", json!(spec.working_dir));
    set("Entrypoint", strings(spec.entrypoint.as_ref()));
    set("OnBuild", Value::Null);
    set("Labels", super::container_summary::labels(spec));
    if !spec.stop_signal.is_empty() {
        set("StopSignal", json!(spec.stop_signal));
    }
    if let Some(seconds) = spec.stop_timeout_seconds {
        set("StopTimeout", json!(seconds));
    }
    Value::Object(config)
}

fn hostname<'a>(container: &'a Container, spec: &'a ContainerSpec) -> &'a str {
    if spec.hostname.is_empty() { container.id.get(..12).unwrap_or(&container.id) } else { &spec.hostname }
}

fn fact(spec: &ContainerSpec, key: &str) -> bool {
    spec.client_data.get(key).is_some_and(|value| value == "true")
}

/// Paths with a volume of their own, as Go writes a set.
fn volumes(spec: &ContainerSpec) -> Value {
    let paths: BTreeMap<&String, Value> = spec.anonymous_volumes.iter().map(|path| (path, json!({}))).collect();
    if paths.is_empty() { Value::Null } else { json!(paths) }
}

fn strings(list: Option<&StringList>) -> Value {
    list.map_or(Value::Null, |list| list_or_null(&list.values))
}
