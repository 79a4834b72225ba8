//! Which devices a container may use: a BPF program on its cgroup that denies all but Docker's list and what it was given.
//!
//! Making any node is allowed, opening it is not: so `mknod` of an image's build works and gives nothing.

use std::{
    os::fd::{AsFd, OwnedFd},
    sync::{Mutex, PoisonError},
};

use rustix::io::Errno;

use crate::{
    processes::launch::{DeviceKind, DeviceRule},
    sys::device_program::{self, Instruction},
};

const BLOCK: i32 = 1;
const CHARACTER: i32 = 2;

const fn character(major: u32, minor: Option<u32>) -> DeviceRule {
    let access = DeviceRule::MAKE | DeviceRule::READ | DeviceRule::WRITE;
    DeviceRule { kind: Some(DeviceKind::Character), access, major: Some(major), minor }
}

const RULES: [DeviceRule; 9] = [
    DeviceRule { kind: None, access: DeviceRule::MAKE, major: None, minor: None },
    character(1, Some(3)), // null
    character(1, Some(5)), // zero
    character(1, Some(7)), // full
    character(1, Some(8)), // random
    character(1, Some(9)), // urandom
    character(5, Some(0)), // tty
    character(5, Some(2)), // ptmx
    character(136, None),  // pts
];

/// Attaches the program to a cgroup. The one without further rules is loaded once.
pub(super) fn restrict(cgroup: &OwnedFd, more: &[DeviceRule]) -> Result<(), Errno> {
    static LOADED: Mutex<Option<OwnedFd>> = Mutex::new(None);
    if !more.is_empty() {
        return device_program::attach(device_program::load(&program(more))?.as_fd(), cgroup);
    }
    let mut loaded = LOADED.lock().unwrap_or_else(PoisonError::into_inner);
    let usual = match loaded.take() {
        Some(usual) => usual,
        None => device_program::load(&program(&[]))?,
    };
    let attached = device_program::attach(usual.as_fd(), cgroup);
    *loaded = Some(usual);
    attached
}

const LOAD_WORD: u8 = 0x61;
const MOVE: u8 = 0xb7;
const COPY: u8 = 0xbc;
const AND: u8 = 0x54;
const SHIFT_RIGHT: u8 = 0x74;
const JUMP_IF_NOT: u8 = 0x55;
const JUMP_IF_OTHER: u8 = 0x5d;
const EXIT: u8 = 0x95;

const fn instruction(code: u8, destination: u8, source: u8, offset: i16, immediate: i32) -> Instruction {
    Instruction { code, registers: source << 4 | destination, offset, immediate }
}

/// Registers: 2 the kind, 3 the access asked for, 4 major, 5 minor; the context is `struct bpf_cgroup_dev_ctx`.
fn program(more: &[DeviceRule]) -> Vec<Instruction> {
    let mut program = vec![
        instruction(LOAD_WORD, 2, 1, 0, 0),
        instruction(LOAD_WORD, 4, 1, 4, 0),
        instruction(LOAD_WORD, 5, 1, 8, 0),
        instruction(COPY, 3, 2, 0, 0),
        instruction(SHIFT_RIGHT, 3, 0, 0, 16),
        instruction(AND, 2, 0, 0, 0xffff),
    ];
    for rule in merged(more) {
        program.extend(block(&rule));
    }
    program.extend([instruction(MOVE, 0, 0, 0, 0), instruction(EXIT, 0, 0, 0, 0)]);
    program
}

/// The usual rules and more. One for each device: an open for reading and writing is asked about at once, so it must be
/// one rule that allows both. What may be done with a device is also what may be done with all of its kind.
fn merged(more: &[DeviceRule]) -> Vec<DeviceRule> {
    let mut all: Vec<DeviceRule> = Vec::new();
    for rule in RULES.iter().chain(more) {
        match all.iter_mut().find(|known| (known.kind, known.major, known.minor) == (rule.kind, rule.major, rule.minor))
        {
            Some(known) => known.access |= rule.access,
            None => all.push(*rule),
        }
    }
    let covers = |wide: &DeviceRule, rule: &DeviceRule| {
        (wide.kind.is_none() || wide.kind == rule.kind)
            && (wide.major.is_none() || wide.major == rule.major)
            && (wide.minor.is_none() || wide.minor == rule.minor)
    };
    let access =
        |rule: &DeviceRule| all.iter().filter(|wide| covers(wide, rule)).fold(0, |sum, wide| sum | wide.access);
    all.iter().map(|rule| DeviceRule { access: access(rule), ..*rule }).collect()
}

