//! Is there room for what containers write?

use cove_machine::hypervisor::Check;
use cove_platform::{disk::free_bytes, home::Home};

use super::{ok, problem, warning};

const NAME: &str = "disk.space";
const GIB: u64 = 1 << 30;
/// Below this an image or two fill the disk.
const COMFORTABLE: u64 = 10 * GIB;

pub(super) fn check(home: &Home) -> Check {
    let path = home.path().display();
    match free_bytes(home.path()) {
        Err(error) => problem(
            NAME,
            format!("the free space of {path} cannot be read: {error}"),
            "Check the path and the disk it is on".to_owned(),
        ),
        Ok(bytes) => rate(bytes, &path.to_string()),
    }
}

fn rate(bytes: u64, path: &str) -> Check {
    // Tenths without floating point.
    let gib = format!("{}.{}", bytes / GIB, bytes % GIB * 10 / GIB);
    let finding = format!("{gib} GiB are free on the disk of {path}");
    if bytes >= COMFORTABLE {
        ok(NAME, finding)
    } else if bytes >= GIB {
        warning(NAME, finding, "Free some space: images and containers take room as they are used".to_owned())
    } else {
        problem(NAME, finding, "Free at least 1 GiB, or set COVE_HOME to a folder on another disk".to_owned())
    }
}

#[cfg(test)]
mod tests {
    use cove_machine::hypervisor::Verdict;

    use super::*;

    #[test]
    fn little_is_a_warning_and_nothing_a_problem() {
        let verdict = |bytes| rate(bytes, "/home").verdict;
        assert_eq!(verdict(100 * GIB), Verdict::Ok);
        assert_eq!(verdict(5 * GIB), Verdict::Warning);
        assert_eq!(verdict(GIB / 2), Verdict::Problem);
        assert_eq!(rate(5 * GIB + GIB / 2, "/home").finding, "5.5 GiB are free on the disk of /home");
    }
}
