//! Dockerfile instructions that change an image's configuration (`docker import --change`).

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::ImagesError;
use super::words::{Variables, expand, words};

/// The configuration that the instructions make, its members in dockerd's order.
///
/// # Errors
/// An instruction that is unknown, not one of configuration, or malformed.
pub(super) fn apply(changes: &[String]) -> Result<Map<String, Value>, ImagesError> {
    apply_to(Map::new(), changes)
}

/// The configuration that the instructions make of another one. Members that no instruction is about stay.
///
/// # Errors
/// As [`apply`].
pub(super) fn apply_to(mut before: Map<String, Value>, changes: &[String]) -> Result<Map<String, Value>, ImagesError> {
    let mut config = Config::of(&before);
    for change in changes.iter().flat_map(|change| change.lines()) {
        let change = change.trim();
        if !change.is_empty() && !change.starts_with('#') {
            config.apply(change)?;
        }
    }
    let changed = config.into_json();
    for name in ["ExposedPorts", "StopSignal"] {
        before.shift_remove(name);
    }
    before.extend(changed);
    Ok(before)
}

#[derive(Default)]
struct Config {
    cmd: Option<Vec<String>>,
    entrypoint: Option<Vec<String>>,
    env: Vec<(String, String)>,
    exposed_ports: BTreeMap<String, Value>,
    labels: BTreeMap<String, String>,
    on_build: Vec<String>,
    stop_signal: String,
    user: String,
    volumes: BTreeMap<String, Value>,
    working_dir: String,
}

impl Config {
    /// What a configuration says, as far as an instruction can change it.
    fn of(config: &Map<String, Value>) -> Self {
        fn member<T: serde::de::DeserializeOwned + Default>(config: &Map<String, Value>, name: &str) -> T {
            config.get(name).and_then(|value| serde_json::from_value(value.clone()).ok()).unwrap_or_default()
        }
        let env: Vec<String> = member(config, "Env");
        let pair = |entry: &String| {
            let (name, value) = entry.split_once('=').unwrap_or((entry, ""));
            (name.to_owned(), value.to_owned())
        };
        Self {
            cmd: member(config, "Cmd"),
            entrypoint: member(config, "Entrypoint"),
            env: env.iter().map(pair).collect(),
            exposed_ports: member(config, "ExposedPorts"),
            labels: member(config, "Labels"),
            on_build: member(config, "OnBuild"),
            stop_signal: member(config, "StopSignal"),
            user: member(config, "User"),
            volumes: member(config, "Volumes"),
            working_dir: member(config, "WorkingDir"),
        }
    }

