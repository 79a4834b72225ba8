//! Logging drivers and their options, in dockerd's words. As there, names are checked when a container is made, and values
//! when it starts.

use std::collections::HashMap;

use cove_proto::v1::LogConfig;

/// The driver where nobody names one.
pub const DEFAULT_DRIVER: &str = "json-file";

/// What json-file and local know. Those of dockerd's that go for every driver stand apart, see [`check`].
const KNOWN: [&str; 8] = ["max-size", "max-file", "compress", "labels", "labels-regex", "env", "env-regex", "tag"];

/// How a log is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Keeping {
    /// Whether it is kept at all.
    pub on_disk: bool,
    /// Bytes of a file at which it is rotated.
    pub most_bytes: Option<u64>,
    /// Files, the one that is written to among them.
    pub most_files: usize,
    /// Whether what is rotated away is compressed.
    pub packed: bool,
}

impl Default for Keeping {
    fn default() -> Self {
        Self { on_disk: true, most_bytes: None, most_files: 1, packed: false }
    }
}

impl Keeping {
    /// The longest payload of a record: a file must hold some, so that its limit is one.
    pub(super) fn record_bytes(&self, most: usize) -> usize {
        let fitting = self.most_bytes.map_or(most, |file| usize::try_from(file / 4).unwrap_or(most));
        fitting.clamp(256.min(most), most)
    }
}

/// Why a log cannot be kept as asked for.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum LogOptionError {
    /// No such driver.
    #[error("error looking up logging plugin {0}: plugin {0:?} not found")]
    Driver(String),
    /// No such option.
    #[error("unknown log opt '{name}' for {driver} log driver")]
    Unknown {
        /// The option.
        name: String,
        /// The driver.
        driver: String,
    },
    /// No such mode.
    #[error("logger: logging mode not supported: {0}")]
    Mode(String),
    /// A buffer for a mode that has none.
    #[error("logger: max-buffer-size option is only supported with 'mode=non-blocking'")]
    Buffer,
    /// A mode that Cove does not have.
    #[error("--log-opt mode=non-blocking is not supported by this version of Cove yet")]
    NonBlocking,
    /// A value that is none.
    #[error("{0}")]
    Value(String),
}

/// The driver of a container.
#[must_use]
pub fn driver(config: Option<&LogConfig>) -> &str {
    config.map(|config| config.driver.as_str()).filter(|driver| !driver.is_empty()).unwrap_or(DEFAULT_DRIVER)
}

/// Checks the names of driver and options.
///
/// # Errors
/// If one is unknown.
pub fn check(config: Option<&LogConfig>) -> Result<(), LogOptionError> {
    let driver = driver(config);
    let Some(config) = config.filter(|_| driver != "none") else { return Ok(()) };
    match config.options.get("mode").map_or("", String::as_str) {
        "" | "blocking" if config.options.contains_key("max-buffer-size") => return Err(LogOptionError::Buffer),
        "" | "blocking" => {}
        "non-blocking" => return Err(LogOptionError::NonBlocking),
        mode => return Err(LogOptionError::Mode(mode.to_owned())),
    }
    if !["json-file", "local"].contains(&driver) {
        return Err(LogOptionError::Driver(driver.to_owned()));
    }
    let mut names: Vec<_> = config.options.keys().filter(|name| *name != "mode").collect();
    names.sort();
    match names.into_iter().find(|name| !KNOWN.contains(&name.as_str())) {
        None => Ok(()),
        Some(name) => Err(LogOptionError::Unknown { name: name.clone(), driver: driver.to_owned() }),
    }
}

/// Reads how the log is to be kept.
///
/// # Errors
/// If a value makes no sense.
pub fn keeping(config: Option<&LogConfig>) -> Result<Keeping, LogOptionError> {
    let none = HashMap::new();
    let options = config.map_or(&none, |config| &config.options);
    let option = |name: &str| options.get(name).map(String::as_str);
    match driver(config) {
        "none" => Ok(Keeping { on_disk: false, ..Keeping::default() }),
        "local" => local(option),
        _ => json_file(option),
    }
}

