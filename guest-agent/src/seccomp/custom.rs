//! A profile of the user's own, in the JSON of Docker: decoded, checked, and turned into rules for an architecture and the
//! capabilities of a process.
//!
//! What holds for every container holds here too: no AF_VSOCK, and no io_uring, which makes sockets out of a filter's
//! sight. A name that the kernel does not have is passed over, as runc does.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::{
    architecture::Architecture,
    compile::Rules,
    condition::{Branch, Comparison, Operator},
    profile::Action,
};
use crate::capabilities;

/// Why a profile cannot be used, in the words of dockerd and runc.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ProfileError {
    /// It is not the JSON of a profile.
    #[error("Decoding seccomp profile failed: {0}")]
    Json(String),
    /// Two members that say the same thing.
    #[error("{0}")]
    Twice(&'static str),
    /// A word that stands for nothing.
    #[error("string {word} is not a valid {what} for seccomp")]
    Word {
        /// As in the profile.
        word: String,
        /// "action", "operator", "arch".
        what: &'static str,
    },
    /// It would need a program that decides about each call.
    #[error("seccomp notify is not supported by this version of Cove: use another action than SCMP_ACT_NOTIFY")]
    Notify,
    /// A system call has six arguments.
    #[error("seccomp: a system call has no argument {0}")]
    Argument(u64),
}

/// A profile that makes sense.
#[derive(Debug, PartialEq, Eq)]
pub struct Profile {
    /// What happens to what no rule names.
    otherwise: u32,
    architectures: Vec<Architecture>,
    rules: Vec<Rule>,
}

/// What happens to some system calls, if the container is one that the rule is for.
#[derive(Debug, PartialEq, Eq)]
struct Rule {
    names: Vec<String>,
    answer: u32,
    /// Holds if one of them holds whole; none stands for always.
    conditions: Vec<Vec<Comparison>>,
    includes: Filter,
    excludes: Filter,
}

