//! What happens when a program ends, and how it is checked meanwhile.

use cove_proto::v1::{Healthcheck, RestartPolicy, RestartPolicyKind};

use crate::error::Error;
use crate::spec::body;

/// Docker's restart policy as the engine's; absent when it has no name.
pub(super) fn restart_policy(policy: Option<&body::RestartPolicy>) -> Result<Option<RestartPolicy>, Error> {
    let Some(body::RestartPolicy { name, maximum_retry_count }) = policy else { return Ok(None) };
    let invalid = |why: String| Error::BadRequest(format!("invalid restart policy: {why}"));
    let kind = match name.as_str() {
        "" => None,
        "no" => Some(RestartPolicyKind::No),
        "always" => Some(RestartPolicyKind::Always),
        "unless-stopped" => Some(RestartPolicyKind::UnlessStopped),
        "on-failure" => Some(RestartPolicyKind::OnFailure),
        unknown => {
            return Err(invalid(format!(
                "unknown policy '{unknown}'; use one of 'no', 'always', 'on-failure', or 'unless-stopped'"
            )));
        }
    };
    if *maximum_retry_count != 0 && kind != Some(RestartPolicyKind::OnFailure) {
        return Err(invalid("maximum retry count can only be used with 'on-failure'".to_owned()));
    }
    let maximum_retry_count = u32::try_from(*maximum_retry_count)
        .map_err(|_| invalid("maximum retry count cannot be negative".to_owned()))?;
    Ok(kind.map(|kind| RestartPolicy { kind: kind.into(), maximum_retry_count }))
}

/// Docker's health check as the engine's.
pub(super) fn healthcheck(check: Option<body::Healthcheck>) -> Result<Option<Healthcheck>, Error> {
    let Some(check) = check else { return Ok(None) };
    let retries = u32::try_from(check.retries.unwrap_or(0))
        .map_err(|_| Error::BadRequest("Retries in Healthcheck cannot be negative".to_owned()))?;
    Ok(Some(Healthcheck {
        test: check.test.unwrap_or_default(),
        interval_nanos: check.interval.unwrap_or(0),
        timeout_nanos: check.timeout.unwrap_or(0),
        retries,
        start_period_nanos: check.start_period.unwrap_or(0),
        start_interval_nanos: check.start_interval.unwrap_or(0),
    }))
}
