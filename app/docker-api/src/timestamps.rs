//! Times as Go writes them, and durations as Docker's users read them.

use jiff::Timestamp;

use crate::error::Error;

/// Go's zero time, which Docker writes for "never".
const NEVER: &str = "0001-01-01T00:00:00Z";

/// RFC 3339 with as many digits as needed; Go's zero time when absent.
pub(crate) fn rfc3339(time: Option<&prost_types::Timestamp>) -> String {
    time.and_then(moment).map_or_else(|| NEVER.to_owned(), |moment| moment.to_string())
}

/// RFC 3339 without a fraction, as volumes have it.
pub(crate) fn rfc3339_seconds(time: Option<&prost_types::Timestamp>) -> String {
    time.and_then(moment).map_or_else(|| NEVER.to_owned(), |moment| format!("{moment:.0}"))
}

/// RFC 3339 with nine digits, as log lines have it.
pub(crate) fn rfc3339_nine_digits(time: Option<&prost_types::Timestamp>) -> String {
    format!("{:.9}", time.and_then(moment).unwrap_or_default())
}

/// Seconds since 1970; 0 when absent.
pub(crate) fn unix(time: Option<&prost_types::Timestamp>) -> i64 {
    time.map_or(0, |time| time.seconds)
}

/// The moment of a timestamp; none when it is out of any calendar.
pub(crate) fn moment(time: &prost_types::Timestamp) -> Option<Timestamp> {
    Timestamp::new(time.seconds, time.nanos).ok()
}

/// Reads "1700000000", "1700000000.25" or RFC 3339. "0" and nothing mean no limit.
pub(crate) fn parse(text: &str) -> Result<Option<prost_types::Timestamp>, Error> {
    if text.is_empty() || text == "0" {
        return Ok(None);
    }
    let invalid = || Error::Internal(format!("strconv.ParseInt: parsing {text:?}: invalid syntax"));
    if let Ok(moment) = text.parse::<Timestamp>() {
        return Ok(Some(prost_types::Timestamp { seconds: moment.as_second(), nanos: moment.subsec_nanosecond() }));
    }
    let (seconds, fraction) = text.split_once('.').unwrap_or((text, ""));
    let seconds = seconds.parse().map_err(|_| invalid())?;
    let digits: String = fraction.chars().chain("000000000".chars()).take(9).collect();
    Ok(Some(prost_types::Timestamp { seconds, nanos: digits.parse().map_err(|_| invalid())? }))
}

/// "5 minutes": how `docker ps` says how long something lasts.
pub(crate) fn human(seconds: i64) -> String {
    let hours = (seconds + 1800) / 3600;
    match seconds {
        ..1 => "Less than a second".to_owned(),
        1 => "1 second".to_owned(),
        2..60 => format!("{seconds} seconds"),
        60..120 => "About a minute".to_owned(),
        120..3600 => format!("{} minutes", seconds / 60),
        _ if hours == 1 => "About an hour".to_owned(),
        _ if hours < 48 => format!("{hours} hours"),
        _ if hours < 24 * 14 => format!("{} days", hours / 24),
        _ if hours < 24 * 60 => format!("{} weeks", hours / 24 / 7),
        _ if hours < 24 * 730 => format!("{} months", hours / 24 / 30),
        _ => format!("{} years", seconds / 3600 / 24 / 365),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64, nanos: i32) -> Option<prost_types::Timestamp> {
        Some(prost_types::Timestamp { seconds, nanos })
    }

    #[test]
    fn times_are_written_as_go_does() {
        assert_eq!(rfc3339(None), "0001-01-01T00:00:00Z");
        assert_eq!(rfc3339(at(1_795_487_350, 536_246_669).as_ref()), "2026-11-24T02:29:10.536246669Z");
        assert_eq!(rfc3339(at(1_795_487_350, 500_000_000).as_ref()), "2026-11-24T02:29:10.5Z");
        assert_eq!(rfc3339_nine_digits(at(1_795_487_350, 5).as_ref()), "2026-11-24T02:29:10.000000005Z");
    }

    #[test]
    fn times_are_read_in_three_forms() {
        assert_eq!(parse("").unwrap(), None);
        assert_eq!(parse("0").unwrap(), None);
        assert_eq!(parse("17").unwrap(), at(17, 0));
        assert_eq!(parse("17.25").unwrap(), at(17, 250_000_000));
        assert_eq!(parse("2026-11-24T02:29:10.5Z").unwrap(), at(1_795_487_350, 500_000_000));
        assert_eq!(parse("zz").unwrap_err().to_string(), "strconv.ParseInt: parsing \"zz\": invalid syntax");
    }

    #[test]
    fn durations_read_as_in_docker_ps() {
        for (seconds, text) in [
            (0, "Less than a second"),
            (1, "1 second"),
            (59, "59 seconds"),
            (60, "About a minute"),
            (119, "About a minute"),
            (3599, "59 minutes"),
            (3600, "About an hour"),
            (2 * 3600, "2 hours"),
            (47 * 3600, "47 hours"),
            (48 * 3600, "2 days"),
            (13 * 24 * 3600, "13 days"),
            (14 * 24 * 3600, "2 weeks"),
            (60 * 24 * 3600, "2 months"),
            (800 * 24 * 3600, "2 years"),
        ] {
            assert_eq!(human(seconds), text, "{seconds}");
        }
    }
}
