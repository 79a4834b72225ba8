//! Limits of block devices: io.weight and io.max. cgroups-rs writes the files of the first version's names.

use std::{fs, path::Path};

use super::CgroupError;
use crate::processes::launch::{IoKind, IoLimit, Resources};

const WEIGHT: &str = "io.weight";
const MAX: &str = "io.max";

/// Sets the limits of the cgroup at `path`.
pub(super) fn set(path: &Path, resources: &Resources) -> Result<(), CgroupError> {
    if let Some(docker) = resources.io_weight {
        write(path, WEIGHT, &format!("default {}", weight(docker)))?;
    }
    resources.io.iter().try_for_each(|limit| write(path, MAX, &line(limit)))
}

/// The kernel takes one line for each write, and keeps what it does not name.
fn line(limit: &IoLimit) -> String {
    let (major, minor) = limit.device;
    let key = match limit.what {
        IoKind::ReadBytes => "rbps",
        IoKind::WrittenBytes => "wbps",
        IoKind::Reads => "riops",
        IoKind::Writes => "wiops",
    };
    format!("{major}:{minor} {key}={}", limit.limit)
}

/// Docker's weight, 10 to 1000, as the kernel's, 1 to 10000, on the straight line that runc draws.
fn weight(docker: u64) -> u64 {
    1 + (docker.clamp(10, 1000) - 10) * 9999 / 990
}

fn write(path: &Path, file: &'static str, value: &str) -> Result<(), CgroupError> {
    let failed = |source| CgroupError::Limit { file, value: value.to_owned(), source: Box::new(source) };
    fs::write(path.join(file), value).map_err(failed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn weights_follow_runcs_line() {
        assert_eq!([10, 500, 1000].map(weight), [1, 4950, 10_000]);
    }

    #[test]
    fn a_device_is_named_by_its_numbers() {
        let of = |what, limit| line(&IoLimit { device: (254, 0), what, limit });
        assert_eq!(of(IoKind::ReadBytes, 1_048_576), "254:0 rbps=1048576");
        assert_eq!(of(IoKind::WrittenBytes, 1), "254:0 wbps=1");
        assert_eq!(of(IoKind::Reads, 2), "254:0 riops=2");
        assert_eq!(of(IoKind::Writes, 3), "254:0 wiops=3");
    }
}