#[derive(Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
struct Filter {
    caps: Vec<String>,
    arches: Vec<String>,
    #[serde(rename = "minKernel")]
    min_kernel: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Document {
    #[serde(default)]
    default_action: String,
    default_errno_ret: Option<u32>,
    #[serde(default)]
    architectures: Option<Vec<String>>,
    #[serde(default)]
    arch_map: Option<Vec<ArchitectureMap>>,
    #[serde(default)]
    syscalls: Option<Vec<Group>>,
}

#[derive(Deserialize)]
struct ArchitectureMap {
    architecture: String,
    #[serde(default, rename = "subArchitectures")]
    with: Option<Vec<String>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Group {
    #[serde(default)]
    name: String,
    #[serde(default)]
    names: Option<Vec<String>>,
    action: String,
    errno_ret: Option<u32>,
    #[serde(default)]
    args: Option<Vec<Argument>>,
    #[serde(default)]
    includes: Option<Filter>,
    #[serde(default)]
    excludes: Option<Filter>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Argument {
    index: u64,
    value: u64,
    #[serde(default)]
    value_two: u64,
    op: String,
}

impl Profile {
    /// Reads a profile.
    ///
    /// # Errors
    /// At the first thing in it that makes no sense.
    pub fn parse(json: &str) -> Result<Self, ProfileError> {
        let document: Document = serde_json::from_str(json).map_err(|error| ProfileError::Json(error.to_string()))?;
        let groups = document.syscalls.unwrap_or_default();
        if document.default_action.is_empty() && groups.is_empty() {
            // To dockerd, no profile at all.
            return Ok(Self { otherwise: ALLOW, architectures: Architecture::here().to_vec(), rules: Vec::new() });
        }
        Ok(Self {
            otherwise: answer(&document.default_action, document.default_errno_ret)?,
            architectures: architectures(document.architectures, document.arch_map)?,
            rules: groups.into_iter().map(|group| rule(group, document.default_errno_ret)).collect::<Result<_, _>>()?,
        })
    }

    /// Those of a machine's architectures whose system calls may be made.
    pub(super) fn architectures(&self) -> &[Architecture] {
        &self.architectures
    }

    /// What happens to each system call of an architecture, on a kernel of this release.
    pub(super) fn rules(&self, capabilities: u64, architecture: Architecture, release: &str) -> Rules {
        let mut found: BTreeMap<u32, (Vec<Branch>, Option<u32>)> = BTreeMap::new();
        // runc does not hand over what would change nothing, so that it stands in no other rule's way.
        let changes = |rule: &&Rule| rule.answer != self.otherwise;
        for rule in self.rules.iter().filter(changes).filter(|rule| rule.is_for(capabilities, release)) {
            for number in rule.names.iter().filter_map(|name| architecture.number(name)) {
                let (branches, always) = found.entry(number).or_default();
                if rule.conditions.is_empty() {
                    always.get_or_insert(rule.answer);
                }
                let branch = |all: &Vec<Comparison>| Branch { all: all.clone(), answer: rule.answer };
                branches.extend(rule.conditions.iter().map(branch));
            }
        }
        let action = |(branches, always): (Vec<Branch>, Option<u32>)| match always {
            // What holds without a condition holds whatever the conditions of others say, as in libseccomp.
            Some(answer) => Action::First(Vec::new(), answer),
            None => Action::First(branches, self.otherwise),
        };
        let numbers = found.into_iter().map(|(number, found)| (number, action(found))).collect();
        let mut rules = Rules { otherwise: Action::First(Vec::new(), self.otherwise), numbers };
        close_control_channel(&mut rules, architecture);
        rules
    }
}

fn close_control_channel(rules: &mut Rules, architecture: Architecture) {
    if let Some(number) = architecture.number("socket") {
        let (mut branches, otherwise) = match rules.numbers.remove(&number).unwrap_or(rules.otherwise.clone()) {
            Action::First(branches, otherwise) => (branches, otherwise),
            Action::Allow | Action::Fail(_) | Action::AllowIf(_) => (Vec::new(), ERRNO | libc::EPERM.unsigned_abs()),
        };
        let family = Comparison { argument: 0, operator: Operator::MaskedEqual(0xffff_ffff), value: 40 };
        branches.insert(0, Branch { all: vec![family], answer: ERRNO | libc::EPERM.unsigned_abs() });
        rules.numbers.insert(number, Action::First(branches, otherwise));
    }
    if let Some(number) = architecture.number("io_uring_setup") {
        rules.numbers.insert(number, Action::Fail(libc::ENOSYS as u16));
    }
}

const ALLOW: u32 = 0x7fff_0000;
const ERRNO: u32 = 0x0005_0000;

/// SECCOMP_RET_* of linux/seccomp.h.
fn answer(action: &str, errno: Option<u32>) -> Result<u32, ProfileError> {
    let data = errno.unwrap_or(libc::EPERM.unsigned_abs()) & 0xffff;
    Ok(match action {
        "SCMP_ACT_KILL" | "SCMP_ACT_KILL_THREAD" => 0,
        "SCMP_ACT_KILL_PROCESS" => 0x8000_0000,
        "SCMP_ACT_TRAP" => 0x0003_0000,
        "SCMP_ACT_ERRNO" => ERRNO | data,
        "SCMP_ACT_TRACE" => 0x7ff0_0000 | data,
        "SCMP_ACT_LOG" => 0x7ffc_0000,
        "SCMP_ACT_ALLOW" => ALLOW,
        "SCMP_ACT_NOTIFY" => return Err(ProfileError::Notify),
        word => return Err(ProfileError::Word { word: word.to_owned(), what: "action" }),
    })
}

fn rule(group: Group, errno: Option<u32>) -> Result<Rule, ProfileError> {
    let names = group.names.unwrap_or_default();
    let names = match (group.name.is_empty(), names.is_empty()) {
        (false, false) => {
            return Err(ProfileError::Twice(
                "both 'name' and 'names' are specified in the seccomp profile, use either 'name' or 'names'",
            ));
        }
        (false, true) => vec![group.name],
        (true, _) => names,
    };
    Ok(Rule {
        names,
        answer: answer(&group.action, group.errno_ret.or(errno))?,
        conditions: conditions(group.args.unwrap_or_default())?,
        includes: group.includes.unwrap_or_default(),
        excludes: group.excludes.unwrap_or_default(),
    })
}

/// All must hold; but if one argument is named twice, runc takes each for a rule of its own.
fn conditions(arguments: Vec<Argument>) -> Result<Vec<Vec<Comparison>>, ProfileError> {
    let all = arguments.into_iter().map(comparison).collect::<Result<Vec<_>, _>>()?;
    let twice = all.iter().enumerate().any(|(at, one)| all[..at].iter().any(|other| other.argument == one.argument));
    Ok(match (all.is_empty(), twice) {
        (true, _) => Vec::new(),
        (false, true) => all.into_iter().map(|one| vec![one]).collect(),
        (false, false) => vec![all],
    })
}

fn comparison(argument: Argument) -> Result<Comparison, ProfileError> {
    let Argument { index, value, value_two, op } = argument;
    let number = u32::try_from(index).ok().filter(|index| *index < 6).ok_or(ProfileError::Argument(index))?;
    let (operator, value) = match op.as_str() {
        "SCMP_CMP_NE" => (Operator::NotEqual, value),
        "SCMP_CMP_LT" => (Operator::Below, value),
        "SCMP_CMP_LE" => (Operator::AtMost, value),
        "SCMP_CMP_EQ" => (Operator::Equal, value),
        "SCMP_CMP_GE" => (Operator::AtLeast, value),
        "SCMP_CMP_GT" => (Operator::Above, value),
        "SCMP_CMP_MASKED_EQ" => (Operator::MaskedEqual(value), value_two),
        word => return Err(ProfileError::Word { word: word.to_owned(), what: "operator" }),
    };
    Ok(Comparison { argument: number, operator, value })
}

/// The machine's own is always among them, as libseccomp has it.
fn architectures(
    listed: Option<Vec<String>>,
    mapped: Option<Vec<ArchitectureMap>>,
) -> Result<Vec<Architecture>, ProfileError> {
    let (mut listed, mapped) = (listed.unwrap_or_default(), mapped.unwrap_or_default());
    if !listed.is_empty() && !mapped.is_empty() {
        return Err(ProfileError::Twice(
            "both 'architectures' and 'archMap' are specified in the seccomp profile, use either 'architectures' or \
             'archMap'",
        ));
    }
    let own = Architecture::here()[0];
    if let Some(map) = mapped.into_iter().find(|map| Architecture::by_word(&map.architecture) == Some(own)) {
        listed = map.with.unwrap_or_default();
    }
    let unknown = listed.iter().find(|word| !is_architecture(word));
    if let Some(word) = unknown {
        return Err(ProfileError::Word { word: word.clone(), what: "arch" });
    }
    let named: Vec<_> = listed.iter().filter_map(|word| Architecture::by_word(word)).collect();
    let known = Architecture::here().iter().copied();
    Ok(known.filter(|known| *known == own || named.contains(known)).collect())
}

fn is_architecture(word: &str) -> bool {
    const OTHERS: [&str; 15] = [
        "X32",
        "ARM",
        "MIPS",
        "MIPS64",
        "MIPS64N32",
        "MIPSEL",
        "MIPSEL64",
        "MIPSEL64N32",
        "PPC",
        "PPC64",
        "PPC64LE",
        "S390",
        "S390X",
        "RISCV64",
        "LOONGARCH64",
    ];
    Architecture::by_word(word).is_some() || word.strip_prefix("SCMP_ARCH_").is_some_and(|end| OTHERS.contains(&end))
}

impl Rule {
    fn is_for(&self, capabilities: u64, release: &str) -> bool {
        let has =
            |name: &String| capabilities::by_name(name).is_some_and(|set| capabilities::contains(capabilities, set));
        let (includes, excludes) = (&self.includes, &self.excludes);
        let here = |arches: &Vec<String>| arches.iter().any(|arch| arch == docker_architecture());
        let since = |kernel: &String| is_at_least(release, kernel);
        !here(&excludes.arches)
            && !excludes.caps.iter().any(has)
            && !excludes.min_kernel.as_ref().is_some_and(since)
            && (includes.arches.is_empty() || here(&includes.arches))
            && includes.caps.iter().all(has)
            && includes.min_kernel.as_ref().is_none_or(since)
    }
}

fn docker_architecture() -> &'static str {
    if cfg!(target_arch = "aarch64") { "arm64" } else { "amd64" }
}

/// Whether a release like "6.12.8-cloud" is of the kernel "4.8" or later.
fn is_at_least(release: &str, least: &str) -> bool {
    let numbers = |text: &str| -> Vec<u32> {
        let parts = text.split(|c: char| !c.is_ascii_digit()).take(2);
        parts.map(|part| part.parse().unwrap_or(0)).collect()
    };
    numbers(release) >= numbers(least)
}

#[cfg(test)]
mod tests {
    use super::{
        super::{compile, interpreter::run},
        *,
    };

