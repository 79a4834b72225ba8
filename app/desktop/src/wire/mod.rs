//! The shapes that the page sees: `ui/src/bridge.ts` in Rust. Made from the messages of `cove.v1`, and nothing is added.
//!
//! * [`failure`] — what a command rejects with.
//! * [`engine`] — whether the daemon is reached.
//! * [`machine`], [`guest`], [`settings`] — the machine.
//! * [`containers`], [`isolation`], [`logs`], [`images`] — what is in it.

pub(crate) mod containers;
pub(crate) mod engine;
pub(crate) mod failure;
pub(crate) mod guest;
pub(crate) mod images;
pub(crate) mod isolation;
pub(crate) mod logs;
pub(crate) mod machine;
pub(crate) mod settings;

use prost_types::Timestamp;

/// RFC 3339 in UTC; nothing for a time that is absent or outside the calendar.
fn time(time: Option<Timestamp>) -> Option<String> {
    let time = time?;
    jiff::Timestamp::new(time.seconds, time.nanos).ok().map(|time| time.to_string())
}

/// The last words of a protobuf enum's value in lower case: `MACHINE_STATE_RUNNING` → "running".
fn word(name: &str, prefix: &str) -> String {
    name.strip_prefix(prefix).unwrap_or(name).to_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_rfc_3339_in_utc() {
        let stamp = |seconds, nanos| time(Some(Timestamp { seconds, nanos }));
        assert_eq!(stamp(1_700_000_000, 5_000_000).unwrap(), "2023-11-14T22:13:20.005Z");
        assert_eq!(time(None), None);
        assert_eq!(stamp(i64::MAX, 0), None);
    }

    #[test]
    fn enums_are_their_last_words() {
        use cove_proto::v1::ExitClass;
        assert_eq!(word(ExitClass::VmmDied.as_str_name(), "EXIT_CLASS_"), "vmm_died");
    }
}
