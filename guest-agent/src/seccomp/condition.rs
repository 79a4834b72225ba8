//! Conditions on an argument of a system call: [`Condition`] of Docker's profile, [`Comparison`] of one that the user wrote.
//!
//! Docker's look at the low 32 bits alone, which is all that the kernel takes of these arguments (an int, an unsigned int,
//! the low half of clone's flags). A comparison of all 64 would let `socket(0x1_0000_0028, ...)` through, which the kernel
//! takes for 40.

/// A condition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Condition {
    /// Which argument, 0 to 5.
    pub(super) argument: u32,
    /// What it must be.
    pub(super) test: Test,
}

/// What an argument must be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Test {
    /// Less than this.
    Below(u32),
    /// This.
    Equal(u32),
    /// More than this.
    Above(u32),
    /// Without any of these bits.
    NoneOf(u32),
}

/// What happens if all comparisons hold: a rule of a profile that the user wrote.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Branch {
    pub(super) all: Vec<Comparison>,
    /// SECCOMP_RET_*.
    pub(super) answer: u32,
}

/// A comparison of all 64 bits of an argument, as libseccomp makes them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Comparison {
    /// Which argument, 0 to 5.
    pub(super) argument: u32,
    pub(super) operator: Operator,
    pub(super) value: u64,
}

/// How an argument is compared with a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Operator {
    NotEqual,
    Below,
    AtMost,
    Equal,
    AtLeast,
    Above,
    /// Equal in these bits.
    MaskedEqual(u64),
}

impl Condition {
    /// Whether it holds for these arguments: what the compiled program is tested against.
    #[cfg(test)]
    pub(super) fn holds(&self, arguments: &[u64; 6]) -> bool {
        let value = (arguments[self.argument as usize] & 0xffff_ffff) as u32;
        match self.test {
            Test::Below(limit) => value < limit,
            Test::Equal(other) => value == other,
            Test::Above(limit) => value > limit,
            Test::NoneOf(bits) => value & bits == 0,
        }
    }
}
