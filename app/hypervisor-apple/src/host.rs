//! From facts about the host to checks. Pure; the facts are found by `vz`.

use cove_machine::hypervisor::{Check, Verdict};

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

fn check(name: &str, verdict: Verdict, finding: String, fix: &str) -> Check {
    Check { name: name.to_owned(), verdict, finding, fix: fix.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn good() -> Facts {
        Facts { macos: (15, 1, 0), supported: true, entitled: Ok(true) }
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
