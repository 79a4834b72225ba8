//! Labels by which a client that knows Docker's API alone asks for what only `cove.v1` has. Those of an image mean nothing:
//! they are not here yet.

use std::collections::HashMap;

use cove_proto::v1::{ClockOffsets, ContainerSpec};

use crate::error::Error;

/// `remap`: a user namespace.
pub(crate) const USERNS: &str = "dev.cove.userns";
/// Seconds by which CLOCK_MONOTONIC is ahead of the guest's.
const MONOTONIC: &str = "dev.cove.clock.monotonic";
/// Seconds by which CLOCK_BOOTTIME is ahead of the guest's.
const BOOTTIME: &str = "dev.cove.clock.boottime";

/// What a user namespace of its own is called in `cove.v1`.
pub(crate) const PRIVATE: &str = "private";

/// Does what the labels ask for.
pub(super) fn apply(spec: &mut ContainerSpec) -> Result<(), Error> {
    if spec.userns_mode == PRIVATE {
        // A mode of cove.v1 that dockerd does not have.
        return Err(Error::BadRequest("invalid user namespace mode: private".to_owned()));
    }
    match spec.labels.get(USERNS).map(String::as_str) {
        None => {}
        Some("remap") if spec.userns_mode.is_empty() => PRIVATE.clone_into(&mut spec.userns_mode),
        Some("remap") => {
            return Err(Error::BadRequest(format!("conflicting options: --userns and the label {USERNS}")));
        }
        Some(other) => {
            return Err(Error::BadRequest(format!("invalid label {USERNS}={other}: \"remap\" is all that it can be")));
        }
    }
    let (monotonic, boottime) = (seconds(&spec.labels, MONOTONIC)?, seconds(&spec.labels, BOOTTIME)?);
    if monotonic.is_some() || boottime.is_some() {
        let or_none = Option::unwrap_or_default;
        let offsets = ClockOffsets { monotonic_seconds: or_none(monotonic), boottime_seconds: or_none(boottime) };
        spec.clock_offsets = Some(offsets);
    }
    Ok(())
}

fn seconds(labels: &HashMap<String, String>, label: &str) -> Result<Option<i64>, Error> {
    let Some(text) = labels.get(label) else { return Ok(None) };
    let refused =
        || Error::BadRequest(format!("invalid label {label}={text}: it is a number of seconds, such as -3600"));
    text.parse().map(Some).map_err(|_| refused())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn applied(labels: &[(&str, &str)], userns_mode: &str) -> Result<ContainerSpec, String> {
        let labels = labels.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let mut spec = ContainerSpec { labels, userns_mode: userns_mode.to_owned(), ..ContainerSpec::default() };
        apply(&mut spec).map(|()| spec).map_err(|error| error.to_string())
    }

    #[test]
    fn a_user_namespace_is_asked_for_by_a_label() {
        assert_eq!(applied(&[(USERNS, "remap")], "").unwrap().userns_mode, "private");
        assert_eq!(applied(&[("other", "remap")], "").unwrap().userns_mode, "");
        assert!(applied(&[(USERNS, "remap")], "host").unwrap_err().contains("conflicting options"));
        assert!(applied(&[(USERNS, "host")], "").unwrap_err().contains("invalid label dev.cove.userns=host"));
        assert!(applied(&[], "private").unwrap_err().contains("invalid user namespace mode: private"));
    }

    #[test]
    fn clocks_are_set_by_labels_in_seconds() {
        assert_eq!(applied(&[], "").unwrap().clock_offsets, None);
        let offsets = applied(&[(MONOTONIC, "-60"), (BOOTTIME, "3600")], "").unwrap().clock_offsets.unwrap();
        assert_eq!((offsets.monotonic_seconds, offsets.boottime_seconds), (-60, 3600));
        for wrong in ["", "1h", "1.5", "9223372036854775808"] {
            let refused = applied(&[(BOOTTIME, wrong)], "").unwrap_err();
            assert!(refused.contains(&format!("invalid label {BOOTTIME}={wrong}: ")), "{refused}");
        }
    }
}
