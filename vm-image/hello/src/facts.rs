//! What the program finds out about where it runs.

use std::{env, fs, path::Path, process};

/// The kinds of namespaces, by their names in /proc/self/ns.
pub(crate) const NAMESPACES: [&str; 7] = ["pid", "mnt", "net", "uts", "ipc", "cgroup", "user"];

/// Where the program runs. `None` is what could not be read.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Facts {
    /// Name of the operating system's kernel, "Linux".
    pub(crate) kernel: Option<String>,
    /// `uname -r`.
    pub(crate) kernel_release: Option<String>,
    /// Architecture that this program was made for.
    pub(crate) architecture: &'static str,
    /// The program's PID as itself sees it.
    pub(crate) pid: u32,
    /// Host name.
    pub(crate) hostname: Option<String>,
    /// Path of the cgroup as the program sees it.
    pub(crate) cgroup: Option<String>,
    /// Memory limit in bytes.
    pub(crate) memory: Option<Limit>,
    /// CPU limit in thousandths of a CPU.
    pub(crate) cpu_millis: Option<Limit>,
    /// Limit of processes.
    pub(crate) pids: Option<Limit>,
    /// Identities of the namespaces in the order of [`NAMESPACES`], "pid:[4026532180]".
    pub(crate) namespaces: [Option<String>; NAMESPACES.len()],
}

/// A limit of a cgroup.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Limit {
    /// No limit.
    None,
    /// This much.
    At(u64),
}

impl Facts {
    /// Reads them of this process.
    pub(crate) fn read() -> Self {
        let cgroup = read("/proc/self/cgroup").and_then(|text| unified_cgroup(&text));
        let limit = |file: &str| read(Path::new("/sys/fs/cgroup").join(file));
        Self {
            kernel: read("/proc/sys/kernel/ostype"),
            kernel_release: read("/proc/sys/kernel/osrelease"),
            architecture: env::consts::ARCH,
            pid: process::id(),
            hostname: read("/proc/sys/kernel/hostname"),
            memory: limit("memory.max").and_then(|text| Limit::parse(&text)),
            cpu_millis: limit("cpu.max").and_then(|text| Limit::parse_cpu(&text)),
            pids: limit("pids.max").and_then(|text| Limit::parse(&text)),
            cgroup,
            namespaces: NAMESPACES.map(|kind| {
                let link = fs::read_link(Path::new("/proc/self/ns").join(kind)).ok()?;
                Some(link.to_str()?.to_owned())
            }),
        }
    }
}

impl Limit {
    /// memory.max and pids.max: "max" or a number.
    fn parse(text: &str) -> Option<Self> {
        if text == "max" { Some(Self::None) } else { text.parse().ok().map(Self::At) }
    }

    /// cpu.max: quota, or "max", and period, in microseconds.
    fn parse_cpu(text: &str) -> Option<Self> {
        let (quota, period) = text.split_once(' ')?;
        match Self::parse(quota)? {
            Self::None => Some(Self::None),
            Self::At(quota) => quota.checked_mul(1000)?.checked_div(period.parse().ok()?).map(Self::At),
        }
    }
}

fn read(path: impl AsRef<Path>) -> Option<String> {
    Some(fs::read_to_string(path).ok()?.trim().to_owned())
}

/// The path in /proc/self/cgroup of cgroup v2, whose line starts with "0::".
fn unified_cgroup(text: &str) -> Option<String> {
    text.lines().find_map(|line| line.strip_prefix("0::")).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_are_read_as_the_kernel_writes_them() {
        assert_eq!(Limit::parse("max"), Some(Limit::None));
        assert_eq!(Limit::parse("67108864"), Some(Limit::At(67_108_864)));
        assert_eq!(Limit::parse("a lot"), None);
        assert_eq!(Limit::parse_cpu("max 100000"), Some(Limit::None));
        assert_eq!(Limit::parse_cpu("150000 100000"), Some(Limit::At(1500)));
        assert_eq!(Limit::parse_cpu("150000 0"), None);
        assert_eq!(Limit::parse_cpu("150000"), None);
    }

    #[test]
    fn the_cgroup_is_that_of_version_2() {
        assert_eq!(unified_cgroup("1:name=systemd:/x\n0::/y\n").as_deref(), Some("/y"));
        assert_eq!(unified_cgroup("1:name=systemd:/x\n"), None);
    }

    #[test]
    fn this_process_has_facts() {
        let facts = Facts::read();
        assert_eq!(facts.kernel.as_deref(), Some("Linux"));
        assert_eq!(facts.pid, process::id());
        assert!(facts.namespaces[0].as_deref().unwrap().starts_with("pid:["));
    }
}
