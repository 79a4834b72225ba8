//! What happens when a container's program ends, and how it is checked meanwhile, as it is written on the command line.

use cove_proto::v1::{Healthcheck, RestartPolicy, RestartPolicyKind};
use jiff::SignedDuration;

/// Why a restart policy is none.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("a restart policy is no, always, unless-stopped, on-failure, or on-failure: and how often at most")]
pub(crate) struct PolicyError;

/// "no", "always", "unless-stopped", "on-failure", "on-failure:3".
pub(crate) fn restart_policy(text: &str) -> Result<RestartPolicy, PolicyError> {
    let (name, count) = text.split_once(':').map_or((text, None), |(name, count)| (name, Some(count)));
    let kind = match name {
        "no" => RestartPolicyKind::No,
        "always" => RestartPolicyKind::Always,
        "unless-stopped" => RestartPolicyKind::UnlessStopped,
        "on-failure" => RestartPolicyKind::OnFailure,
        _ => return Err(PolicyError),
    };
    if count.is_some() && kind != RestartPolicyKind::OnFailure {
        return Err(PolicyError);
    }
    let maximum_retry_count = count.map_or(Ok(0), |count| count.parse().map_err(|_| PolicyError))?;
    Ok(RestartPolicy { kind: kind.into(), maximum_retry_count })
}

/// What a container says of its life.
#[derive(Debug, clap::Args)]
pub(crate) struct Life {
    /// What happens when its program ends: no, always, unless-stopped, on-failure or on-failure:3.
    #[arg(long, value_name = "POLICY", value_parser = restart_policy)]
    pub(super) restart: Option<RestartPolicy>,
    /// Line for the shell that finds out whether it is healthy.
    #[arg(long, value_name = "COMMAND", conflicts_with = "no_healthcheck")]
    health_cmd: Option<String>,
    /// Time between two checks: 30s.
    #[arg(long, value_name = "TIME", value_parser = nanos)]
    health_interval: Option<i64>,
    /// Time until a check has failed: 30s.
    #[arg(long, value_name = "TIME", value_parser = nanos)]
    health_timeout: Option<i64>,
    /// Failures in a row until it is unhealthy.
    #[arg(long, value_name = "NUMBER")]
    health_retries: Option<u32>,
    /// Time after the start in which failures do not count.
    #[arg(long, value_name = "TIME", value_parser = nanos)]
    health_start_period: Option<i64>,
    /// Time between two checks in that time.
    #[arg(long, value_name = "TIME", value_parser = nanos)]
    health_start_interval: Option<i64>,
    /// Do not check what the image wants checked.
    #[arg(long)]
    no_healthcheck: bool,
}

impl Life {
    /// The check; absent when nothing is said of it.
    pub(super) fn healthcheck(&self) -> Option<Healthcheck> {
        let test = match &self.health_cmd {
            _ if self.no_healthcheck => vec!["NONE".to_owned()],
            Some(command) => vec!["CMD-SHELL".to_owned(), command.clone()],
            None => Vec::new(),
        };
        let check = Healthcheck {
            test,
            interval_nanos: self.health_interval.unwrap_or_default(),
            timeout_nanos: self.health_timeout.unwrap_or_default(),
            retries: self.health_retries.unwrap_or_default(),
            start_period_nanos: self.health_start_period.unwrap_or_default(),
            start_interval_nanos: self.health_start_interval.unwrap_or_default(),
        };
        (check != Healthcheck::default()).then_some(check)
    }
}

/// "30s", "1m30s", "500ms".
fn nanos(text: &str) -> Result<i64, String> {
    let duration = text.parse::<SignedDuration>().ok().filter(|duration| !duration.is_negative());
    let nanos = duration.and_then(|duration| i64::try_from(duration.as_nanos()).ok());
    nanos.ok_or_else(|| "a time is a number and a unit: 30s, 1m30s, 500ms".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_policy_is_dockers_word_with_a_count_where_it_takes_one() {
        let policy = |text| restart_policy(text).map(|policy| (policy.kind(), policy.maximum_retry_count));
        assert_eq!(policy("always"), Ok((RestartPolicyKind::Always, 0)));
        assert_eq!(policy("on-failure:3"), Ok((RestartPolicyKind::OnFailure, 3)));
        for wrong in ["", "sometimes", "always:3", "on-failure:x", "on-failure:-1"] {
            assert_eq!(policy(wrong), Err(PolicyError), "{wrong}");
        }
    }

    #[test]
    fn a_time_has_a_unit() {
        assert_eq!((nanos("1m30s"), nanos("500ms")), (Ok(90_000_000_000), Ok(500_000_000)));
        assert!(nanos("30").is_err() && nanos("-1s").is_err());
    }
}
