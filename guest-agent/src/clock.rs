//! The guest's clock, which follows the host's: it stands still while the host sleeps, and drifts.

use std::time::{SystemTime, UNIX_EPOCH};

/// From here on the clock is set at once; below, it runs a little faster or slower until it agrees (chrony and ntpd
/// draw the line at the same place).
pub const STEP_NANOS: i64 = 500_000_000;

/// What was done to the clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Correction {
    /// The host's time less the guest's before, in nanoseconds.
    pub offset_nanos: i64,
    /// How.
    pub method: Method,
}

/// How the clock is corrected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Method {
    /// Set at once.
    Step,
    /// Runs faster or slower until it agrees.
    Slew,
}

/// The clock cannot be set.
#[derive(Debug, thiserror::Error)]
pub enum ClockError {
    /// The time given is before 1970 or after 2262.
    #[error("a clock cannot be set to {seconds} seconds and {nanos} nanoseconds since 1970")]
    OutOfRange {
        /// Seconds since 1970.
        seconds: i64,
        /// Nanoseconds above.
        nanos: i32,
    },
    /// The system refuses.
    #[error("the system does not let the clock be set")]
    System(#[source] std::io::Error),
}

/// Nanoseconds since 1970.
#[must_use]
pub fn now_nanos() -> i64 {
    match SystemTime::now().duration_since(UNIX_EPOCH) {
        Ok(since) => i64::try_from(since.as_nanos()).unwrap_or(i64::MAX),
        Err(before) => i64::try_from(before.duration().as_nanos()).map_or(i64::MIN, |nanos| -nanos),
    }
}

/// How to correct a clock that is off by so much.
#[must_use]
pub const fn method(offset_nanos: i64) -> Method {
    if offset_nanos.unsigned_abs() > STEP_NANOS.unsigned_abs() { Method::Step } else { Method::Slew }
}

/// Makes the guest's clock agree with the host's.
///
/// # Errors
/// If the time is out of range or the system refuses.
pub fn follow(seconds: i64, nanos: i32) -> Result<Correction, ClockError> {
    let host = seconds
        .checked_mul(1_000_000_000)
        .and_then(|whole| whole.checked_add(i64::from(nanos)))
        .filter(|host| *host >= 0)
        .ok_or(ClockError::OutOfRange { seconds, nanos })?;
    let offset_nanos = host.saturating_sub(now_nanos());
    let method = method(offset_nanos);
    match method {
        Method::Step => step(host),
        Method::Slew => slew(offset_nanos),
    }
    .map_err(ClockError::System)?;
    Ok(Correction { offset_nanos, method })
}

fn step(host: i64) -> std::io::Result<()> {
    let time = rustix::time::Timespec { tv_sec: host / 1_000_000_000, tv_nsec: host % 1_000_000_000 };
    Ok(rustix::time::clock_settime(rustix::time::ClockId::Realtime, time)?)
}

fn slew(offset_nanos: i64) -> std::io::Result<()> {
    crate::sys::clock::slew(offset_nanos / 1000)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn above_half_a_second_the_clock_is_set_at_once() {
        assert_eq!(method(STEP_NANOS), Method::Slew);
        assert_eq!(method(-STEP_NANOS), Method::Slew);
        assert_eq!(method(STEP_NANOS + 1), Method::Step);
        assert_eq!(method(-STEP_NANOS - 1), Method::Step);
        assert_eq!(method(i64::MIN), Method::Step);
    }

    #[test]
    fn times_before_1970_and_beyond_the_range_are_refused() {
        assert!(matches!(follow(-1, 0), Err(ClockError::OutOfRange { .. })));
        assert!(matches!(follow(i64::MAX, 0), Err(ClockError::OutOfRange { .. })));
    }
}
