//! The facts for people: a first screen.

use std::fmt::Write;

use crate::facts::{Facts, Limit, NAMESPACES};

const UNKNOWN: &str = "(cannot be read here)";
/// The kind of namespace that a container has in common with the machine: its root is the machine's, with less power.
const SHARED: &str = "user";

/// The whole text.
pub(crate) fn render(facts: &Facts) -> String {
    let mut text = String::from(
        "\nHello from Cove!\n\
         This program runs in a container: an ordinary process of the Linux machine that Cove\n\
         runs for you, behind walls that the kernel puts up.\n",
    );
    let or_unknown = |fact: &Option<String>| fact.clone().unwrap_or_else(|| UNKNOWN.to_owned());
    section(&mut text, "Shared with the machine");
    let kernel = [or_unknown(&facts.kernel), or_unknown(&facts.kernel_release), facts.architecture.to_owned()];
    line(&mut text, "kernel", &kernel.join(" "));
    let namespaces = || NAMESPACES.iter().zip(&facts.namespaces);
    for (kind, id) in namespaces().filter(|(kind, _)| **kind == SHARED) {
        line(&mut text, &format!("{kind} namespace"), &or_unknown(id));
    }

    section(&mut text, "Behind walls");
    line(&mut text, "process", &process(facts.pid));
    line(&mut text, "hostname", &or_unknown(&facts.hostname));
    for (kind, id) in namespaces().filter(|(kind, _)| **kind != SHARED) {
        line(&mut text, &format!("{kind} namespace"), &or_unknown(id));
    }

    section(&mut text, "What it may use");
    line(&mut text, "cgroup", &or_unknown(&facts.cgroup));
    line(&mut text, "memory", &limit(facts.memory, bytes));
    line(&mut text, "CPUs", &limit(facts.cpu_millis, |millis| format!("{}.{:03}", millis / 1000, millis % 1000)));
    line(&mut text, "processes", &limit(facts.pids, |count| count.to_string()));

    text.push_str(
        "\nTo see the walls move, try:\n  \
           docker run --rm --memory 64m --cpus 0.5 --hostname box cove/hello\n  \
           docker run --rm --network host cove/hello\n\n",
    );
    text
}

fn section(text: &mut String, title: &str) {
    // Writing to a string does not fail.
    let _ = write!(text, "\n{title}\n");
}

fn line(text: &mut String, name: &str, value: &str) {
    let _ = writeln!(text, "  {name:<17} {value}");
}

fn process(pid: u32) -> String {
    match pid {
        1 => "PID 1: the first one in its own PID namespace".to_owned(),
        pid => format!("PID {pid}: not the first one in its PID namespace"),
    }
}

fn limit(limit: Option<Limit>, show: impl Fn(u64) -> String) -> String {
    match limit {
        None => UNKNOWN.to_owned(),
        Some(Limit::None) => "no limit".to_owned(),
        Some(Limit::At(value)) => show(value),
    }
}

fn bytes(bytes: u64) -> String {
    const MIB: u64 = 1024 * 1024;
    if bytes >= MIB && bytes.is_multiple_of(MIB) { format!("{} MiB", bytes / MIB) } else { format!("{bytes} bytes") }
}

#[cfg(test)]
mod tests {
    use super::*;

    pub(crate) fn facts() -> Facts {
        Facts {
            kernel: Some("Linux".into()),
            kernel_release: Some("6.12.1".into()),
            architecture: "x86_64",
            pid: 1,
            hostname: Some("box".into()),
            cgroup: Some("/".into()),
            memory: Some(Limit::At(64 << 20)),
            cpu_millis: Some(Limit::At(500)),
            pids: Some(Limit::None),
            namespaces: NAMESPACES.map(|kind| Some(format!("{kind}:[1]"))),
        }
    }

    #[test]
    fn the_screen_shows_every_fact() {
        let text = render(&facts());
        for expected in [
            "Hello from Cove!\n",
            "  kernel            Linux 6.12.1 x86_64\n",
            "  process           PID 1: the first one in its own PID namespace\n",
            "  hostname          box\n",
            "  cgroup namespace  cgroup:[1]\n",
            "  memory            64 MiB\n",
            "  CPUs              0.500\n",
            "  processes         no limit\n",
        ] {
            assert!(text.contains(expected), "{expected:?} in {text}");
        }
    }

    #[test]
    fn what_is_unknown_is_said_to_be() {
        let facts = Facts { memory: None, hostname: None, pid: 7, ..facts() };
        let text = render(&facts);
        assert!(text.contains("  memory            (cannot be read here)\n"), "{text}");
        assert!(text.contains("  hostname          (cannot be read here)\n"), "{text}");
        assert!(text.contains("PID 7: not the first one"), "{text}");
    }

    #[test]
    fn sizes_are_exact() {
        assert_eq!(bytes(64 << 20), "64 MiB");
        assert_eq!(bytes((64 << 20) + 1), "67108865 bytes");
    }
}
