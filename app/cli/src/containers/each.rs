//! Doing the same with several containers: each is named when it is done, and one that cannot be done with does not keep
//! the others from it.

use tonic::Status;

use crate::{
    failure::{Failure, Outcome},
    output,
};

/// Does something with each container; fails at the end if it failed with one.
pub(super) async fn each(containers: Vec<String>, mut act: impl AsyncFnMut(String) -> Result<(), Status>) -> Outcome {
    let mut exit_code = 0;
    for container in containers {
        match act(container.clone()).await {
            Ok(()) => output::text(&format!("{container}\n"))?,
            Err(status) => {
                output::aside(&format!("cove: {}", Failure::from(status)));
                exit_code = 1;
            }
        }
    }
    Ok(exit_code)
}