    /// What a profile does to a call of x86_64.
    fn outcome(json: &str, capabilities: u64, name: &str, arguments: &[u64; 6]) -> u32 {
        let profile = Profile::parse(json).unwrap();
        let architecture = Architecture::here()[0];
        let program = compile::custom(&profile, capabilities, "6.12.1");
        run(&program, architecture.audit_number(), architecture.number(name).unwrap(), arguments)
    }

    fn errno(number: u32) -> u32 {
        ERRNO | number
    }

    #[test]
    fn a_list_of_what_is_forbidden_forbids_just_that() {
        let json = r#"{"defaultAction":"SCMP_ACT_ALLOW","syscalls":[
            {"names":["mkdir","mkdirat","no_such_call"],"action":"SCMP_ACT_ERRNO"},
            {"name":"chmod","action":"SCMP_ACT_ERRNO","errnoRet":38},
            {"names":["kexec_load"],"action":"SCMP_ACT_KILL_PROCESS"}]}"#;
        assert_eq!(outcome(json, 0, "mkdirat", &[0; 6]), errno(1));
        assert_eq!(outcome(json, 0, "kexec_load", &[0; 6]), 0x8000_0000);
        assert_eq!(outcome(json, 0, "getpid", &[0; 6]), ALLOW);
        if cfg!(target_arch = "x86_64") {
            assert_eq!(outcome(json, 0, "chmod", &[0; 6]), errno(38));
        }
    }