/// Allows what a rule allows, and else goes on behind the block.
fn block(rule: &DeviceRule) -> Vec<Instruction> {
    let kind = rule.kind.map(|kind| if kind == DeviceKind::Block { BLOCK } else { CHARACTER });
    let mut tests: Vec<Instruction> = kind.map(|kind| instruction(JUMP_IF_NOT, 2, 0, 0, kind)).into_iter().collect();
    tests.extend([
        instruction(COPY, 1, 3, 0, 0),
        instruction(AND, 1, 0, 0, i32::from(rule.access)),
        instruction(JUMP_IF_OTHER, 1, 3, 0, 0),
    ]);
    tests.extend(rule.major.map(|major| instruction(JUMP_IF_NOT, 4, 0, 0, major.cast_signed())));
    tests.extend(rule.minor.map(|minor| instruction(JUMP_IF_NOT, 5, 0, 0, minor.cast_signed())));
    tests.extend([instruction(MOVE, 0, 0, 0, 1), instruction(EXIT, 0, 0, 0, 0)]);
    let length = tests.len();
    for (index, test) in tests.iter_mut().enumerate() {
        if matches!(test.code, JUMP_IF_NOT | JUMP_IF_OTHER) {
            // A jump counts from the instruction behind it.
            test.offset = i16::try_from(length - index - 1).unwrap_or(i16::MAX);
        }
    }
    tests
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: i32 = 7;
    const MKNOD: i32 = 1;

    /// Runs the program as the kernel would.
    fn allowed(kind: i32, access: i32, major: i32, minor: i32) -> bool {
        allowed_with(&[], kind, access, major, minor)
    }

    fn allowed_with(more: &[DeviceRule], kind: i32, access: i32, major: i32, minor: i32) -> bool {
        let context = [access << 16 | kind, major, minor];
        let program = program(more);
        let mut registers = [0_i64; 11];
        let mut at = 0;
        loop {
            let Instruction { code, registers: pair, offset, immediate } = program[at];
            let (to, from) = (usize::from(pair & 15), usize::from(pair >> 4));
            at += 1;
            match code {
                LOAD_WORD => registers[to] = i64::from(context[usize::try_from(offset / 4).unwrap()]),
                MOVE => registers[to] = i64::from(immediate),
                COPY => registers[to] = registers[from],
                AND => registers[to] &= i64::from(immediate),
                SHIFT_RIGHT => registers[to] >>= immediate,
                JUMP_IF_NOT if registers[to] != i64::from(immediate) => at += usize::try_from(offset).unwrap(),
                JUMP_IF_OTHER if registers[to] != registers[from] => at += usize::try_from(offset).unwrap(),
                JUMP_IF_NOT | JUMP_IF_OTHER => {}
                EXIT => return registers[0] == 1,
                _ => panic!("an instruction that is not used: {code:#x}"),
            }
        }
    }

    #[test]
    fn the_usual_devices_are_open() {
        for (major, minor) in [(1, 3), (1, 5), (1, 7), (1, 8), (1, 9), (5, 0), (5, 2), (136, 0), (136, 77)] {
            assert!(allowed(CHARACTER, ALL, major, minor), "{major}:{minor}");
            assert!(!allowed(BLOCK, 2, major, minor), "block {major}:{minor}");
        }
    }

    #[test]
    fn a_device_that_was_given_is_open_as_far_as_it_was_given() {
        let rule = |kind, access, major, minor| DeviceRule { kind, access, major, minor };
        let (read, write) = (DeviceRule::READ, DeviceRule::WRITE);
        let fuse = [rule(Some(DeviceKind::Character), read, Some(10), Some(229))];
        assert!(allowed_with(&fuse, CHARACTER, 2, 10, 229) && allowed_with(&fuse, CHARACTER, MKNOD, 10, 229));
        assert!(!allowed_with(&fuse, CHARACTER, 4, 10, 229) && !allowed_with(&fuse, CHARACTER, 2, 10, 230));
        let both = [fuse[0], rule(Some(DeviceKind::Character), write, Some(10), Some(229))];
        assert!(allowed_with(&both, CHARACTER, ALL, 10, 229));
        let disks = [rule(Some(DeviceKind::Block), read, Some(254), None)];
        assert!(allowed_with(&disks, BLOCK, 2 | MKNOD, 254, 7) && !allowed_with(&disks, CHARACTER, 2, 254, 7));
        let everything = [rule(None, read | write, None, None)];
        assert!(allowed_with(&everything, BLOCK, ALL, 8, 1) && allowed_with(&everything, CHARACTER, ALL, 5, 1));
    }

    #[test]
    fn other_devices_may_be_made_but_not_opened() {
        for (kind, major, minor) in [(BLOCK, 254, 0), (CHARACTER, 10, 229), (CHARACTER, 1, 1), (CHARACTER, 5, 1)] {
            assert!(allowed(kind, MKNOD, major, minor));
            for access in [2, 4, 6, MKNOD | 2, ALL] {
                assert!(!allowed(kind, access, major, minor), "{kind} {major}:{minor} access {access}");
            }
        }
    }
}
