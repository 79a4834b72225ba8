//! Numbers as people say them.

use std::time::Duration;

use jiff::Timestamp;

/// Twelve digits of an id, without its algorithm: enough to name it, short enough to read.
pub(crate) fn short_id(id: &str) -> String {
    id.strip_prefix("sha256:").unwrap_or(id).chars().take(12).collect()
}

/// Bytes with a decimal unit, three digits that count: "1.46 MB".
pub(crate) fn bytes(bytes: u64) -> String {
    #[expect(clippy::cast_precision_loss, reason = "three digits are shown")]
    let mut value = bytes as f64;
    let mut unit = "B";
    for larger in ["kB", "MB", "GB", "TB", "PB"] {
        if value < 999.5 {
            break;
        }
        value /= 1000.0;
        unit = larger;
    }
    match unit {
        "B" => format!("{bytes} B"),
        _ if value < 9.995 => format!("{value:.2} {unit}"),
        _ if value < 99.95 => format!("{value:.1} {unit}"),
        _ => format!("{value:.0} {unit}"),
    }
}

/// "1 CPU", "8 CPUs".
pub(crate) fn cpus(number: u32) -> String {
    format!("{number} CPU{}", if number == 1 { "" } else { "s" })
}

/// A duration as it is read off a clock: "0.8 ms", "3.2 s".
pub(crate) fn seconds(duration: Duration) -> String {
    if duration < Duration::from_secs(1) {
        format!("{:.1} ms", duration.as_secs_f64() * 1000.0)
    } else {
        format!("{:.1} s", duration.as_secs_f64())
    }
}

/// How long ago, in docker's words: "3 minutes", "About an hour", "2 days".
pub(crate) fn age(then: Option<&prost_types::Timestamp>, now: Timestamp) -> Option<String> {
    let then = then.filter(|then| then.seconds > 0)?;
    let seconds = now.as_second().saturating_sub(then.seconds).max(0);
    Some(match seconds {
        0 => "Less than a second".to_owned(),
        1 => "1 second".to_owned(),
        2..60 => format!("{seconds} seconds"),
        60..120 => "About a minute".to_owned(),
        120..3600 => format!("{} minutes", seconds / 60),
        3600..5400 => "About an hour".to_owned(),
        5400..172_800 => format!("{} hours", (seconds + 1800) / 3600),
        172_800..1_209_600 => format!("{} days", seconds / 86_400),
        1_209_600..5_184_000 => format!("{} weeks", seconds / 604_800),
        5_184_000..63_072_000 => format!("{} months", seconds / 2_592_000),
        _ => format!("{} years", seconds / 31_536_000),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn three_digits_and_a_unit() {
        let said = [0, 999, 1000, 1_459_999, 64 << 20, 4 << 30, 999_600].map(bytes);
        assert_eq!(said, ["0 B", "999 B", "1.00 kB", "1.46 MB", "67.1 MB", "4.29 GB", "1.00 MB"]);
    }

    #[test]
    fn one_cpu_is_one() {
        assert_eq!([1, 2].map(cpus), ["1 CPU", "2 CPUs"]);
    }

    #[test]
    fn ages_are_dockers() {
        let now = Timestamp::from_second(1_000_000_000).unwrap();
        let ago = |seconds: i64| {
            age(Some(&prost_types::Timestamp { seconds: 1_000_000_000 - seconds, nanos: 0 }), now).unwrap()
        };
        let said = [0, 1, 59, 60, 150, 3700, 7000, 200_000].map(ago);
        let docker = [
            "Less than a second",
            "1 second",
            "59 seconds",
            "About a minute",
            "2 minutes",
            "About an hour",
            "2 hours",
            "2 days",
        ];
        assert_eq!(said, docker);
        assert_eq!(age(None, now), None);
    }
}
