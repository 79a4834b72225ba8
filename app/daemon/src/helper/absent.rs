//! A host for which there is no hypervisor yet: the daemon runs and says so.

use std::{path::PathBuf, sync::Arc};

use cove_machine::hypervisor::{
    Adopt, Adoption, BoxFuture, Check, Hypervisor, HypervisorError, MachineSpec, Verdict, Vm,
};

use super::{Arguments, HelperError};

/// The hypervisor that is not there.
#[derive(Debug, Clone)]
pub struct HelperHypervisor;

impl HelperHypervisor {
    /// Takes what the others take.
    #[must_use]
    pub fn new(_program: PathBuf) -> Self {
        Self
    }
}

fn missing() -> Check {
    Check {
        name: "hypervisor".to_owned(),
        verdict: Verdict::Problem,
        finding: format!("Cove has no hypervisor for {} yet", std::env::consts::OS),
        fix: "Run Cove on a Linux host".to_owned(),
    }
}

impl Hypervisor for HelperHypervisor {
    fn check(&self) -> BoxFuture<'_, Vec<Check>> {
        Box::pin(async { vec![missing()] })
    }

    fn start(&self, _: MachineSpec) -> BoxFuture<'_, Result<Arc<dyn Vm>, HypervisorError>> {
        Box::pin(async { Err(HypervisorError::Host(vec![missing()])) })
    }
}

impl Adopt for HelperHypervisor {
    fn adopt(&self, _: PathBuf) -> BoxFuture<'_, Result<Adoption, HypervisorError>> {
        Box::pin(async { Ok(Adoption::Nothing) })
    }
}

/// The helper of such a host.
///
/// # Errors
/// Always: [`HypervisorError::Host`].
pub fn run(_: Arguments) -> Result<(), HelperError> {
    Err(HypervisorError::Host(vec![missing()]).into())
}
