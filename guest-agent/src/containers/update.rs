//! Changing what a container may use, and its restart policy, while it runs as well. The rules and words are dockerd's.

use cove_proto::v1::{Resources, RestartPolicy, RestartPolicyKind};

use super::{
    Containers, ContainersError,
    actor::{Actor, Command},
    limits,
    record::Phase,
    spec,
};
use crate::cgroups::update::Change;

impl Containers {
    /// Changes limits and the restart policy of a container.
    ///
    /// # Errors
    /// If there is no such container, or a limit makes no sense, alone or beside those that there are.
    pub async fn update(
        &self,
        container: &str,
        resources: Resources,
        policy: Option<RestartPolicy>,
    ) -> Result<(), ContainersError> {
        check(&resources, policy.as_ref(), self.0.cpus)?;
        let entry = self.find(container)?;
        let around = |source| ContainersError::Update { id: entry.id.clone(), source: Box::new(source) };
        entry.ask(|reply| Command::Update { resources: Box::new(resources), policy, reply }).await.map_err(around)
    }
}

/// Checks what can be checked without the container.
fn check(resources: &Resources, policy: Option<&RestartPolicy>, cpus: usize) -> Result<(), ContainersError> {
    let mut alone = resources.clone();
    if alone.memory_bytes == 0 {
        // With an update, memory may have been limited before.
        alone.memory_swap_bytes = 0;
    }
    spec::check_resources(&alone, cpus)?;
    if let Some(policy) = policy {
        spec::check_restart_policy(policy)?;
    }
    Ok(())
}

impl Actor {
    pub(super) async fn update(
        &mut self,
        asked: &Resources,
        policy: Option<RestartPolicy>,
    ) -> Result<(), ContainersError> {
        if matches!(self.record.state.phase, Phase::Removing | Phase::Dead) {
            return Err(ContainersError::Conflict("container is marked for removal and cannot be \"update\""));
        }
        let before = self.record.spec.clone();
        let merged = merge(&before.resources.clone().unwrap_or_default(), asked)?;
        let restarts = policy.is_some_and(|policy| policy.kind() != RestartPolicyKind::No);
        if before.auto_remove && restarts {
            return Err(ContainersError::Conflict(
                "Restart policy cannot be updated because AutoRemove is enabled for the container",
            ));
        }
        let change = Change {
            resources: limits::resources(&merged),
            any_pids: asked.pids_limit < 0,
            any_swap: asked.memory_swap_bytes < 0,
        };
        self.record.spec.resources = Some(merged);
        if policy.is_some() {
            self.record.spec.restart_policy = policy;
        }
        let done = match self.save().await {
            Ok(()) => self.limit(change).await,
            Err(error) => Err(error),
        };
        if done.is_err() {
            self.record.spec = before;
            if let Err(error) = self.save().await {
                tracing::error!(container = %self.record.id, error = &error as &dyn std::error::Error,
                    "an update that failed cannot be taken back");
            }
        }
        self.publish();
        self.tell("update");
        done
    }

    async fn limit(&self, change: Change) -> Result<(), ContainersError> {
        let Some(running) = &self.running else { return Ok(()) };
        running.program.limit(change).await.map_err(ContainersError::Limit)
    }
}

/// The limits that there are, and over them those that are asked for; what is 0 or empty is not asked for.
fn merge(there: &Resources, asked: &Resources) -> Result<Resources, ContainersError> {
    refuse_conflicts(there, asked)?;
    let mut merged = there.clone();
    let swap = swap_of(there);
    macro_rules! take {
        ($($field:ident),*) => { $(if asked.$field != Resources::default().$field { merged.$field = asked.$field.clone(); })* };
    }
    take!(
        nano_cpus,
        cpu_quota_micros,
        cpu_period_micros,
        cpu_shares,
        cpuset_cpus,
        cpuset_mems,
        memory_bytes,
        memory_swap_bytes,
        memory_reservation_bytes,
        memory_swappiness,
        pids_limit,
        io_weight,
        io_device_weights,
        io_read_bytes_per_second,
        io_write_bytes_per_second,
        io_reads_per_second,
        io_writes_per_second
    );
    if asked.memory_bytes != 0 && asked.memory_swap_bytes == 0 {
        // dockerd noted the swap that a container got when its memory was limited, and leaves it.
        merged.memory_swap_bytes = swap;
    }
    Ok(merged)
}

