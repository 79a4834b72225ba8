//! Doing the same with several things: one that cannot be done with does not keep the others from it.

use tonic::Status;

use crate::{
    failure::{Failure, Outcome},
    output,
};

/// Does something with each, and names each that it was done with; fails at the end if it failed with one.
pub(crate) async fn each(names: Vec<String>, mut act: impl AsyncFnMut(String) -> Result<(), Status>) -> Outcome {
    let act = async |name: String| act(name.clone()).await.map(|()| name);
    each_shown(names, act, |name| Ok(output::text(&format!("{name}\n"))?)).await
}

/// The same, and shows each answer in its own way.
pub(crate) async fn each_shown<T>(
    names: Vec<String>,
    mut act: impl AsyncFnMut(String) -> Result<T, Status>,
    mut show: impl FnMut(T) -> Result<(), Failure>,
) -> Outcome {
    let mut exit_code = 0;
    for name in names {
        match act(name).await {
            Ok(answer) => show(answer)?,
            Err(status) => {
                output::aside(&format!("cove: {}", Failure::from(status)));
                exit_code = 1;
            }
        }
    }
    Ok(exit_code)
}
