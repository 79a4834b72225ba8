//! System call filters: Docker's default profile, compiled for the capabilities of a process.
//!
//! * [`profile`] — the rules, as data; [`numbers`] — the numbers behind the names.
//! * [`architecture`], [`condition`] — whose system calls, and what is asked of their arguments.
//! * [`compile`] — rules to a program: a binary search over ranges of numbers, because loading a filter costs by its
//!   length (86 µs for this one, 820 µs with a test per name).
//! * [`FilterCache`] — programs by what they depend on.

pub mod architecture;
mod compile;
mod condition;
#[cfg(test)]
mod interpreter;
mod numbers;
mod profile;

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
};

use crate::processes::launch::Seccomp;

/// Compiled filters. There are as many as there are sets of capabilities in use: few.
#[derive(Debug, Default)]
pub struct FilterCache {
    programs: Mutex<HashMap<(Seccomp, u64), Vec<u8>>>,
}

impl FilterCache {
    /// The program for a process: `struct sock_filter[]` in the kernel's layout.
    #[must_use]
    pub fn get(&self, seccomp: Seccomp, capabilities: u64) -> Vec<u8> {
        let mut programs = self.programs.lock().unwrap_or_else(PoisonError::into_inner);
        programs.entry((seccomp, capabilities)).or_insert_with(|| compile::bytes(seccomp, capabilities)).clone()
    }
}
