//! Is there something to boot?

use cove_machine::hypervisor::Check;

use super::{ok, problem};
use crate::{
    image::{GuestImage, VARIABLE},
    rpc::error::chain,
};

const NAME: &str = "image";

pub(super) fn check(image: &GuestImage) -> Check {
    match image.manifest() {
        Ok(manifest) => ok(
            NAME,
            format!("guest image with kernel {} and agent {}", manifest.kernel_release, manifest.agent_version),
        ),
        Err(error) => problem(
            NAME,
            chain(&error),
            format!("Install Cove again, or build an image and name its folder in {VARIABLE}"),
        ),
    }
}

#[cfg(test)]
mod tests {
    use cove_machine::hypervisor::Verdict;

    use super::*;

    #[test]
    fn a_missing_image_is_a_problem_with_a_way_out() {
        let folder = tempfile::tempdir().unwrap();
        let check = check(&GuestImage::in_folder(folder.path().to_owned()));
        assert_eq!(check.verdict, Verdict::Problem);
        assert!(check.finding.contains(folder.path().to_str().unwrap()));
        assert!(check.fix.contains("COVE_VM_IMAGE"));
    }
}