    #[test]
    fn every_comparison_looks_at_all_of_an_argument() {
        let high = 7 << 32;
        for (op, value, two, yes, no) in [
            ("EQ", high + 5, 0, vec![high + 5], vec![5, high + 6, (8 << 32) + 5]),
            ("NE", high + 5, 0, vec![5, high + 6], vec![high + 5]),
            ("LT", high + 5, 0, vec![9, high + 4], vec![high + 5, (8 << 32)]),
            ("LE", high + 5, 0, vec![9, high + 5], vec![high + 6, (8 << 32)]),
            ("GT", high + 5, 0, vec![high + 6, 8 << 32], vec![high + 5, 9]),
            ("GE", high + 5, 0, vec![high + 5, 8 << 32], vec![high + 4, 9]),
            ("MASKED_EQ", high + 0xf0, high + 0x10, vec![high + 0x1f], vec![high + 0x2f, 0x1f]),
        ] {
            let json = format!(
                r#"{{"defaultAction":"SCMP_ACT_ALLOW","syscalls":[{{"names":["lseek"],"action":"SCMP_ACT_ERRNO",
                    "args":[{{"index":1,"value":{value},"valueTwo":{two},"op":"SCMP_CMP_{op}"}}]}}]}}"#
            );
            for value in yes {
                assert_eq!(outcome(&json, 0, "lseek", &[0, value, 0, 0, 0, 0]), errno(1), "{op} {value:#x}");
            }
            for value in no {
                assert_eq!(outcome(&json, 0, "lseek", &[0, value, 0, 0, 0, 0]), ALLOW, "{op} {value:#x}");
            }
        }
    }

    #[test]
    fn conditions_of_a_rule_hold_together_and_rules_one_by_one() {
        let json = r#"{"defaultAction":"SCMP_ACT_ERRNO","defaultErrnoRet":99,"syscalls":[
            {"names":["lseek"],"action":"SCMP_ACT_ALLOW","args":[
                {"index":0,"value":1,"op":"SCMP_CMP_EQ"},{"index":1,"value":2,"op":"SCMP_CMP_EQ"}]},
            {"names":["lseek"],"action":"SCMP_ACT_LOG","args":[{"index":2,"value":9,"op":"SCMP_CMP_GE"}]},
            {"names":["dup"],"action":"SCMP_ACT_ALLOW","args":[
                {"index":0,"value":1,"op":"SCMP_CMP_EQ"},{"index":0,"value":2,"op":"SCMP_CMP_EQ"}]}]}"#;
        assert_eq!(outcome(json, 0, "lseek", &[1, 2, 0, 0, 0, 0]), ALLOW);
        assert_eq!(outcome(json, 0, "lseek", &[1, 3, 0, 0, 0, 0]), errno(99));
        assert_eq!(outcome(json, 0, "lseek", &[1, 3, 9, 0, 0, 0]), 0x7ffc_0000);
        assert_eq!([1, 2, 3].map(|fd| outcome(json, 0, "dup", &[fd, 0, 0, 0, 0, 0])), [ALLOW, ALLOW, errno(99)]);
        assert_eq!(outcome(json, 0, "getpid", &[0; 6]), errno(99));
    }

    #[test]
    fn rules_are_for_capabilities_architectures_and_kernels() {
        let json = r#"{"defaultAction":"SCMP_ACT_ERRNO","syscalls":[
            {"names":["mount"],"action":"SCMP_ACT_ALLOW","includes":{"caps":["CAP_SYS_ADMIN"]}},
            {"names":["umount2"],"action":"SCMP_ACT_ALLOW","excludes":{"caps":["CAP_SYS_ADMIN"]}},
            {"names":["getpid"],"action":"SCMP_ACT_ALLOW","includes":{"arches":["s390x"]}},
            {"names":["gettid"],"action":"SCMP_ACT_ALLOW","includes":{"arches":["amd64","arm64"],"minKernel":"4.8"}},
            {"names":["getppid"],"action":"SCMP_ACT_ALLOW","includes":{"minKernel":"6.13"}}]}"#;
        let admin = 1 << capabilities::SYS_ADMIN;
        let of = |set, name| outcome(json, set, name, &[0; 6]) == ALLOW;
        assert!(of(admin, "mount") && !of(0, "mount") && of(0, "umount2") && !of(admin, "umount2"));
        assert!(!of(0, "getpid") && of(0, "gettid") && !of(0, "getppid"));
    }

    #[test]
    fn no_profile_opens_the_control_channel() {
        for json in [
            r#"{"defaultAction":"SCMP_ACT_ALLOW"}"#,
            r"{}",
            r#"{"defaultAction":"SCMP_ACT_ERRNO","syscalls":[{"names":["socket","io_uring_setup"],"action":"SCMP_ACT_ALLOW"}]}"#,
        ] {
            for family in [40, 0x1_0000_0028] {
                assert_eq!(outcome(json, capabilities::ALL, "socket", &[family, 0, 0, 0, 0, 0]), errno(1), "{json}");
            }
            assert_eq!(outcome(json, capabilities::ALL, "socket", &[2, 0, 0, 0, 0, 0]), ALLOW, "{json}");
            assert_eq!(outcome(json, capabilities::ALL, "io_uring_setup", &[0; 6]), errno(38), "{json}");
        }
    }

    #[test]
    fn an_architecture_that_is_not_listed_is_shut() {
        let listed = |json: &str| Profile::parse(json).unwrap().architectures().to_vec();
        assert_eq!(listed(r#"{"defaultAction":"SCMP_ACT_ALLOW"}"#), [Architecture::here()[0]]);
        if cfg!(target_arch = "x86_64") {
            let both = [Architecture::X86_64, Architecture::I386];
            let json = r#"{"defaultAction":"SCMP_ACT_ALLOW","architectures":["SCMP_ARCH_X86","SCMP_ARCH_X32"]}"#;
            assert_eq!(listed(json), both);
            let json = r#"{"defaultAction":"SCMP_ACT_ALLOW","archMap":[{"architecture":"SCMP_ARCH_AARCH64"},
                {"architecture":"SCMP_ARCH_X86_64","subArchitectures":["SCMP_ARCH_X86"]}]}"#;
            assert_eq!(listed(json), both);
        }
    }

    #[test]
    fn what_makes_no_sense_is_refused_in_the_words_of_docker_or_runc() {
        for (json, message) in [
            (r#"{"defaultAction":7}"#, "Decoding seccomp profile failed: invalid type: integer `7`"),
            (r#"{"defaultAction":"SCMP_ACT_X"}"#, "string SCMP_ACT_X is not a valid action for seccomp"),
            (
                r#"{"defaultAction":"SCMP_ACT_ALLOW","architectures":["SCMP_ARCH_Z80"]}"#,
                "string SCMP_ARCH_Z80 is not a valid arch for seccomp",
            ),
            (
                r#"{"defaultAction":"SCMP_ACT_ALLOW","syscalls":[{"name":"a","names":["b"],"action":"SCMP_ACT_LOG"}]}"#,
                "both 'name' and 'names' are specified",
            ),
            (r#"{"defaultAction":"SCMP_ACT_NOTIFY"}"#, "seccomp notify is not supported"),
        ] {
            let error = Profile::parse(json).unwrap_err().to_string();
            assert!(error.starts_with(message), "{error}");
        }
    }
}
