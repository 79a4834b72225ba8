//! Limits: from what a container may use to the files of its cgroup, by cgroups-rs.

use std::path::{Path, PathBuf};

use cgroups_rs::fs::{
    MaxValue, cpu::CpuController, cpuset::CpuSetController, memory::MemController, pid::PidController,
};

use super::{CgroupError, io};
use crate::processes::launch::Resources;

/// Sets the limits of the cgroup at `path`.
pub(super) fn set(path: &Path, resources: &Resources) -> Result<(), CgroupError> {
    set_memory(path, resources)?;
    set_cpu(path, resources)?;
    if let Some(pids) = resources.pids {
        let controller = PidController::new(path.to_owned(), PathBuf::new(), true);
        let limit = MaxValue::Value(signed(pids));
        refused("pids.max", pids, controller.set_pid_max(limit))?;
    }
    io::set(path, resources)
}

fn set_memory(path: &Path, resources: &Resources) -> Result<(), CgroupError> {
    let controller = MemController::new(path.to_owned(), PathBuf::new(), true);
    if let Some(bytes) = resources.memory_bytes {
        refused("memory.max", bytes, controller.set_limit(signed(bytes)))?;
    }
    if let Some(bytes) = resources.swap_bytes {
        refused("memory.swap.max", bytes, controller.set_memswap_limit(signed(bytes)))?;
    }
    if let Some(bytes) = resources.memory_reservation_bytes {
        refused("memory.low", bytes, controller.set_soft_limit(signed(bytes)))?;
    }
    Ok(())
}

fn set_cpu(path: &Path, resources: &Resources) -> Result<(), CgroupError> {
    let controller = CpuController::new(path.to_owned(), PathBuf::new(), true);
    if let Some((quota, period)) = resources.cpu_max {
        let set = controller.set_cfs_quota_and_period(Some(signed(quota)), Some(period));
        refused("cpu.max", format_args!("{quota} {period}"), set)?;
    }
    if let Some(shares) = resources.cpu_shares {
        let weight = weight(shares);
        refused("cpu.weight", weight, controller.set_shares(weight))?;
    }
    if let Some(cpus) = &resources.cpuset_cpus {
        let controller = CpuSetController::new(path.to_owned(), PathBuf::new(), true);
        refused("cpuset.cpus", cpus, controller.set_cpus(cpus))?;
    }
    if let Some(nodes) = &resources.cpuset_mems {
        let controller = CpuSetController::new(path.to_owned(), PathBuf::new(), true);
        refused("cpuset.mems", nodes, controller.set_mems(nodes))?;
    }
    Ok(())
}

/// cgroups-rs takes signed numbers, of which -1 is none; no machine has more than half of all that fits.
fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// Docker's cpu-shares as a weight: 2 → 1, 1024 → 100 (both defaults), 262144 → 10000. The curve is that of
/// opencontainers/cgroups, a parabola of the logarithm through these points; the straight line that runtimes used before
/// made 39 of the default.
#[must_use]
pub fn weight(shares: u64) -> u64 {
    if shares == 0 {
        return 100;
    }
    #[expect(clippy::cast_precision_loss, reason = "clamped far below 2^53")]
    let log = (shares.clamp(2, 262_144) as f64).log2();
    let exponent = (log * log + 125.0 * log) / 612.0 - 7.0 / 34.0;
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "between 1 and 10000")]
    let weight = 10_f64.powf(exponent).ceil() as u64;
    weight.clamp(1, 10_000)
}

fn refused(
    file: &'static str,
    value: impl std::fmt::Display,
    result: Result<(), cgroups_rs::fs::error::Error>,
) -> Result<(), CgroupError> {
    result.map_err(|error| CgroupError::Limit { file, value: value.to_string(), source: Box::new(error) })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(resources: &Resources) -> Vec<(String, String)> {
        let root = tempfile::tempdir().unwrap();
        std::fs::write(root.path().join("cpu.max"), "max 100000").unwrap();
        set(root.path(), resources).unwrap();
        let read = |entry: std::io::Result<std::fs::DirEntry>| {
            let path = entry.unwrap().path();
            (path.file_name().unwrap().to_str().unwrap().to_owned(), std::fs::read_to_string(&path).unwrap())
        };
        let mut files: Vec<_> = root.path().read_dir().unwrap().map(read).collect();
        files.sort();
        files
    }

    #[test]
    fn every_limit_reaches_its_file() {
        let resources = Resources {
            cpu_max: Some((150_000, 100_000)),
            cpu_shares: Some(1024),
            cpuset_cpus: Some("0-1".into()),
            cpuset_mems: Some("0".into()),
            memory_bytes: Some(64 << 20),
            swap_bytes: Some(0),
            memory_reservation_bytes: Some(32 << 20),
            pids: Some(100),
            ..Resources::default()
        };
        let expected = [
            ("cpu.max", "150000 100000"),
            ("cpu.weight", "100"),
            ("cpuset.cpus", "0-1"),
            ("cpuset.mems", "0"),
            ("memory.low", "33554432"),
            ("memory.max", "67108864"),
            ("memory.swap.max", "0"),
            ("pids.max", "100"),
        ];
        let written = written(&resources);
        let written: Vec<(&str, &str)> = written.iter().map(|(file, text)| (file.as_str(), text.as_str())).collect();
        assert_eq!(written, expected);
    }

    #[test]
    fn no_limit_writes_nothing() {
        assert_eq!(written(&Resources::default()), [("cpu.max".to_owned(), "max 100000".to_owned())]);
    }

    #[test]
    fn shares_become_weights_through_the_three_points() {
        assert_eq!([2, 1024, 262_144, 0, 1, u64::MAX].map(weight), [1, 100, 10_000, 100, 1, 10_000]);
    }

    #[test]
    fn a_refused_limit_names_its_file() {
        let error = set(Path::new("/nonexistent"), &Resources { pids: Some(1), ..Resources::default() }).unwrap_err();
        assert_eq!(error.to_string(), "set pids.max to 1");
    }
}
