//! How fast this host's time stamp counter runs.
//!
//! TCG hands the host's counter to the guest as it is, but neither its frequency nor a clock that a busy host keeps in step:
//! a guest that measures the one against the other while the host is busy was seen to run its clock three times too fast.
//! So the guest is told. KVM has a clock of its own and needs nothing of this.

#![expect(unsafe_code, reason = "the instruction that reads the counter has no safe wrapper")]

use std::time::{Duration, Instant};

/// Long enough for parts in ten thousand, short beside a start.
const SPAN: Duration = Duration::from_millis(20);
/// More between the two clocks than this is another process in the middle of the reading.
const CLOSE: Duration = Duration::from_micros(20);
const ATTEMPTS: usize = 100;

/// The counter's frequency in kHz; `None` where the CPU has none or the host is too busy to read it.
pub(crate) async fn frequency_khz() -> Option<u64> {
    let (began, first) = read()?;
    tokio::time::sleep(SPAN).await;
    let (ended, last) = read()?;
    khz(last.checked_sub(first)?, ended.duration_since(began))
}

/// The clock and the counter at the same moment.
fn read() -> Option<(Instant, u64)> {
    (0..ATTEMPTS).find_map(|_| {
        let before = Instant::now();
        let count = counter()?;
        (before.elapsed() < CLOSE).then_some((before, count))
    })
}

fn khz(counted: u64, span: Duration) -> Option<u64> {
    let khz = u128::from(counted) * 1_000_000 / span.as_nanos().max(1);
    // Below what any x86 CPU has, it is no counter of time.
    u64::try_from(khz).ok().filter(|khz| (100_000..=100_000_000).contains(khz))
}

#[cfg(target_arch = "x86_64")]
#[expect(clippy::unnecessary_wraps, reason = "other architectures have none")]
fn counter() -> Option<u64> {
    // SAFETY: reads a register; every x86-64 CPU has the instruction, and Linux leaves it open to programs.
    Some(unsafe { std::arch::x86_64::_rdtsc() })
}

#[cfg(not(target_arch = "x86_64"))]
fn counter() -> Option<u64> {
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_and_time_make_a_frequency() {
        assert_eq!(khz(42_000_000, SPAN), Some(2_100_000));
        assert_eq!(khz(42, SPAN), None);
        assert_eq!(khz(42, Duration::ZERO), Some(42_000_000));
    }
}