    fn apply(&mut self, change: &str) -> Result<(), ImagesError> {
        let (instruction, rest) = change.split_once(char::is_whitespace).unwrap_or((change, ""));
        let (instruction, rest) = (instruction.to_ascii_uppercase(), rest.trim());
        let wrong = |why: &str| ImagesError::Change(format!("{instruction}: {why}"));
        let one = |variables: Variables<'_>| match rest {
            "" => Err(wrong("requires exactly one argument")),
            _ => expand(rest, variables).map_err(|error| wrong(&error.to_string())),
        };
        let many = |variables: Variables<'_>| match rest {
            "" => Err(wrong("requires at least one argument")),
            _ => words(rest, variables).map_err(|error| wrong(&error.to_string())),
        };
        match instruction.as_str() {
            "CMD" => self.cmd = Some(command(rest)),
            "ENTRYPOINT" => self.entrypoint = Some(command(rest)),
            "ENV" => {
                for (name, value) in self.pairs(rest).map_err(|why| wrong(&why))? {
                    match self.env.iter_mut().find(|(known, _)| *known == name) {
                        Some((_, known)) => *known = value,
                        None => self.env.push((name, value)),
                    }
                }
            }
            "LABEL" => self.labels.extend(self.pairs(rest).map_err(|why| wrong(&why))?),
            "EXPOSE" => {
                for port in many(&self.env)? {
                    self.exposed_ports.extend(ports(&port).ok_or_else(|| wrong(&format!("invalid port: {port}")))?);
                }
            }
            "ONBUILD" => self.on_build.push(trigger(rest).map_err(|why| ImagesError::Change(why.to_owned()))?),
            "STOPSIGNAL" => self.stop_signal = one(&self.env)?,
            "USER" => self.user = one(&self.env)?,
            "VOLUME" => {
                let paths = match json_array(rest) {
                    Some(paths) => paths,
                    None => many(&self.env)?,
                };
                if paths.is_empty() || paths.iter().any(|path| path.trim().is_empty()) {
                    return Err(wrong("specified volume can not be an empty string"));
                }
                self.volumes.extend(paths.into_iter().map(|path| (path.trim().to_owned(), json!({}))));
            }
            "WORKDIR" => self.working_dir = joined(&self.working_dir, &one(&self.env)?),
            _ => {
                let name = instruction.to_lowercase();
                return Err(ImagesError::Change(format!("{name} is not a valid change command")));
            }
        }
        Ok(())
    }

    /// `name=value ...`, or the old `name value with spaces`.
    fn pairs(&self, rest: &str) -> Result<Vec<(String, String)>, String> {
        let first = rest.split_whitespace().next().ok_or("requires at least one argument")?;
        if !first.contains('=') {
            let (name, value) = rest.split_once(char::is_whitespace).ok_or("must have two arguments")?;
            let value = expand(value.trim(), &self.env).map_err(|error| error.to_string())?;
            return Ok(vec![(name.to_owned(), value)]);
        }
        let words = words(rest, &self.env).map_err(|error| error.to_string())?;
        words
            .into_iter()
            .map(|word| match word.split_once('=') {
                Some(("", _)) => Err("names can not be blank".to_owned()),
                Some((name, value)) => Ok((name.to_owned(), value.to_owned())),
                None => Err(format!("Syntax error - can't find = in \"{word}\". Must be of the form: name=value")),
            })
            .collect()
    }

    fn into_json(self) -> Map<String, Value> {
        let env: Vec<String> = self.env.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let mut config = Map::new();
        if !self.exposed_ports.is_empty() {
            config.insert("ExposedPorts".to_owned(), json!(self.exposed_ports));
        }
        config.insert("User".to_owned(), Value::from(self.user));
        config.insert("Env".to_owned(), if env.is_empty() { Value::Null } else { json!(env) });
        config.insert("Cmd".to_owned(), json!(self.cmd));
        config.insert("Volumes".to_owned(), if self.volumes.is_empty() { Value::Null } else { json!(self.volumes) });
        config.insert("WorkingDir".to_owned(), Value::from(self.working_dir));
        config.insert("Entrypoint".to_owned(), json!(self.entrypoint));
        config.insert("OnBuild".to_owned(), if self.on_build.is_empty() { Value::Null } else { json!(self.on_build) });
        config.insert("Labels".to_owned(), if self.labels.is_empty() { Value::Null } else { json!(self.labels) });
        if !self.stop_signal.is_empty() {
            config.insert("StopSignal".to_owned(), Value::from(self.stop_signal));
        }
        config
    }
}

/// The exec form, a JSON array of strings, as it is; anything else is a line for the shell.
fn command(rest: &str) -> Vec<String> {
    json_array(rest).unwrap_or_else(|| vec!["/bin/sh".to_owned(), "-c".to_owned(), rest.to_owned()])
}

fn json_array(text: &str) -> Option<Vec<String>> {
    serde_json::from_str(text).ok()
}

/// "80", "53/udp", "8000-8010/tcp".
fn ports(text: &str) -> Option<Vec<(String, Value)>> {
    let (range, protocol) = text.split_once('/').unwrap_or((text, "tcp"));
    let protocol = protocol.to_ascii_lowercase();
    if !matches!(protocol.as_str(), "tcp" | "udp" | "sctp") {
        return None;
    }
    let (first, last) = range.split_once('-').unwrap_or((range, range));
    let (first, last): (u16, u16) = (first.parse().ok()?, last.parse().ok()?);
    (first <= last).then(|| (first..=last).map(|port| (format!("{port}/{protocol}"), json!({}))).collect())
}

