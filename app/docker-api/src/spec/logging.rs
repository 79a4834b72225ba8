//! Where a container's output goes. The engine knows its drivers and their options; what dockerd has besides is refused
//! here by its name, and what nobody knows there in dockerd's words.

use cove_proto::v1;

use crate::error::{Error, unsupported};
use crate::spec::body::LogConfig;

/// Drivers that dockerd has and Cove does not.
const OTHERS: [&str; 8] = ["awslogs", "etwlogs", "fluentd", "gcplogs", "gelf", "journald", "splunk", "syslog"];

/// The driver and its options; `None` where the client names neither.
pub(super) fn config(asked: Option<&LogConfig>) -> Result<Option<v1::LogConfig>, Error> {
    let Some(asked) = asked else { return Ok(None) };
    let driver = asked.driver.clone().unwrap_or_default();
    let options = asked.options.clone().unwrap_or_default();
    if OTHERS.contains(&driver.as_str()) {
        return Err(unsupported(&format!("--log-driver {driver}")));
    }
    if driver != "none" && options.get("mode").is_some_and(|mode| mode == "non-blocking") {
        return Err(unsupported("--log-opt mode=non-blocking"));
    }
    Ok((!driver.is_empty() || !options.is_empty()).then_some(v1::LogConfig { driver, options }))
}
