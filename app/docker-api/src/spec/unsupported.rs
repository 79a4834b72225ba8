//! The table of what a create request may ask for and this version does not do.

use serde_json::Value;

use crate::error::{Error, unsupported};

/// A row: where in the body, the option of the command line, and values beside the empty ones that ask for nothing.
struct Row {
    path: &'static [&'static str],
    option: &'static str,
    harmless: &'static [&'static str],
}

const fn row(path: &'static [&'static str], option: &'static str, harmless: &'static [&'static str]) -> Row {
    Row { path, option, harmless }
}

static ROWS: &[Row] = &[
    row(&["NetworkDisabled"], "NetworkDisabled (use --network none)", &[]),
    row(&["OnBuild"], "ONBUILD", &[]),
    row(&["Shell"], "SHELL", &[]),
    row(&["ArgsEscaped"], "ArgsEscaped", &[]),
    row(&["HostConfig", "Cgroup"], "Cgroup", &[]),
    row(&["HostConfig", "Runtime"], "--runtime", &["cove"]),
    row(&["HostConfig", "Isolation"], "--isolation", &["default"]),
    row(&["HostConfig", "CpuRealtimePeriod"], "--cpu-rt-period", &[]),
    row(&["HostConfig", "CpuRealtimeRuntime"], "--cpu-rt-runtime", &[]),
    row(&["HostConfig", "CpuCount"], "--cpu-count", &[]),
    row(&["HostConfig", "CpuPercent"], "--cpu-percent", &[]),
    row(&["HostConfig", "IOMaximumIOps"], "--io-maxiops", &[]),
    row(&["HostConfig", "IOMaximumBandwidth"], "--io-maxbandwidth", &[]),
];

/// Finds the first thing that a body asks for in vain.
pub(super) fn check(body: &Value) -> Result<(), Error> {
    for row in ROWS {
        let value = row.path.iter().fold(body, |value, key| &value[*key]);
        if !is_default(value) && !is_harmless(value, row.harmless) {
            return Err(unsupported(row.option));
        }
    }
    Ok(())
}

/// Whether a value is one of the empty ones, which ask for nothing.
pub(super) fn is_default(value: &Value) -> bool {
    match value {
        Value::Null | Value::Bool(false) => true,
        Value::Bool(true) => false,
        Value::Number(number) => number.as_f64() == Some(0.0),
        Value::String(text) => text.is_empty(),
        Value::Array(list) => list.iter().all(is_default),
        Value::Object(members) => members.is_empty(),
    }
}

fn is_harmless(value: &Value, harmless: &[&str]) -> bool {
    match value {
        Value::String(text) => harmless.contains(&text.as_str()),
        Value::Number(number) => harmless.contains(&number.to_string().as_str()),
        Value::Array(list) => list.iter().all(|item| is_harmless(item, harmless)),
        _ => false,
    }
}
