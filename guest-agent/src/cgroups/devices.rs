//! Which devices a container may use: a BPF program on its cgroup that denies all but Docker's list.
//!
//! Making any node is allowed, opening it is not: so `mknod` of an image's build works and gives nothing.

use std::{
    os::fd::{AsFd, OwnedFd},
    sync::{Mutex, PoisonError},
};

use rustix::io::Errno;

use crate::sys::device_program::{self, Instruction};

const BLOCK: i32 = 1;
const CHARACTER: i32 = 2;
const MKNOD: i32 = 1;
const ALL: i32 = 7;

/// What a container may do with which devices.
struct Rule {
    kind: i32,
    access: i32,
    major: Option<i32>,
    minor: Option<i32>,
}

const fn character(major: i32, minor: Option<i32>) -> Rule {
    Rule { kind: CHARACTER, access: ALL, major: Some(major), minor }
}

const RULES: &[Rule] = &[
    Rule { kind: CHARACTER, access: MKNOD, major: None, minor: None },
    Rule { kind: BLOCK, access: MKNOD, major: None, minor: None },
    character(1, Some(3)), // null
    character(1, Some(5)), // zero
    character(1, Some(7)), // full
    character(1, Some(8)), // random
    character(1, Some(9)), // urandom
    character(5, Some(0)), // tty
    character(5, Some(2)), // ptmx
    character(136, None),  // pts
];

/// Attaches the program to a cgroup. It is loaded once.
pub(super) fn restrict(cgroup: &OwnedFd) -> Result<(), Errno> {
    static LOADED: Mutex<Option<OwnedFd>> = Mutex::new(None);
    let mut loaded = LOADED.lock().unwrap_or_else(PoisonError::into_inner);
    let program = match loaded.take() {
        Some(program) => program,
        None => device_program::load(&program())?,
    };
    let attached = device_program::attach(program.as_fd(), cgroup);
    *loaded = Some(program);
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
fn program() -> Vec<Instruction> {
    let mut program = vec![
        instruction(LOAD_WORD, 2, 1, 0, 0),
        instruction(LOAD_WORD, 4, 1, 4, 0),
        instruction(LOAD_WORD, 5, 1, 8, 0),
        instruction(COPY, 3, 2, 0, 0),
        instruction(SHIFT_RIGHT, 3, 0, 0, 16),
        instruction(AND, 2, 0, 0, 0xffff),
    ];
    for rule in RULES {
        program.extend(block(rule));
    }
    program.extend([instruction(MOVE, 0, 0, 0, 0), instruction(EXIT, 0, 0, 0, 0)]);
    program
}

/// Allows what a rule allows, and else goes on behind the block.
fn block(rule: &Rule) -> Vec<Instruction> {
    let mut tests = vec![instruction(JUMP_IF_NOT, 2, 0, 0, rule.kind)];
    tests.extend([
        instruction(COPY, 1, 3, 0, 0),
        instruction(AND, 1, 0, 0, rule.access),
        instruction(JUMP_IF_OTHER, 1, 3, 0, 0),
    ]);
    tests.extend(rule.major.map(|major| instruction(JUMP_IF_NOT, 4, 0, 0, major)));
    tests.extend(rule.minor.map(|minor| instruction(JUMP_IF_NOT, 5, 0, 0, minor)));
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

    /// Runs the program as the kernel would.
    fn allowed(kind: i32, access: i32, major: i32, minor: i32) -> bool {
        let context = [access << 16 | kind, major, minor];
        let program = program();
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
    fn other_devices_may_be_made_but_not_opened() {
        for (kind, major, minor) in [(BLOCK, 254, 0), (CHARACTER, 10, 229), (CHARACTER, 1, 1), (CHARACTER, 5, 1)] {
            assert!(allowed(kind, MKNOD, major, minor));
            for access in [2, 4, 6, MKNOD | 2, ALL] {
                assert!(!allowed(kind, access, major, minor), "{kind} {major}:{minor} access {access}");
            }
        }
    }
}
