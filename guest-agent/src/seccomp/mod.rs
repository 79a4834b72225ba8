//! System call filters: Docker's default profile or the user's own, compiled for the capabilities of a process.
//!
//! * [`profile`] — the rules, as data; [`numbers`] — the numbers behind the names.
//! * [`custom`] — profiles that users write.
//! * [`architecture`], [`condition`] — whose system calls, and what is asked of their arguments.
//! * [`compile`] — rules to a program: a binary search over ranges of numbers, because loading a filter costs by its
//!   length (86 µs for this one, 820 µs with a test per name).
//! * [`FilterCache`] — programs by what they depend on.

pub mod architecture;
mod compile;
mod condition;
pub mod custom;
#[cfg(test)]
mod interpreter;
mod numbers;
mod profile;

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
};

use self::{architecture::Architecture, compile::Builtin};
use crate::processes::launch::Seccomp;

/// Compiled filters. There are as many as there are sets of capabilities in use: few. Those of users are compiled for each
/// start.
#[derive(Debug, Default)]
pub struct FilterCache {
    programs: Mutex<HashMap<(Builtin, u64), Vec<u8>>>,
}

impl FilterCache {
    /// The program for a process: `struct sock_filter[]` in the kernel's layout.
    #[must_use]
    pub fn get(&self, seccomp: &Seccomp, capabilities: u64) -> Vec<u8> {
        let builtin = match seccomp {
            Seccomp::Default => Builtin::Docker,
            Seccomp::ControlChannelOnly => Builtin::ControlChannelOnly,
            Seccomp::Custom(profile) => {
                let release = rustix::system::uname().release().to_string_lossy().into_owned();
                return compile::bytes(&compile::custom(profile, capabilities, &release));
            }
        };
        let mut programs = self.programs.lock().unwrap_or_else(PoisonError::into_inner);
        let compiled = || compile::bytes(&compile::program(builtin, capabilities, Architecture::here()));
        programs.entry((builtin, capabilities)).or_insert_with(compiled).clone()
    }
}
