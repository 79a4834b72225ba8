//! `HyperV`: looks at the host, and makes machines on it.

use std::{io, net::TcpStream, sync::Arc, time::Duration};

use cove_machine::{
    console::Sink,
    hypervisor::{BoxFuture, Check, Hypervisor, HypervisorError, MachineSpec, Platform, Verdict, Vm},
};
use tokio::{sync::mpsc, task::spawn_blocking};

use crate::{
    console::Console,
    fault::{Fault, no_service},
    identity::MachineId,
    machine::{HcsVm, Parts, failed},
    plan::{self, Host, OWNER, document},
    sys::{
        compute::{Compute, Event, System},
        release, socket, user,
    },
};

/// The first build whose direct boot takes an uncompressed kernel (hcsshim requires it for the same).
const FIRST_BUILD: u32 = 18286;

/// How long one try to reach a port may take; whoever dials tries again.
const DIAL_PATIENCE: Duration = Duration::from_secs(2);

/// VMADDR_CID_ANY: Hyper-V's guests are addressed by their id and have no context id.
const NO_CID: u32 = u32::MAX;

/// How a port of a guest is reached.
pub type Dial = fn(MachineId, u32) -> io::Result<TcpStream>;

/// Hyper-V, through the Host Compute Service.
#[derive(Debug, Clone, Copy)]
pub struct HyperV {
    dial: Dial,
}

impl Default for HyperV {
    /// Ports are reached through AF_HYPERV.
    fn default() -> Self {
        Self { dial: |id, port| socket::dial(id, port, DIAL_PATIENCE) }
    }
}

impl HyperV {
    /// Ports are reached in another way: where there are no AF_HYPERV sockets, as under Wine.
    #[must_use]
    pub fn dialling(dial: Dial) -> Self {
        Self { dial }
    }
}

impl Hypervisor for HyperV {
    fn check(&self) -> BoxFuture<'_, Vec<Check>> {
        Box::pin(async {
            spawn_blocking(look).await.unwrap_or_else(|error| vec![no_service(format!("could not look: {error}"))])
        })
    }

    fn start(&self, spec: MachineSpec) -> BoxFuture<'_, Result<Arc<dyn Vm>, HypervisorError>> {
        let dial = self.dial;
        Box::pin(async move { bring_up(spec, dial).await.map(|vm| vm as Arc<dyn Vm>) })
    }
}

/// Every check, in the order in which a person would fix what they say.
fn look() -> Vec<Check> {
    let mut checks = vec![windows()];
    checks.extend(architecture());
    match service() {
        Ok(service) => checks.push(match service.enumerate(OWNER) {
            Ok(_) => fine("hyper-v", "the Host Compute Service answers".to_owned()),
            Err(fault) => about_the_service(&fault),
        }),
        Err(missing) => checks.push(missing),
    }
    checks
}

fn fine(name: &str, finding: String) -> Check {
    Check { name: name.to_owned(), verdict: Verdict::Ok, finding, fix: String::new() }
}

fn windows() -> Check {
    let (verdict, finding) = match release::build() {
        Ok(build) if build < FIRST_BUILD => {
            (Verdict::Problem, format!("this is Windows build {build}, and {FIRST_BUILD} or newer is needed"))
        }
        Ok(build) => return fine("windows", format!("Windows build {build}")),
        Err(error) => (Verdict::Warning, format!("Windows does not say which build it is: {error}")),
    };
    Check { name: "windows".to_owned(), verdict, finding, fix: "update Windows".to_owned() }
}

/// HCS boots Linux kernels directly on x86 alone.
fn architecture() -> Option<Check> {
    cfg!(target_arch = "aarch64").then(|| Check {
        name: "hyper-v.architecture".to_owned(),
        verdict: Verdict::Problem,
        finding: "Cove cannot boot its machine on Windows for Arm yet".to_owned(),
        fix: "run Cove on a computer with an x86 processor".to_owned(),
    })
}

/// A refusal that is not understood is no proof that a machine cannot start.
fn about_the_service(fault: &Fault) -> Check {
    fault.check().unwrap_or_else(|| Check {
        name: "hyper-v".to_owned(),
        verdict: Verdict::Warning,
        finding: format!("{}: {fault}", fault.operation),
        fix: "if the machine does not start, restart Windows".to_owned(),
    })
}

fn service() -> Result<Arc<Compute>, Check> {
    Compute::load().map_err(|error| no_service(format!("this Windows has no Host Compute Service: {error}")))
}

async fn bring_up(spec: MachineSpec, dial: Dial) -> Result<Arc<HcsVm>, HypervisorError> {
    let compute = service().map_err(|check| HypervisorError::Host(vec![check]))?;
    for file in [&spec.kernel, &spec.initramfs, &spec.data_disk] {
        std::fs::metadata(file).map_err(|error| failed(&format!("open {}", file.display()), &error))?;
    }
    let id = MachineId::of(&spec.runtime_dir);
    let user = user::security_identifier().map_err(|error| failed("ask Windows who runs Cove", &error))?;
    let host = Host { id, user };
    let text = plan(&spec, &host)?;
    let sink = Sink::create(spec.console_log.clone()).map_err(|error| failed("make the console log", &error))?;
    let console =
        Console::open(&host.console_pipe(), sink).map_err(|error| failed("make the console's pipe", &error))?;
    let (sender, events) = mpsc::unbounded_channel();
    let made = spawn_blocking(move || make(&compute, id, &spec, &text, sender));
    let system = match made.await {
        Ok(Ok(system)) => system,
        Ok(Err(fault)) => {
            console.finish().await;
            return Err(fault.into());
        }
        Err(error) => return Err(failed("make the machine", &error)),
    };
    Ok(HcsVm::new(Parts { system, events, console }, platform(), id, dial))
}

fn plan(spec: &MachineSpec, host: &Host) -> Result<String, HypervisorError> {
    let document: plan::Document = document(spec, host).map_err(|error| failed("plan the machine", &error))?;
    serde_json::to_string(&document).map_err(|error| failed("plan the machine", &error))
}

/// The steps of a start. Whatever fails, the machine's handle is closed, and with it goes all that was made.
fn make(
    compute: &Arc<Compute>,
    id: MachineId,
    spec: &MachineSpec,
    document: &str,
    events: mpsc::UnboundedSender<Event>,
) -> Result<System, Fault> {
    compute.end_left_behind(id)?;
    for file in [&spec.data_disk, &spec.initramfs] {
        compute.grant(id, file)?;
    }
    if let Err(fault) = compute.grant(id, &spec.kernel) {
        // A kernel in a folder of the system is not ours to change, and is readable to all.
        tracing::debug!(%fault, kernel = %spec.kernel.display(), "left as it is");
    }
    let system = compute.create(id, document, events)?;
    system.start()?;
    Ok(system)
}

fn platform() -> Platform {
    let build = release::build().map(|build| format!(" (Windows build {build})")).unwrap_or_default();
    Platform {
        hypervisor: format!("Hyper-V{build}"),
        accelerator: "hyper-v".to_owned(),
        vsock: "hvsocket".to_owned(),
        cid: NO_CID,
        owner_pid: std::process::id(),
        warnings: Vec::new(),
    }
}
