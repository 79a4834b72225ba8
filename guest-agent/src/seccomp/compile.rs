//! From rules to a program of classic BPF.
//!
//! ```text
//! which architecture? ──► x86_64: ≥ number? ──► ... ──► allow | errno | tests of arguments
//!                    ├──► i386:   ≥ number? ──► ...
//!                    └──► any other: killed
//! ```

use std::collections::BTreeMap;

use super::{
    architecture::Architecture,
    condition::{Branch, Comparison, Condition, Operator, Test},
    custom::Profile,
    profile::{self, Action},
};

/// One instruction: `struct sock_filter`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Instruction {
    pub(super) code: u16,
    pub(super) if_true: u8,
    pub(super) if_false: u8,
    pub(super) operand: u32,
}

pub(super) const LOAD: u16 = 0x20;
pub(super) const JUMP: u16 = 0x05;
pub(super) const JUMP_IF_EQUAL: u16 = 0x15;
pub(super) const JUMP_IF_ABOVE: u16 = 0x25;
pub(super) const JUMP_IF_AT_LEAST: u16 = 0x35;
pub(super) const JUMP_IF_ANY: u16 = 0x45;
pub(super) const RETURN: u16 = 0x06;
pub(super) const AND: u16 = 0x54;

pub(super) const ALLOW: u32 = 0x7fff_0000;
pub(super) const FAIL: u32 = 0x0005_0000;
pub(super) const KILL: u32 = 0x8000_0000;

/// Offsets in `struct seccomp_data`; both architectures are little-endian, so an argument's low half comes first.
pub(super) const NUMBER: u32 = 0;
pub(super) const ARCHITECTURE: u32 = 4;
pub(super) const ARGUMENTS: u32 = 16;

/// System calls of x32 are those of x86_64 with this bit set.
const X32: u32 = 0x4000_0000;

const PERMISSION: Action = Action::Fail(libc::EPERM as u16);
const MISSING: Action = Action::Fail(libc::ENOSYS as u16);

/// AF_VSOCK (40).
const NOT_VSOCK: &[Condition] =
    &[Condition { argument: 0, test: Test::Below(40) }, Condition { argument: 0, test: Test::Above(40) }];

/// The rules of one architecture.
pub(super) struct Rules {
    /// What happens to a number that has no entry.
    pub(super) otherwise: Action,
    /// By number.
    pub(super) numbers: BTreeMap<u32, Action>,
}

/// A program as the kernel takes it.
pub(super) fn bytes(program: &[Instruction]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for instruction in program {
        bytes.extend(instruction.code.to_ne_bytes());
        bytes.extend([instruction.if_true, instruction.if_false]);
        bytes.extend(instruction.operand.to_ne_bytes());
    }
    bytes
}

/// A filter that comes with the engine.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Builtin {
    /// Docker's default profile.
    Docker,
    /// Nothing but what keeps containers away from the control channel.
    ControlChannelOnly,
}

/// The program of one that comes with the engine, for the architectures of a machine.
pub(super) fn program(builtin: Builtin, capabilities: u64, architectures: &[Architecture]) -> Vec<Instruction> {
    assemble(architectures, |architecture| rules(builtin, capabilities, architecture))
}

/// The program of a profile that the user wrote, on a kernel of this release.
pub(super) fn custom(profile: &Profile, capabilities: u64, release: &str) -> Vec<Instruction> {
    assemble(profile.architectures(), |architecture| {
        let mut rules = profile.rules(capabilities, architecture, release);
        without_socketcall(&mut rules, architecture);
        rules
    })
}

fn assemble(architectures: &[Architecture], rules: impl Fn(Architecture) -> Rules) -> Vec<Instruction> {
    let mut program = vec![load(ARCHITECTURE)];
    for architecture in architectures {
        let mut part = vec![load(NUMBER)];
        part.extend(search(&ranges(&rules(*architecture))));
        program.extend(branch(JUMP_IF_EQUAL, architecture.audit_number(), part));
    }
    // No kernel of ours has another; if it had, nothing here would hold.
    program.push(leave(KILL));
    program
}

/// What happens to each system call of an architecture.
pub(super) fn rules(builtin: Builtin, capabilities: u64, architecture: Architecture) -> Rules {
    let mut rules = match builtin {
        Builtin::Docker => docker(capabilities, architecture),
        Builtin::ControlChannelOnly => control_channel_only(architecture),
    };
    without_socketcall(&mut rules, architecture);
    rules
}

