//! Quantities as people write them on the command line: "64m", "1.5".

/// Why a quantity is none.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum QuantityError {
    /// Not a size.
    #[error("a size is a number and one of b, k, m, g, t (powers of 1024), such as 64m")]
    Size,
    /// Not a number of CPUs.
    #[error("a number of CPUs is a decimal number above 0 with at most nine digits behind the point, such as 1.5")]
    Cpus,
}

/// Bytes: "64m" is 64 MiB, as docker has it.
pub(crate) fn bytes(text: &str) -> Result<i64, QuantityError> {
    let lower = text.trim().to_ascii_lowercase();
    let number = lower.trim_end_matches("ib").trim_end_matches('b');
    let (number, shift) = match number.char_indices().next_back() {
        Some((at, 'k')) => (&number[..at], 10),
        Some((at, 'm')) => (&number[..at], 20),
        Some((at, 'g')) => (&number[..at], 30),
        Some((at, 't')) => (&number[..at], 40),
        _ => (number, 0),
    };
    let (whole, fraction) = number.trim().split_once('.').unwrap_or((number.trim(), ""));
    let whole: i64 = whole.parse().map_err(|_| QuantityError::Size)?;
    let unit = 1_i64 << shift;
    let fraction = match fraction {
        "" => 0,
        digits => {
            let scale =
                10_i64.checked_pow(u32::try_from(digits.len()).unwrap_or(u32::MAX)).ok_or(QuantityError::Size)?;
            let digits: i64 = digits.parse().map_err(|_| QuantityError::Size)?;
            digits.checked_mul(unit).ok_or(QuantityError::Size)? / scale
        }
    };
    let bytes = whole.checked_mul(unit).and_then(|bytes| bytes.checked_add(fraction));
    bytes.filter(|bytes| *bytes >= 0).ok_or(QuantityError::Size)
}

/// Billionths of a CPU, without the detour over a binary fraction: 0.1 is 100000000 exactly.
pub(crate) fn nano_cpus(text: &str) -> Result<i64, QuantityError> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let digits = |text: &str| text.chars().all(|c| c.is_ascii_digit());
    if !digits(whole) || !digits(fraction) || fraction.len() > 9 || (whole.is_empty() && fraction.is_empty()) {
        return Err(QuantityError::Cpus);
    }
    let whole: i64 = format!("0{whole}").parse().map_err(|_| QuantityError::Cpus)?;
    let fraction: i64 = format!("{fraction:0<9}").parse().map_err(|_| QuantityError::Cpus)?;
    let nanos = whole.checked_mul(1_000_000_000).and_then(|nanos| nanos.checked_add(fraction));
    nanos.filter(|nanos| *nanos > 0).ok_or(QuantityError::Cpus)
}

/// A switch.
pub(crate) fn on_or_off(text: &str) -> Result<bool, &'static str> {
    match text {
        "on" => Ok(true),
        "off" => Ok(false),
        _ => Err("either on or off"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_powers_of_1024() {
        let said = ["0", "512", "1k", "64m", "64MB", "64MiB", "1.5g", "2t"].map(|text| bytes(text).unwrap());
        assert_eq!(said, [0, 512, 1 << 10, 64 << 20, 64 << 20, 64 << 20, 3 << 29, 2 << 40]);
    }

    #[test]
    fn what_is_no_size_is_refused() {
        for text in ["", "m", "-1", "1x", "1.x", "9999999999t", "1.9999999999999999999999m"] {
            assert_eq!(bytes(text), Err(QuantityError::Size), "{text}");
        }
    }

    #[test]
    fn cpus_are_exact() {
        let said = ["1", "0.1", ".5", "1.5", "0.000000001"].map(|text| nano_cpus(text).unwrap());
        assert_eq!(said, [1_000_000_000, 100_000_000, 500_000_000, 1_500_000_000, 1]);
        for text in ["", ".", "0", "-1", "1e3", "0.0000000001", "99999999999"] {
            assert_eq!(nano_cpus(text), Err(QuantityError::Cpus), "{text}");
        }
    }
}