fn trigger(rest: &str) -> Result<String, &'static str> {
    match rest.split_whitespace().next().map(str::to_ascii_uppercase).as_deref() {
        None => Err("ONBUILD requires at least one argument"),
        Some("ONBUILD") => Err("Chaining ONBUILD via `ONBUILD ONBUILD` isn't allowed"),
        Some("MAINTAINER" | "FROM") => Err("MAINTAINER and FROM aren't allowed as an ONBUILD trigger"),
        Some(_) => Ok(rest.to_owned()),
    }
}

/// A folder, relative to the one before.
fn joined(before: &str, path: &str) -> String {
    let whole = if path.starts_with('/') { path.to_owned() } else { format!("/{before}/{path}") };
    let mut parts = Vec::new();
    for part in whole.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop();
            }
            _ => parts.push(part),
        }
    }
    format!("/{}", parts.join("/"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(changes: &[&str]) -> Result<Value, String> {
        let changes: Vec<String> = changes.iter().map(ToString::to_string).collect();
        apply(&changes).map(Value::Object).map_err(|error| error.to_string())
    }

    #[test]
    fn every_instruction_changes_its_member() {
        let config = config(&[
            "CMD [\"a\", \"b c\"]",
            "entrypoint run me",
            "ENV A=1 B=\"two words\" C='$A' Z=$A",
            "ENV D=$A-${B}",
            "ENV OLD the old form",
            "ENV A=2",
            "EXPOSE 80 53/udp 90-91",
            "LABEL a.b=c d=\"e f\"",
            "ONBUILD RUN true",
            "STOPSIGNAL SIGINT",
            "USER me",
            "VOLUME /a /b",
            "VOLUME [\"/c d\"]",
            "WORKDIR /x",
            "WORKDIR y/../z",
            "# a comment",
        ])
        .unwrap();
        let expected = json!({
            "ExposedPorts": { "53/udp": {}, "80/tcp": {}, "90/tcp": {}, "91/tcp": {} },
            "User": "me",
            "Env": ["A=2", "B=two words", "C=$A", "Z=", "D=1-two words", "OLD=the old form"],
            "Cmd": ["a", "b c"],
            "Volumes": { "/a": {}, "/b": {}, "/c d": {} },
            "WorkingDir": "/x/z",
            "Entrypoint": ["/bin/sh", "-c", "run me"],
            "OnBuild": ["RUN true"],
            "Labels": { "a.b": "c", "d": "e f" },
            "StopSignal": "SIGINT",
        });
        assert_eq!(config, expected);
    }

    #[test]
    fn what_changes_no_configuration_is_refused() {
        for (change, error) in [
            ("RUN true", "run is not a valid change command"),
            ("COPY a b", "copy is not a valid change command"),
            ("HEALTHCHECK NONE", "healthcheck is not a valid change command"),
            ("nonsense", "nonsense is not a valid change command"),
            ("EXPOSE 99999", "EXPOSE: invalid port: 99999"),
            ("EXPOSE 1/icmp", "EXPOSE: invalid port: 1/icmp"),
            ("ENV", "ENV: requires at least one argument"),
            ("ENV A", "ENV: must have two arguments"),
            ("ENV A=1 B", "ENV: Syntax error - can't find = in \"B\". Must be of the form: name=value"),
            ("LABEL =x", "LABEL: names can not be blank"),
            ("USER", "USER: requires exactly one argument"),
            ("LABEL a=\"b", "LABEL: unexpected end of statement while looking for matching double-quote"),
            ("ONBUILD ONBUILD RUN x", "Chaining ONBUILD via `ONBUILD ONBUILD` isn't allowed"),
        ] {
            assert_eq!(config(&[change]), Err(error.to_owned()), "{change}");
        }
    }
}
