//! A profile of the user's own, in the JSON of Docker: decoded, checked, and turned into rules for an architecture and the
//! capabilities of a process.
//!
//! What holds for every container holds here too: no AF_VSOCK, and no io_uring, which makes sockets out of a filter's
//! sight. A name that the kernel does not have is passed over, as runc does.

mod json;

use std::collections::BTreeMap;

use self::json::{ArchitectureMap, Argument, Document, Filter, Group};
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
        let here = |arch: &String| arch == docker_architecture();
        let since = |kernel: &String| is_at_least(release, kernel);
        let arches = includes.arches.as_deref().unwrap_or_default();
        !excludes.arches.iter().flatten().any(here)
            && !excludes.caps.iter().flatten().any(has)
            && !excludes.min_kernel.as_ref().is_some_and(since)
            && (arches.is_empty() || arches.iter().any(here))
            && includes.caps.iter().flatten().all(has)
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
mod tests;
