//! The facts for programs: one JSON object on one line. An unknown fact and a limit that is not set are both told:
//! the one is null, the other "max".

use std::fmt::Write;

use crate::facts::{Facts, Limit, NAMESPACES};

/// The whole text.
pub(crate) fn render(facts: &Facts) -> String {
    let text = |fact: &Option<String>| fact.as_deref().map_or_else(|| "null".to_owned(), string);
    let namespaces: Vec<_> =
        NAMESPACES.iter().zip(&facts.namespaces).map(|(kind, id)| format!("{}:{}", string(kind), text(id))).collect();
    let members = [
        ("kernel", text(&facts.kernel)),
        ("kernel_release", text(&facts.kernel_release)),
        ("architecture", string(facts.architecture)),
        ("pid", facts.pid.to_string()),
        ("hostname", text(&facts.hostname)),
        ("cgroup", text(&facts.cgroup)),
        ("memory_max_bytes", limit(facts.memory)),
        ("cpu_max_millis", limit(facts.cpu_millis)),
        ("pids_max", limit(facts.pids)),
        ("namespaces", format!("{{{}}}", namespaces.join(","))),
    ];
    let members: Vec<_> = members.iter().map(|(name, value)| format!("{}:{value}", string(name))).collect();
    format!("{{{}}}\n", members.join(","))
}

fn limit(limit: Option<Limit>) -> String {
    match limit {
        None => "null".to_owned(),
        Some(Limit::None) => string("max"),
        Some(Limit::At(value)) => value.to_string(),
    }
}

/// A JSON string (RFC 8259, section 7).
fn string(text: &str) -> String {
    let mut quoted = String::from("\"");
    for c in text.chars() {
        match c {
            '"' => quoted.push_str("\\\""),
            '\\' => quoted.push_str("\\\\"),
            c if u32::from(c) < 0x20 => {
                // Writing to a string does not fail.
                let _ = write!(quoted, "\\u{:04x}", u32::from(c));
            }
            c => quoted.push(c),
        }
    }
    quoted.push('"');
    quoted
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn facts_are_one_object() {
        let facts = Facts {
            kernel: Some("Linux".into()),
            kernel_release: None,
            architecture: "x86_64",
            pid: 1,
            hostname: Some("a\"b".into()),
            cgroup: Some("/".into()),
            memory: Some(Limit::At(5)),
            cpu_millis: Some(Limit::None),
            pids: None,
            namespaces: NAMESPACES.map(|_| None),
        };
        let expected = "{\"kernel\":\"Linux\",\"kernel_release\":null,\"architecture\":\"x86_64\",\"pid\":1,\
             \"hostname\":\"a\\\"b\",\"cgroup\":\"/\",\"memory_max_bytes\":5,\"cpu_max_millis\":\"max\",\"pids_max\":null,\
             \"namespaces\":{\"pid\":null,\"mnt\":null,\"net\":null,\"uts\":null,\"ipc\":null,\"cgroup\":null,\"user\":null}}\n";
        assert_eq!(render(&facts), expected);
    }

    #[test]
    fn control_characters_are_escaped() {
        assert_eq!(string("a\n\\\u{1}é"), "\"a\\u000a\\\\\\u0001é\"");
    }
}