/// `socketcall` hides the family behind a pointer. Without it the C library uses `socket`, since 2.24 or so.
fn without_socketcall(rules: &mut Rules, architecture: Architecture) {
    if architecture == Architecture::I386 {
        rules.numbers.extend(architecture.number("socketcall").map(|number| (number, MISSING)));
    }
}

fn docker(capabilities: u64, architecture: Architecture) -> Rules {
    let allowed = profile::allowed(architecture, capabilities).map(|name| (name, Action::Allow));
    let numbers = allowed.chain(profile::conditional(capabilities));
    let numbers = numbers.filter_map(|(name, action)| Some((architecture.number(name)?, action)));
    Rules { otherwise: PERMISSION, numbers: numbers.collect() }
}

/// Nothing but AF_VSOCK is refused. io_uring can make sockets out of any filter's sight, so it does not exist.
fn control_channel_only(architecture: Architecture) -> Rules {
    let refused = [("socket", Action::AllowIf(NOT_VSOCK)), ("io_uring_setup", MISSING)];
    let numbers = refused.into_iter().filter_map(|(name, action)| Some((architecture.number(name)?, action)));
    Rules { otherwise: Action::Allow, numbers: numbers.collect() }
}

/// Ranges of numbers with one action each: (first number, action), ascending, the first from 0.
fn ranges(rules: &Rules) -> Vec<(u32, Action)> {
    let mut ranges: Vec<(u32, Action)> = Vec::new();
    let mut add = |from: u32, action: &Action| {
        if ranges.last().is_none_or(|(_, last)| last != action) {
            ranges.push((from, action.clone()));
        }
    };
    let mut next = 0;
    for (number, action) in &rules.numbers {
        if *number > next {
            add(next, &rules.otherwise);
        }
        add(*number, action);
        next = number + 1;
    }
    add(next, &rules.otherwise);
    // No one's system calls are up there but x32's, which is not offered.
    add(X32, &MISSING);
    ranges
}

/// A binary search for the range that the number is in.
fn search(ranges: &[(u32, Action)]) -> Vec<Instruction> {
    match ranges {
        [] => vec![leave(KILL)],
        [(_, action)] => act(action),
        _ => {
            let (low, high) = ranges.split_at(ranges.len() / 2);
            let mut program = branch(JUMP_IF_AT_LEAST, high[0].0, search(high));
            program.extend(search(low));
            program
        }
    }
}

fn act(action: &Action) -> Vec<Instruction> {
    match action {
        Action::Allow => vec![leave(ALLOW)],
        Action::Fail(errno) => vec![leave(FAIL | u32::from(*errno))],
        Action::AllowIf(conditions) => {
            let mut program = Vec::new();
            for condition in *conditions {
                program.push(load(ARGUMENTS + 8 * condition.argument));
                program.extend(test(condition.test));
            }
            program.extend(act(&PERMISSION));
            program
        }
        Action::First(branches, otherwise) => {
            let mut program: Vec<_> = branches.iter().flat_map(guarded).collect();
            program.push(leave(*otherwise));
            program
        }
    }
}

/// Answers if all comparisons hold, else goes on behind.
fn guarded(branch: &Branch) -> Vec<Instruction> {
    branch.all.iter().rev().fold(vec![leave(branch.answer)], |part, comparison| compare(comparison, part))
}

