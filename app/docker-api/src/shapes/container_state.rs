//! How a container is, in Docker's words.

use cove_proto::v1::{ContainerState, ContainerStatus};
use jiff::Timestamp;
use serde_json::{Value, json};

use crate::shapes::life;
use crate::timestamps;

/// The word of a state.
pub(super) fn word(state: &ContainerState) -> &'static str {
    match state.status() {
        _ if state.restarting => "restarting",
        ContainerStatus::Unspecified | ContainerStatus::Created => "created",
        ContainerStatus::Running => "running",
        ContainerStatus::Paused => "paused",
        ContainerStatus::Exited => "exited",
        ContainerStatus::Removing => "removing",
        ContainerStatus::Dead => "dead",
    }
}

/// The `State` of an inspected container. One that is paused or restarts in a moment also counts as running.
pub(super) fn shape(state: &ContainerState) -> Value {
    let status = state.status();
    let mut shape = json!({
        "Status": word(state),
        "Running": state.restarting || matches!(status, ContainerStatus::Running | ContainerStatus::Paused),
        "Paused": status == ContainerStatus::Paused,
        "Restarting": state.restarting,
        "OOMKilled": state.oom_killed,
        "Dead": status == ContainerStatus::Dead,
        "Pid": state.pid,
        "ExitCode": state.exit_code,
        "Error": state.error,
        "StartedAt": timestamps::rfc3339(state.started_at.as_ref()),
        "FinishedAt": timestamps::rfc3339(state.finished_at.as_ref()),
    });
    if let Some(health) = &state.health {
        shape["Health"] = life::health(health);
    }
    shape
}

/// "Up 5 minutes": the state as a sentence.
pub(super) fn sentence(state: &ContainerState, now: Timestamp) -> String {
    let since = |time: &Option<prost_types::Timestamp>| {
        let moment = time.as_ref().and_then(timestamps::moment).unwrap_or(now);
        timestamps::human(now.as_second() - moment.as_second())
    };
    match state.status() {
        ContainerStatus::Unspecified | ContainerStatus::Created => "Created".to_owned(),
        _ if state.restarting => format!("Restarting ({}) {} ago", state.exit_code, since(&state.finished_at)),
        ContainerStatus::Running => {
            format!("Up {}{}", since(&state.started_at), state.health.as_ref().map(life::remark).unwrap_or_default())
        }
        ContainerStatus::Paused => format!("Up {} (Paused)", since(&state.started_at)),
        ContainerStatus::Exited if state.finished_at.is_none() => String::new(),
        ContainerStatus::Exited => format!("Exited ({}) {} ago", state.exit_code, since(&state.finished_at)),
        ContainerStatus::Removing => "Removal In Progress".to_owned(),
        ContainerStatus::Dead => "Dead".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn states_are_sentences() {
        let now = Timestamp::new(1000, 0).unwrap();
        let at = |seconds| Some(prost_types::Timestamp { seconds, nanos: 0 });
        let text = |status: ContainerStatus| {
            let state = ContainerState {
                status: status.into(),
                exit_code: 3,
                started_at: at(700),
                finished_at: at(995),
                ..ContainerState::default()
            };
            sentence(&state, now)
        };
        assert_eq!(text(ContainerStatus::Created), "Created");
        assert_eq!(text(ContainerStatus::Running), "Up 5 minutes");
        assert_eq!(text(ContainerStatus::Paused), "Up 5 minutes (Paused)");
        assert_eq!(text(ContainerStatus::Exited), "Exited (3) 5 seconds ago");
        assert_eq!(text(ContainerStatus::Removing), "Removal In Progress");
        assert_eq!(text(ContainerStatus::Dead), "Dead");
    }

    #[test]
    fn health_and_restarts_are_part_of_the_sentence() {
        use cove_proto::v1::{Health, HealthStatus};
        let now = Timestamp::new(1000, 0).unwrap();
        let at = |seconds| Some(prost_types::Timestamp { seconds, nanos: 0 });
        let mut state =
            ContainerState { started_at: at(700), finished_at: at(995), exit_code: 1, ..Default::default() };
        state.set_status(ContainerStatus::Running);
        for (status, text) in [
            (HealthStatus::Starting, "Up 5 minutes (health: starting)"),
            (HealthStatus::Healthy, "Up 5 minutes (healthy)"),
            (HealthStatus::Unhealthy, "Up 5 minutes (unhealthy)"),
        ] {
            state.health = Some(Health { status: status.into(), ..Default::default() });
            assert_eq!(sentence(&state, now), text);
        }
        state.set_status(ContainerStatus::Exited);
        state.restarting = true;
        assert_eq!((sentence(&state, now).as_str(), word(&state)), ("Restarting (1) 5 seconds ago", "restarting"));
    }
}