fn json_file<'a>(option: impl Fn(&str) -> Option<&'a str>) -> Result<Keeping, LogOptionError> {
    let value = |text: &str| Err(LogOptionError::Value(text.to_owned()));
    let most_bytes = option("max-size").map(size).transpose()?;
    if most_bytes == Some(0) {
        return value("max-size must be a positive number");
    }
    let most_files = option("max-file").map(number).transpose()?.unwrap_or(1);
    if most_files < 1 {
        return value("max-file cannot be less than 1");
    }
    let packed = option("compress").map(flag).transpose()?.unwrap_or(false);
    if packed && (most_files == 1 || most_bytes.is_none()) {
        return value("compress cannot be true when max-file is less than 2 or max-size is not set");
    }
    Ok(Keeping { on_disk: true, most_bytes, most_files: usize::try_from(most_files).unwrap_or(usize::MAX), packed })
}

fn local<'a>(option: impl Fn(&str) -> Option<&'a str>) -> Result<Keeping, LogOptionError> {
    let within = |words: String| move |error: LogOptionError| LogOptionError::Value(format!("{words}: {error}"));
    let most_bytes = match option("max-size") {
        Some(text) => size(text).map_err(within(format!("invalid value for max-size: {text}")))?,
        None => 20 * 1024 * 1024,
    };
    let most_files = match option("max-file") {
        Some(text) => number(text).map_err(within(format!("invalid value for max-file: {text}")))?,
        None => 5,
    };
    let packed = option("compress").map(flag).transpose();
    let packed = packed.map_err(within("error reading compress log option".to_owned()))?.unwrap_or(true);
    if most_files < 0 {
        return Err(LogOptionError::Value("max file count cannot be less than 0".to_owned()));
    }
    if packed && most_files <= 1 {
        let words = format!("compression cannot be enabled when max file count is {most_files}");
        return Err(LogOptionError::Value(words));
    }
    // As with dockerd, 0 is no limit.
    let most_bytes = Some(most_bytes).filter(|bytes| *bytes > 0);
    let most_files = usize::try_from(most_files).unwrap_or(usize::MAX).max(1);
    Ok(Keeping { on_disk: true, most_bytes, most_files, packed })
}

/// Go's strconv.Atoi.
fn number(text: &str) -> Result<i64, LogOptionError> {
    text.parse().map_err(|_| LogOptionError::Value(format!("strconv.Atoi: parsing {text:?}: invalid syntax")))
}

/// Go's strconv.ParseBool.
fn flag(text: &str) -> Result<bool, LogOptionError> {
    match text {
        "1" | "t" | "T" | "TRUE" | "true" | "True" => Ok(true),
        "0" | "f" | "F" | "FALSE" | "false" | "False" => Ok(false),
        _ => Err(LogOptionError::Value(format!("strconv.ParseBool: parsing {text:?}: invalid syntax"))),
    }
}