/// Runs `part` if a comparison of 64 bits holds, else goes on behind it. `part` is short: six comparisons at most, for each
/// argument is compared once, and an answer.
fn compare(comparison: &Comparison, part: Vec<Instruction>) -> Vec<Instruction> {
    let Comparison { argument, operator, value } = *comparison;
    let (low, high) = (load(ARGUMENTS + 8 * argument), load(ARGUMENTS + 8 * argument + 4));
    let (low_value, high_value) = ((value & 0xffff_ffff) as u32, (value >> 32) as u32);
    let skip = u8::try_from(part.len()).unwrap_or(u8::MAX);
    let jump = |code, if_true, if_false, operand| Instruction { code, if_true, if_false, operand };
    let unequal_halves = |above: u8, below: u8| {
        [high, jump(JUMP_IF_ABOVE, above, 0, high_value), jump(JUMP_IF_EQUAL, 0, below, high_value), low]
    };
    let mut program = match operator {
        Operator::Equal => {
            vec![high, jump(JUMP_IF_EQUAL, 0, 2 + skip, high_value), low, jump(JUMP_IF_EQUAL, 0, skip, low_value)]
        }
        Operator::NotEqual => {
            vec![high, jump(JUMP_IF_EQUAL, 0, 2, high_value), low, jump(JUMP_IF_EQUAL, skip, 0, low_value)]
        }
        Operator::MaskedEqual(mask) => vec![
            high,
            jump(AND, 0, 0, (mask >> 32) as u32),
            jump(JUMP_IF_EQUAL, 0, 3 + skip, high_value),
            low,
            jump(AND, 0, 0, (mask & 0xffff_ffff) as u32),
            jump(JUMP_IF_EQUAL, 0, skip, low_value),
        ],
        Operator::Above => [&unequal_halves(3, 2 + skip)[..], &[jump(JUMP_IF_ABOVE, 0, skip, low_value)]].concat(),
        Operator::AtLeast => [&unequal_halves(3, 2 + skip)[..], &[jump(JUMP_IF_AT_LEAST, 0, skip, low_value)]].concat(),
        Operator::Below => [&unequal_halves(3 + skip, 2)[..], &[jump(JUMP_IF_AT_LEAST, skip, 0, low_value)]].concat(),
        Operator::AtMost => [&unequal_halves(3 + skip, 2)[..], &[jump(JUMP_IF_ABOVE, skip, 0, low_value)]].concat(),
    };
    program.extend(part);
    program
}

/// Allows if the test holds, else goes on behind.
fn test(test: Test) -> [Instruction; 2] {
    let (code, operand, allowed_if) = match test {
        Test::Equal(value) => (JUMP_IF_EQUAL, value, true),
        Test::Above(value) => (JUMP_IF_ABOVE, value, true),
        Test::Below(value) => (JUMP_IF_AT_LEAST, value, false),
        Test::NoneOf(bits) => (JUMP_IF_ANY, bits, false),
    };
    let (if_true, if_false) = if allowed_if { (0, 1) } else { (1, 0) };
    [Instruction { code, if_true, if_false, operand }, leave(ALLOW)]
}

/// Runs `part` if the comparison holds, else goes on behind it. A conditional jump reaches 255 instructions.
fn branch(code: u16, operand: u32, part: Vec<Instruction>) -> Vec<Instruction> {
    let mut program = match u8::try_from(part.len()) {
        Ok(length) => vec![Instruction { code, if_true: 0, if_false: length, operand }],
        Err(_) => vec![
            Instruction { code, if_true: 1, if_false: 0, operand },
            Instruction { code: JUMP, if_true: 0, if_false: 0, operand: u32::try_from(part.len()).unwrap_or(u32::MAX) },
        ],
    };
    program.extend(part);
    program
}

fn load(offset: u32) -> Instruction {
    Instruction { code: LOAD, if_true: 0, if_false: 0, operand: offset }
}

fn leave(value: u32) -> Instruction {
    Instruction { code: RETURN, if_true: 0, if_false: 0, operand: value }
}

#[cfg(test)]
mod tests {
    use super::{
        super::{architecture::Architecture::*, interpreter::run},
        *,
    };
    use crate::capabilities;

    const MACHINES: [&[Architecture]; 2] = [&[X86_64, I386], &[Aarch64]];

    /// Says what should happen, from the rules, without any program.
    fn expected(rules: &Rules, number: u32, arguments: &[u64; 6]) -> u32 {
        if number >= X32 {
            return FAIL | 38;
        }
        match rules.numbers.get(&number).unwrap_or(&rules.otherwise) {
            Action::Allow => ALLOW,
            Action::Fail(errno) => FAIL | u32::from(*errno),
            Action::AllowIf(conditions) if conditions.iter().any(|condition| condition.holds(arguments)) => ALLOW,
            Action::AllowIf(_) => FAIL | 1,
            Action::First(..) => panic!("of profiles that come with the engine, none is made so"),
        }
    }

