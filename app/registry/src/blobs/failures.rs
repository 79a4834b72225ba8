//! How often something may come in between before a transfer is given up.

use std::time::Duration;

use crate::{error::RegistryError, registries::Patience};

/// However often something came in between: a registry that breaks off more often than this does not work.
const MOST: u32 = 100;

/// The failures of one transfer.
#[derive(Debug, Default)]
pub(super) struct Failures {
    in_a_row: u32,
    in_all: u32,
}

impl Failures {
    /// It went on: what failed before is forgiven.
    pub(super) fn went_on(&mut self) {
        self.in_a_row = 0;
    }

    /// How long to wait before it is tried again.
    ///
    /// # Errors
    /// With what failed, if it does not pass or has failed too often.
    pub(super) fn again(&mut self, patience: Patience, error: RegistryError) -> Result<Duration, RegistryError> {
        self.in_a_row += 1;
        self.in_all += 1;
        match error.passing() {
            Some(wish) if self.in_a_row < patience.attempts && self.in_all < MOST => {
                Ok(patience.wait(self.in_a_row, wish))
            }
            _ => Err(error),
        }
    }
}
