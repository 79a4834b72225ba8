//! The daemon's side: starts helpers and finds those that are there.

use std::{
    fs::{File, OpenOptions},
    io,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::Arc,
};

use cove_machine::hypervisor::{Adopt, Adoption, BoxFuture, Check, Exit, Hypervisor, HypervisorError, MachineSpec, Vm};
use cove_platform::process::detach;
use tokio::{io::BufReader, process::Child};

use super::{
    HelperError, backend,
    files::Files,
    protocol::{Started, receive},
    vm::{HelperVm, failed},
};

/// Machines in helper processes.
#[derive(Debug, Clone)]
pub struct HelperHypervisor {
    program: PathBuf,
}

impl HelperHypervisor {
    /// The helper is `program machine --spec FILE`.
    #[must_use]
    pub fn new(program: PathBuf) -> Self {
        Self { program }
    }

    async fn bring_up(&self, spec: MachineSpec) -> Result<Arc<dyn Vm>, HypervisorError> {
        let files = Files::of(&spec.runtime_dir);
        if HelperVm::reach(files.clone()).await.is_ok() {
            let cause = format!("one runs already in {}", spec.runtime_dir.display());
            return Err(failed("start a machine", &cause));
        }
        files.clear().and_then(|()| files.write_spec(&spec)).map_err(|e| failed("start a machine", &chain(&e)))?;
        let log = spec.console_log.with_file_name("helper.log");
        let mut helper = self.spawn(&files.spec(), &log).map_err(|e| failed("start the machine's helper", &e))?;
        let started = match helper.stdout.take() {
            // Buffered: after its one line the helper says nothing.
            Some(stdout) => receive::<Started>(&mut BufReader::new(stdout)).await,
            None => Err(io::ErrorKind::BrokenPipe.into()),
        };
        match started {
            Ok(Ok(_)) => {
                reap(helper);
                let vm = HelperVm::reach(files).await.map_err(|e| failed("reach the machine's helper", &e))?;
                Ok(vm)
            }
            Ok(Err(error)) => {
                // It cleans up and ends; the place is free afterwards.
                helper.wait().await.map_err(|e| failed("wait for the machine's helper", &e))?;
                Err(error)
            }
            Err(_) => Err(silent(helper, &log).await),
        }
    }

    fn spawn(&self, spec: &Path, log: &Path) -> io::Result<Child> {
        let log = open_log(log)?;
        let mut command = Command::new(&self.program);
        command.arg("machine").arg("--spec").arg(spec);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(log);
        detach(&mut command);
        tokio::process::Command::from(command).spawn()
    }

    async fn find(&self, runtime_dir: &Path) -> Result<Adoption, HelperError> {
        let files = Files::of(runtime_dir);
        if let Ok(vm) = HelperVm::reach(files.clone()).await {
            return Ok(Adoption::Living(vm));
        }
        let helper = files.read_identity()?;
        if let Some(helper) = &helper {
            helper.end().await.map_err(|source| HelperError::File {
                what: "end the helper of",
                path: runtime_dir.to_owned(),
                source,
            })?;
        }
        let exit = files.take_exit()?;
        files.clear()?;
        Ok(match (exit, helper) {
            (Some(exit), _) => Adoption::Ended(exit),
            (None, Some(_)) => Adoption::Ended(Exit::VmmDied("the helper process died or did not answer".to_owned())),
            (None, None) => Adoption::Nothing,
        })
    }
}

impl Hypervisor for HelperHypervisor {
    fn check(&self) -> BoxFuture<'_, Vec<Check>> {
        Box::pin(async { backend::hypervisor().check().await })
    }

    fn start(&self, spec: MachineSpec) -> BoxFuture<'_, Result<Arc<dyn Vm>, HypervisorError>> {
        Box::pin(self.bring_up(spec))
    }
}

impl Adopt for HelperHypervisor {
    fn adopt(&self, runtime_dir: PathBuf) -> BoxFuture<'_, Result<Adoption, HypervisorError>> {
        Box::pin(async move {
            self.find(&runtime_dir).await.map_err(|e| failed("look for the machine of an earlier daemon", &chain(&e)))
        })
    }
}

/// Its log of this start; what an earlier one said is of no use any more.
fn open_log(path: &Path) -> io::Result<File> {
    OpenOptions::new().create(true).write(true).truncate(true).open(path)
}

/// A child that nobody waits for stays as a zombie.
fn reap(mut helper: Child) {
    tokio::spawn(async move {
        match helper.wait().await {
            Ok(status) => tracing::debug!(%status, "the machine's helper has ended"),
            Err(error) => tracing::warn!(%error, "could not wait for the machine's helper"),
        }
    });
}

/// A helper that ended before it could say why has told its log.
async fn silent(mut helper: Child, log: &Path) -> HypervisorError {
    let status = match helper.wait().await {
        Ok(status) => status.to_string(),
        Err(error) => error.to_string(),
    };
    let said = tokio::fs::read_to_string(log).await.unwrap_or_default();
    let last = said.lines().last().unwrap_or("it said nothing");
    failed("start the machine's helper", &format!("{status}: {last}"))
}

fn chain(error: &HelperError) -> String {
    let mut text = error.to_string();
    let mut source = std::error::Error::source(error);
    while let Some(error) = source {
        text.push_str(&format!(": {error}"));
        source = error.source();
    }
    text
}