    #[test]
    fn the_program_agrees_with_the_rules_on_every_call_for_every_capability() {
        let interesting = [0, 1, 2, 8, 16, 37, 38, 39, 40, 41, 0x2_0000, 0x2_0008, 0x1000_0000, 0xffff_ffff];
        let mut sets = vec![0, capabilities::DEFAULT, capabilities::ALL];
        sets.extend((0..=40).map(|bit| 1 << bit));
        for (builtin, machine, set) in [Builtin::Docker, Builtin::ControlChannelOnly].into_iter().flat_map(|builtin| {
            MACHINES.into_iter().flat_map({
                let sets = &sets;
                move |machine| sets.iter().map(move |set| (builtin, machine, *set))
            })
        }) {
            let program = program(builtin, set, machine);
            for architecture in machine {
                let rules = rules(builtin, set, *architecture);
                for number in (0..600).chain([X32 - 1, X32, X32 + 41, u32::MAX]) {
                    for argument in interesting {
                        let arguments = [argument, 0, 0, 0, 0, 0];
                        let got = run(&program, architecture.audit_number(), number, &arguments);
                        let wanted = expected(&rules, number, &arguments);
                        assert_eq!(got, wanted, "{architecture:?} {number} {argument:#x} capabilities {set:#x}");
                    }
                }
            }
        }
    }

    fn outcome(builtin: Builtin, set: u64, architecture: Architecture, name: &str, argument: u64) -> u32 {
        let machine = if architecture == Aarch64 { MACHINES[1] } else { MACHINES[0] };
        let number = architecture.number(name).unwrap();
        run(&program(builtin, set, machine), architecture.audit_number(), number, &[argument, 0, 0, 0, 0, 0])
    }

    #[test]
    fn no_container_opens_a_vsock_however_it_asks() {
        for builtin in [Builtin::Docker, Builtin::ControlChannelOnly] {
            for architecture in [X86_64, I386, Aarch64] {
                for family in [40, 0x1_0000_0028, 0xffff_ffff_0000_0028] {
                    assert_eq!(outcome(builtin, capabilities::ALL, architecture, "socket", family), FAIL | 1);
                }
                assert_eq!(outcome(builtin, capabilities::ALL, architecture, "socket", 2), ALLOW);
                assert_ne!(outcome(builtin, capabilities::ALL, architecture, "io_uring_setup", 1), ALLOW);
            }
            assert_eq!(outcome(builtin, capabilities::ALL, I386, "socketcall", 1), FAIL | 38);
        }
        assert_eq!(outcome(Builtin::Docker, capabilities::ALL, X86_64, "socket", 38), FAIL | 1);
    }

    #[test]
    fn namespaces_need_the_capability() {
        let new_user = 0x1000_0000;
        let clone = |set, flags| outcome(Builtin::Docker, set, X86_64, "clone", flags);
        assert_eq!(clone(capabilities::DEFAULT, 17), ALLOW);
        assert_eq!(clone(capabilities::DEFAULT, new_user), FAIL | 1);
        assert_eq!(clone(capabilities::ALL, new_user), ALLOW);
        assert_eq!(outcome(Builtin::Docker, capabilities::DEFAULT, X86_64, "clone3", 0), FAIL | 38);
        assert_eq!(outcome(Builtin::Docker, capabilities::DEFAULT, X86_64, "unshare", new_user), FAIL | 1);
        assert_eq!(outcome(Builtin::Docker, capabilities::DEFAULT, X86_64, "mount", 0), FAIL | 1);
        assert_eq!(outcome(Builtin::ControlChannelOnly, 0, X86_64, "mount", 0), ALLOW);
    }

    #[test]
    fn another_architecture_is_killed() {
        let program = program(Builtin::Docker, capabilities::DEFAULT, MACHINES[0]);
        assert_eq!(run(&program, Aarch64.audit_number(), 0, &[0; 6]), KILL);
    }

    #[test]
    fn the_program_stays_short() {
        let length = program(Builtin::Docker, capabilities::DEFAULT, MACHINES[0]).len();
        assert!(length < 450, "{length} instructions");
    }

    #[test]
    #[cfg(target_arch = "x86_64")]
    fn the_kernel_takes_the_program_and_keeps_to_it() {
        let program = bytes(&program(Builtin::Docker, capabilities::DEFAULT, Architecture::here()));
        // A thread of its own: a filter stays for ever, and this one's no_new_privs too.
        let refused = std::thread::spawn(move || {
            rustix::thread::set_no_new_privs(true).unwrap();
            crate::sys::filter::set(&program).unwrap();
            let family = rustix::net::AddressFamily::from_raw(40);
            let socket = rustix::net::socket(family, rustix::net::SocketType::STREAM, None);
            let internet = rustix::net::socket(rustix::net::AddressFamily::INET, rustix::net::SocketType::STREAM, None);
            (socket.map(drop), internet.map(drop))
        });
        assert_eq!(refused.join().unwrap(), (Err(rustix::io::Errno::PERM), Ok(())));
    }
}
