//! From facts about the host to checks. Pure; the facts are found by `vz`.

use std::ops::RangeInclusive;

use cove_machine::hypervisor::{Check, MachineSpec, Verdict};

/// The oldest macOS whose VZ has all that the plan asks for.
pub const OLDEST_MACOS: isize = 13;
/// What VZ asks of a program that runs machines.
pub const ENTITLEMENT: &str = "com.apple.security.virtualization";

/// What was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Facts {
    /// The version of macOS: major, minor, patch.
    pub macos: (isize, isize, isize),
    /// Whether VZ says that it works on this computer.
    pub supported: bool,
    /// Whether this program carries [`ENTITLEMENT`], or why that is not known.
    pub entitled: Result<bool, String>,
}

impl Facts {
    /// "15.1", "14.6.1".
    #[must_use]
    pub fn version(&self) -> String {
        match self.macos {
            (major, minor, 0) => format!("{major}.{minor}"),
            (major, minor, patch) => format!("{major}.{minor}.{patch}"),
        }
    }

    /// A check for each fact.
    #[must_use]
    pub fn checks(&self) -> Vec<Check> {
        vec![self.check_version(), self.check_support(), self.check_entitlement()]
    }

    /// The checks that keep a machine from starting.
    #[must_use]
    pub fn problems(&self) -> Vec<Check> {
        self.checks().into_iter().filter(|check| check.verdict == Verdict::Problem).collect()
    }

    fn check_version(&self) -> Check {
        let (name, version) = ("macos.version", self.version());
        if self.macos.0 >= OLDEST_MACOS {
            return check(name, Verdict::Ok, format!("macOS {version}"), "");
        }
        let finding = format!("this is macOS {version}, Cove needs {OLDEST_MACOS} or later");
        check(name, Verdict::Problem, finding, "Update macOS in System Settings")
    }

    fn check_support(&self) -> Check {
        let name = "virtualization";
        if self.supported {
            return check(name, Verdict::Ok, "Virtualization.framework runs machines here".to_owned(), "");
        }
        let finding = "Virtualization.framework cannot run machines on this computer".to_owned();
        check(
            name,
            Verdict::Problem,
            finding,
            "Use a Mac itself: inside of a virtual machine there is mostly no other one",
        )
    }

    fn check_entitlement(&self) -> Check {
        let name = "entitlement";
        let fix = "Install Cove again, or sign it: codesign --force --sign - --entitlements share/cove/cove.entitlements bin/coved";
        match &self.entitled {
            Ok(true) => check(name, Verdict::Ok, format!("coved is signed with {ENTITLEMENT}"), ""),
            Ok(false) => check(name, Verdict::Problem, format!("coved is not signed with {ENTITLEMENT}"), fix),
            // VZ itself has the last word at a start.
            Err(why) => check(
                name,
                Verdict::Warning,
                format!("whether coved is signed with {ENTITLEMENT} is not known: {why}"),
                fix,
            ),
        }
    }
}

/// How large a machine VZ makes on this computer. It knows less of what was asked for than we do, and says less.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// Number of virtual CPUs.
    pub cpus: RangeInclusive<usize>,
    /// Memory in bytes.
    pub memory_bytes: RangeInclusive<u64>,
}

impl Limits {
    /// What of a machine is beyond them.
    #[must_use]
    pub fn problems(&self, spec: &MachineSpec) -> Vec<Check> {
        let (cpus, memory) = (spec.cpus as usize, spec.memory_bytes);
        let too = |what: String, least: String, most: String, option: &str| {
            let finding = format!("the machine is to have {what}; macOS allows {least} to {most} on this computer");
            check("machine.size", Verdict::Problem, finding, &format!("Change it: cove settings {option}"))
        };
        let mib = |bytes: u64| format!("{} MiB", bytes >> 20);
        let cpus_fit = self.cpus.contains(&cpus);
        let memory_fits = self.memory_bytes.contains(&memory);
        let cpu_problem = (!cpus_fit).then(|| {
            let (least, most) = (self.cpus.start().to_string(), self.cpus.end().to_string());
            too(format!("{cpus} CPUs"), least, most, &format!("--cpus {}", self.cpus.end()))
        });
        let memory_problem = (!memory_fits).then(|| {
            let (least, most) = (*self.memory_bytes.start(), *self.memory_bytes.end());
            let nearest = memory.clamp(least, most.max(least)) >> 20;
            too(format!("{} of memory", mib(memory)), mib(least), mib(most), &format!("--memory {nearest}m"))
        });
        cpu_problem.into_iter().chain(memory_problem).collect()
    }
}

fn check(name: &str, verdict: Verdict, finding: String, fix: &str) -> Check {
    Check { name: name.to_owned(), verdict, finding, fix: fix.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn good() -> Facts {
        Facts { macos: (15, 1, 0), supported: true, entitled: Ok(true) }
    }

    fn spec(cpus: u32, memory_bytes: u64) -> MachineSpec {
        MachineSpec {
            runtime_dir: "/run".into(),
            kernel: "/vmlinux".into(),
            initramfs: "/initramfs".into(),
            kernel_arguments: Vec::new(),
            cpus,
            memory_bytes,
            data_disk: "/data.raw".into(),
            console_log: "/console.log".into(),
        }
    }

    #[test]
    fn a_machine_beyond_what_macos_allows_is_named_with_what_it_allows() {
        let limits = Limits { cpus: 1..=8, memory_bytes: 128 << 20..=8 << 30 };
        assert_eq!(limits.problems(&spec(8, 8 << 30)), []);
        let problems = limits.problems(&spec(9, 16 << 30));
        assert_eq!(problems.len(), 2);
        assert!(problems[0].finding.contains("9 CPUs") && problems[0].finding.contains("1 to 8"));
        assert_eq!(problems[0].fix, "Change it: cove settings --cpus 8");
        assert!(problems[1].finding.contains("16384 MiB of memory"), "{}", problems[1].finding);
        assert_eq!(problems[1].fix, "Change it: cove settings --memory 8192m");
        assert_eq!(limits.problems(&spec(1, 64 << 20))[0].fix, "Change it: cove settings --memory 128m");
    }

    fn only_problem(facts: &Facts) -> Check {
        let mut problems = facts.problems();
        assert_eq!(problems.len(), 1, "{problems:?}");
        problems.remove(0)
    }

    #[test]
    fn a_mac_that_has_all_has_no_problem() {
        assert_eq!(good().problems(), []);
        assert!(good().checks()[0].finding.contains("macOS 15.1"));
    }

    #[test]
    fn each_lack_is_one_problem_with_its_fix() {
        let old = only_problem(&Facts { macos: (12, 7, 6), ..good() });
        assert!(old.finding.contains("12.7.6") && old.finding.contains("13") && !old.fix.is_empty());
        assert_eq!(only_problem(&Facts { supported: false, ..good() }).name, "virtualization");
        assert!(only_problem(&Facts { entitled: Ok(false), ..good() }).fix.contains("codesign"));
    }

    #[test]
    fn what_is_not_known_is_a_warning() {
        let facts = Facts { entitled: Err("no answer".to_owned()), ..good() };
        assert_eq!(facts.problems(), []);
        assert_eq!(facts.checks()[2].verdict, Verdict::Warning);
    }
}
