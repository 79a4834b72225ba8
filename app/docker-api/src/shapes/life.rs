//! Restart policies and health, in Docker's words.

use cove_proto::v1::{Health, HealthStatus, Healthcheck, RestartPolicy, RestartPolicyKind};
use serde_json::{Map, Value, json};

use crate::timestamps;

/// The `RestartPolicy` of a `HostConfig`.
pub(super) fn restart_policy(policy: Option<&RestartPolicy>) -> Value {
    let policy = policy.copied().unwrap_or_default();
    let name = match policy.kind() {
        RestartPolicyKind::Unspecified | RestartPolicyKind::No => "no",
        RestartPolicyKind::Always => "always",
        RestartPolicyKind::UnlessStopped => "unless-stopped",
        RestartPolicyKind::OnFailure => "on-failure",
    };
    json!({"Name": name, "MaximumRetryCount": policy.maximum_retry_count})
}

/// The `Healthcheck` of a `Config`; what is not set is left out.
pub(super) fn healthcheck(check: &Healthcheck) -> Value {
    let mut shape = Map::new();
    if !check.test.is_empty() {
        shape.insert("Test".to_owned(), json!(check.test));
    }
    for (name, number) in [
        ("Interval", check.interval_nanos),
        ("Timeout", check.timeout_nanos),
        ("StartPeriod", check.start_period_nanos),
        ("StartInterval", check.start_interval_nanos),
        ("Retries", i64::from(check.retries)),
    ] {
        if number != 0 {
            shape.insert(name.to_owned(), json!(number));
        }
    }
    Value::Object(shape)
}

/// The `Health` of a `State`.
pub(super) fn health(health: &Health) -> Value {
    let log: Vec<Value> = health
        .log
        .iter()
        .map(|result| {
            json!({
                "Start": timestamps::rfc3339(result.started_at.as_ref()),
                "End": timestamps::rfc3339(result.ended_at.as_ref()),
                "ExitCode": result.exit_code,
                "Output": String::from_utf8_lossy(&result.output),
            })
        })
        .collect();
    json!({"Status": word(health.status()), "FailingStreak": health.failing_streak, "Log": log})
}

fn word(status: HealthStatus) -> &'static str {
    match status {
        HealthStatus::Unspecified => "none",
        HealthStatus::Starting => "starting",
        HealthStatus::Healthy => "healthy",
        HealthStatus::Unhealthy => "unhealthy",
    }
}

/// Health in a row of `docker ps`.
pub(super) fn remark(health: &Health) -> String {
    match health.status() {
        HealthStatus::Starting => " (health: starting)".to_owned(),
        status => format!(" ({})", word(status)),
    }
}