fn refuse_conflicts(there: &Resources, asked: &Resources) -> Result<(), ContainersError> {
    for (wrong, message) in [
        (
            asked.nano_cpus > 0 && there.cpu_period_micros > 0,
            "Conflicting options: Nano CPUs cannot be updated as CPU Period has already been set",
        ),
        (
            asked.nano_cpus > 0 && there.cpu_quota_micros > 0,
            "Conflicting options: Nano CPUs cannot be updated as CPU Quota has already been set",
        ),
        (
            asked.cpu_period_micros > 0 && there.nano_cpus > 0,
            "Conflicting options: CPU Period cannot be updated as NanoCPUs has already been set",
        ),
        (
            asked.cpu_quota_micros > 0 && there.nano_cpus > 0,
            "Conflicting options: CPU Quota cannot be updated as NanoCPUs has already been set",
        ),
        (
            asked.memory_bytes > swap_of(there) && asked.memory_bytes != 0 && asked.memory_swap_bytes == 0,
            "Memory limit should be smaller than already set memoryswap limit, update the memoryswap at the same time",
        ),
    ] {
        if wrong {
            return Err(ContainersError::Conflict(message));
        }
    }
    Ok(())
}

/// Memory and swap together that a container has: twice its memory unless something else was said.
fn swap_of(there: &Resources) -> i64 {
    if there.memory_swap_bytes == 0 { there.memory_bytes.saturating_mul(2) } else { there.memory_swap_bytes }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIB: i64 = 1 << 20;

    fn memory(memory_bytes: i64, memory_swap_bytes: i64) -> Resources {
        Resources { memory_bytes, memory_swap_bytes, ..Resources::default() }
    }

    fn refused(there: &Resources, asked: &Resources) -> String {
        merge(there, asked).unwrap_err().to_string()
    }

    #[test]
    fn what_is_not_asked_for_stays() {
        let there = Resources { cpu_shares: 512, pids_limit: 50, cpuset_cpus: "0".into(), ..memory(64 * MIB, -1) };
        let asked = Resources { cpu_shares: 256, pids_limit: -1, ..Resources::default() };
        let merged = merge(&there, &asked).unwrap();
        assert_eq!(merged, Resources { cpu_shares: 256, pids_limit: -1, ..there });
    }

    #[test]
    fn more_memory_than_the_swap_that_there_is_needs_more_swap() {
        let words =
            "Memory limit should be smaller than already set memoryswap limit, update the memoryswap at the same time";
        let there = memory(64 * MIB, 0);
        assert_eq!(merge(&there, &memory(128 * MIB, 0)).unwrap(), memory(128 * MIB, 128 * MIB));
        assert_eq!(refused(&there, &memory(129 * MIB, 0)), words);
        assert_eq!(refused(&Resources::default(), &memory(64 * MIB, 0)), words, "without a limit there is no swap");
        assert_eq!(merge(&there, &memory(256 * MIB, -1)).unwrap(), memory(256 * MIB, -1));
        assert_eq!(merge(&there, &memory(256 * MIB, 512 * MIB)).unwrap(), memory(256 * MIB, 512 * MIB));
    }

    #[test]
    fn cpus_and_quotas_exclude_each_other() {
        let nano = Resources { nano_cpus: 1, ..Resources::default() };
        let quota = Resources { cpu_quota_micros: 1, ..Resources::default() };
        assert_eq!(
            refused(&nano, &quota),
            "Conflicting options: CPU Quota cannot be updated as NanoCPUs has already been set"
        );
        assert_eq!(
            refused(&quota, &nano),
            "Conflicting options: Nano CPUs cannot be updated as CPU Quota has already been set"
        );
    }

    #[test]
    fn limits_are_checked_as_at_creation_but_for_swap_alone() {
        let words = |resources: &Resources| check(resources, None, 2).map_err(|error| error.to_string());
        assert_eq!(words(&memory(1000, 0)).unwrap_err(), "Minimum memory limit allowed is 6MB");
        assert_eq!(words(&memory(0, 64 * MIB)), Ok(()));
    }
}
