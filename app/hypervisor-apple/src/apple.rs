//! The hypervisor: looks at the host and starts machines.

use std::{fmt::Display, os::fd::OwnedFd, path::Path, sync::Arc};

use cove_machine::{
    console::{Sign, Sink, keep},
    hypervisor::{BoxFuture, Check, Hypervisor, HypervisorError, MachineSpec, Platform, Vm},
};
use tokio::{
    net::unix::pipe,
    sync::mpsc::{UnboundedReceiver, unbounded_channel},
    task::JoinHandle,
};

use crate::{
    kernel_image::{self, Cpu},
    machine::{AppleVm, Parts},
    plan::plan,
    vz::{VirtualMachine, facts, failure::failed},
};

/// The guest's context id. VZ has none to choose or to ask for: each machine is a world of its own, and its guests see
/// themselves as the first id that is not reserved.
const CID: u32 = 3;

/// Virtualization.framework as a hypervisor. Its machines end with this process.
#[derive(Debug, Clone, Copy, Default)]
pub struct Apple;

impl Apple {
    async fn bring_up(spec: MachineSpec) -> Result<Arc<dyn Vm>, HypervisorError> {
        let host = facts::find();
        none(host.problems())?;
        none(facts::limits().problems(&spec))?;
        look_at_files(&spec)?;
        let sink = Sink::create(spec.console_log.clone()).map_err(|e| failed("make the console log", &e))?;
        let (reader, writer) = std::io::pipe().map_err(|e| failed("make a pipe", &e))?;
        let (tell, stops) = unbounded_channel();
        let machine = VirtualMachine::create(plan(&spec, Cpu::of_this_host()), OwnedFd::from(writer), tell).await?;
        let (console, signs) = keep_console(reader.into(), sink)?;
        machine.start().await?;
        let platform = Platform {
            hypervisor: format!("Virtualization.framework (macOS {})", host.version()),
            accelerator: "hvf".to_owned(),
            vsock: "virtualization.framework".to_owned(),
            cid: CID,
            owner_pid: std::process::id(),
            warnings: Vec::new(),
        };
        Ok(AppleVm::new(Parts { machine, stops, signs, console }, platform))
    }
}

impl Hypervisor for Apple {
    fn check(&self) -> BoxFuture<'_, Vec<Check>> {
        Box::pin(async { facts::find().checks() })
    }

    fn start(&self, spec: MachineSpec) -> BoxFuture<'_, Result<Arc<dyn Vm>, HypervisorError>> {
        Box::pin(Self::bring_up(spec))
    }
}

fn none(problems: Vec<Check>) -> Result<(), HypervisorError> {
    if problems.is_empty() { Ok(()) } else { Err(HypervisorError::Host(problems)) }
}

/// VZ's own words for a file that is missing name no file.
fn look_at_files(spec: &MachineSpec) -> Result<(), HypervisorError> {
    let open = |path: &Path, error: &dyn Display| failed(&format!("open {}", path.display()), error);
    for path in [&spec.initramfs, &spec.data_disk] {
        std::fs::metadata(path).map_err(|e| open(path, &e))?;
    }
    match kernel_image::look(&spec.kernel, Cpu::of_this_host()).map_err(|e| open(&spec.kernel, &e))? {
        None => Ok(()),
        Some(problem) => Err(HypervisorError::Host(vec![problem])),
    }
}

/// Writes the console to its log; the signs that it shows come out of the channel.
fn keep_console(reader: OwnedFd, sink: Sink) -> Result<(JoinHandle<()>, UnboundedReceiver<Sign>), HypervisorError> {
    let reader = pipe::Receiver::from_owned_fd(reader).map_err(|e| failed("read the console", &e))?;
    let (tell, signs) = unbounded_channel();
    let keeping = keep(reader, sink, move |sign| {
        tell.send(sign).ok();
    });
    Ok((tokio::spawn(keeping), signs))
}