/// "10m", "1.5 GB": docker's sizes with decimal units.
fn size(text: &str) -> Result<u64, LogOptionError> {
    let digits_end = text.rfind(|c: char| c.is_ascii_digit() || c == '.' || c == ' ');
    let split = digits_end.ok_or_else(|| LogOptionError::Value(format!("invalid size: '{text}'")))? + 1;
    let (digits, suffix) = (text[..split].trim_end(), text[split..].to_ascii_lowercase());
    let number: f64 = digits
        .parse()
        .map_err(|_| LogOptionError::Value(format!("strconv.ParseFloat: parsing {digits:?}: invalid syntax")))?;
    if number < 0.0 || !number.is_finite() {
        return Err(LogOptionError::Value(format!("invalid size: '{text}'")));
    }
    let unit = match suffix.trim_end_matches("ib").trim_end_matches('b') {
        "" if suffix != "ib" => 1.0,
        "k" => 1e3,
        "m" => 1e6,
        "g" => 1e9,
        "t" => 1e12,
        "p" => 1e15,
        _ => return Err(LogOptionError::Value(format!("invalid suffix: '{suffix}'"))),
    };
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "as casts saturate")]
    Ok((number * unit) as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(driver: &str, options: &[(&str, &str)]) -> LogConfig {
        let options = options.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        LogConfig { driver: driver.to_owned(), options }
    }

    fn kept(driver: &str, options: &[(&str, &str)]) -> Result<Keeping, String> {
        keeping(Some(&config(driver, options))).map_err(|error| error.to_string())
    }

    #[test]
    fn drivers_have_dockerds_defaults() {
        assert_eq!(keeping(None).unwrap(), Keeping::default());
        let local = Keeping { on_disk: true, most_bytes: Some(20 << 20), most_files: 5, packed: true };
        assert_eq!(kept("local", &[]).unwrap(), local);
        assert!(!kept("none", &[("max-size", "nonsense")]).unwrap().on_disk);
        let json = kept("json-file", &[("max-size", "10k"), ("max-file", "3"), ("compress", "true")]).unwrap();
        assert_eq!(json, Keeping { on_disk: true, most_bytes: Some(10_000), most_files: 3, packed: true });
    }

    #[test]
    fn names_are_checked_in_dockerds_words() {
        let checked = |driver, options: &[_]| check(Some(&config(driver, options))).map_err(|error| error.to_string());
        assert_eq!(check(None), Ok(()));
        assert_eq!(checked("none", &[("nosuch", "x")]), Ok(()));
        assert_eq!(checked("", &[("tag", "x"), ("mode", "blocking")]), Ok(()));
        for (driver, options, words) in [
            ("nosuch", &[][..], "error looking up logging plugin nosuch: plugin \"nosuch\" not found"),
            ("", &[("nosuch", "1")], "unknown log opt 'nosuch' for json-file log driver"),
            ("local", &[("nosuch", "1")], "unknown log opt 'nosuch' for local log driver"),
            ("", &[("mode", "fast")], "logger: logging mode not supported: fast"),
            (
                "",
                &[("max-buffer-size", "1m")],
                "logger: max-buffer-size option is only supported with 'mode=non-blocking'",
            ),
        ] {
            assert_eq!(checked(driver, options), Err(words.to_owned()));
        }
    }

    #[test]
    fn values_are_checked_in_dockerds_words() {
        for (driver, options, words) in [
            ("json-file", &[("max-size", "abc")][..], "invalid size: 'abc'"),
            ("json-file", &[("max-size", "1x")], "invalid suffix: 'x'"),
            ("json-file", &[("max-size", "0")], "max-size must be a positive number"),
            ("json-file", &[("max-file", "0")], "max-file cannot be less than 1"),
            ("json-file", &[("max-file", "x")], "strconv.Atoi: parsing \"x\": invalid syntax"),
            ("json-file", &[("compress", "maybe")], "strconv.ParseBool: parsing \"maybe\": invalid syntax"),
            (
                "json-file",
                &[("compress", "true"), ("max-size", "1m")],
                "compress cannot be true when max-file is less than 2 or max-size is not set",
            ),
            ("local", &[("max-file", "1")], "compression cannot be enabled when max file count is 1"),
            ("local", &[("max-size", "q")], "invalid value for max-size: q: invalid size: 'q'"),
        ] {
            assert_eq!(kept(driver, options), Err(words.to_owned()));
        }
    }

    #[test]
    fn sizes_are_decimal() {
        for (text, bytes) in [("10", 10), ("10b", 10), ("1k", 1000), ("1.5 MB", 1_500_000), ("2Gib", 2_000_000_000)] {
            assert_eq!(size(text), Ok(bytes), "{text}");
        }
    }
}
