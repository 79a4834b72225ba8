//! A daemon from its parts, from lock to stop.
//!
//! ```text
//! lock → machine (adopt what an earlier daemon left) → sockets → serve …
//! … SIGTERM → sockets gone, no starts → machine stopped in order → connections end → lock given back
//! ```
//!
//! A daemon that is asked to stop stops its machine. One that is killed leaves it running, for the next to adopt.

use std::{io, path::PathBuf, sync::Arc};

use cove_gateway::{egress::SettingsError, way_out::WayOut};
use cove_machine::{
    Deadlines, HostResources, Machine, MachineConfig, StopError, StopOptions,
    hypervisor::{Adopt, Hypervisor},
};
use cove_platform::{
    home::{self, Home, HomeError},
    local::{BindError, LocalListener},
    lock::{InstanceLock, LockError},
};
use cove_registry::{Patience, Proxies, Registries, Surroundings};
use tokio::{sync::watch, task::JoinSet};

use crate::{
    agent::{Agent, clock},
    helper,
    image::GuestImage,
    requests::{self, DockerRelay},
    router::{self, forward::Forwarder, methods::Methods, readiness::Readiness},
    rpc::{egress::EgressRpc, error::chain, machine::MachineRpc, registry::RegistryRpc, shares::SharesRpc},
    serve::{self, Ending},
    shares::{grants::Grants, serve as shared_folders},
    transfers::Transfers,
};

/// Name of the file of the settings of the way out, in the home.
const EGRESS: &str = "egress.json";
/// Name of the file of the registries' settings, in the home.
const REGISTRIES: &str = "registries.json";

/// Name of the file of the folders that are shared with containers, in the home.
const SHARES: &str = "shares.json";

/// What a daemon is made of.
pub struct Parts {
    /// This user's Cove.
    pub home: Home,
    /// What the machine boots.
    pub image: GuestImage,
    /// What it runs on.
    pub hypervisor: Arc<dyn Adopt>,
    /// What the host has.
    pub host: HostResources,
    /// How long each step of a start and a stop may take.
    pub deadlines: Deadlines,
    /// Where docker keeps what registries need to know.
    pub surroundings: Surroundings,
}

/// Why a daemon did not come up.
#[derive(Debug, thiserror::Error)]
pub enum DaemonError {
    /// Its folder is unfit.
    #[error(transparent)]
    Home(#[from] HomeError),
    /// Another one runs.
    #[error(transparent)]
    Lock(#[from] LockError),
    /// An endpoint cannot be listened on.
    #[error(transparent)]
    Bind(#[from] BindError),
    /// What the user denies is not known.
    #[error(transparent)]
    WayOut(#[from] SettingsError),
    /// The descriptors that were compiled in cannot be read.
    #[error("read the descriptors of cove.v1")]
    Methods(#[from] prost::DecodeError),
    /// The same, as reflection says it.
    #[error("serve the descriptors of cove.v1")]
    Reflection(#[from] tonic_reflection::server::Error),
}

/// What the host has.
///
/// # Errors
/// If the system does not say.
pub fn host_resources() -> io::Result<HostResources> {
    let cpus = std::thread::available_parallelism()?;
    Ok(HostResources {
        cpus: u32::try_from(cpus.get()).unwrap_or(u32::MAX),
        memory_bytes: cove_platform::memory::total_bytes()?,
    })
}

/// Where this user's docker keeps its configuration and certificates: `$DOCKER_CONFIG`, else `~/.docker`, and for
/// certificates the computer's own place besides.
#[must_use]
pub fn surroundings() -> Surroundings {
    let named = std::env::var_os("DOCKER_CONFIG").filter(|value| !value.is_empty()).map(PathBuf::from);
    let docker_folder = named.or_else(|| Some(home::user_folder()?.join(".docker"))).unwrap_or_default();
    let certificates = vec![docker_folder.join("certs.d"), PathBuf::from("/etc/docker/certs.d")];
    let proxies = Proxies::of_environment(|name| std::env::var(name).ok());
    Surroundings { docker_folder, certificates, proxies }
}

/// Below which folders anything may be shared with containers unless the user says otherwise: the user's own, and those
/// for temporary files.
fn share_roots() -> Vec<PathBuf> {
    let temporary = [std::env::temp_dir(), PathBuf::from("/tmp"), PathBuf::from("/var/folders")];
    let mut roots: Vec<PathBuf> = home::user_folder().into_iter().chain(temporary).collect();
    roots.retain(|root| root.is_absolute() && root.is_dir());
    roots.dedup();
    roots
}

/// A daemon that serves.
pub struct Daemon {
    machine: Machine,
    closing: watch::Sender<bool>,
    leaving: watch::Sender<bool>,
    serving: JoinSet<()>,
    _kept: [AbortOnDrop; 3],
    /// Last, so that it is given back last.
    _lock: InstanceLock,
}

impl Daemon {
    /// Takes the lock, finds what an earlier daemon left, and serves.
    ///
    /// # Errors
    /// If another daemon runs, or the folder or an endpoint cannot be used.
    pub async fn start(parts: Parts) -> Result<Self, DaemonError> {
        let Parts { home, image, hypervisor, host, deadlines, surroundings } = parts;
        home.prepare()?;
        let lock = InstanceLock::take(&home.lock())?;
        let agent = Agent::new();
        let config = machine_config(&home, &image, host, deadlines);
        let machine = Machine::new(config, hypervisor.clone(), agent.clone());
        adopt(machine.clone());
        let clock = AbortOnDrop(tokio::spawn(clock::keep(machine.clone(), agent.clone())));
        let grants = Grants::open(home.path().join(SHARES), share_roots());
        let grants = Arc::new(grants.with_docker_socket(home.docker_endpoint().path().to_owned()));
        let folders = shared_folders::keep(machine.clone(), agent.clone(), Arc::clone(&grants));
        let folders = AbortOnDrop(tokio::spawn(folders));

        let way_out = WayOut::open(home.path().join(EGRESS))?;
        let (closing, closing_seen) = watch::channel(false);
        let (leaving, leaving_seen) = watch::channel(false);
        let readiness = Readiness::new(machine.clone(), image.clone(), closing_seen.clone());
        let methods = Methods::read()?;
        let forwarder = Arc::new(Forwarder::new(readiness.clone(), agent.clone(), methods.clone()));
        let registries = Registries::new(surroundings, Patience::default());
        let settings = home.path().join(REGISTRIES);
        let transfers = Transfers::new(registries, Arc::clone(&forwarder), image.clone(), settings);
        let registry = RegistryRpc { transfers, changing: tokio::sync::Mutex::default() };
        let hypervisor: Arc<dyn Hypervisor> = hypervisor;
        let rpc = MachineRpc {
            machine: machine.clone(),
            readiness,
            hypervisor,
            agent: agent.clone(),
            image,
            home: home.clone(),
            host,
            changing: tokio::sync::Mutex::default(),
        };
        let egress = EgressRpc { egress: way_out.egress().clone(), changing: tokio::sync::Mutex::default() };
        let shares = SharesRpc { grants: Arc::clone(&grants) };
        let routes = router::routes(rpc, registry, egress, shares, &methods, forwarder).await?;
        let api = serve::docker::api(routes.clone());
        let docker_relay = DockerRelay::new(grants, api.clone());
        let requests = requests::serve(machine.clone(), agent, way_out, docker_relay);
        let requests = AbortOnDrop(tokio::spawn(requests));

        let engine = LocalListener::bind(&home.engine_endpoint())?;
        let docker = LocalListener::bind(&home.docker_endpoint())?;
        tracing::info!(engine = %engine.endpoint(), docker = %docker.endpoint(), "serving");
        let ending = Ending { closing: closing_seen, leaving: leaving_seen };
        let mut serving = JoinSet::new();
        serving.spawn(serve::accept(engine, ending.clone(), move |stream, ending| {
            serve::engine::connection(stream, routes.clone(), ending)
        }));
        serving.spawn(serve::accept(docker, ending, move |stream, _| serve::docker::connection(stream, api.clone())));
        Ok(Self { machine, closing, leaving, serving, _kept: [clock, requests, folders], _lock: lock })
    }

    /// The machine.
    #[must_use]
    pub fn machine(&self) -> &Machine {
        &self.machine
    }

    /// Stops in order; once `hurry` answers, the machine is ended by force.
    ///
    /// # Errors
    /// If not even force ends the machine. Everything else is stopped nevertheless.
    pub async fn stop(mut self, hurry: impl Future<Output = ()>) -> Result<(), StopError> {
        self.closing.send_replace(true);
        let stopped = tokio::select! {
            stopped = self.machine.stop(StopOptions::default()) => stopped,
            () = hurry => self.machine.stop(StopOptions { grace: None, force: true }).await,
        };
        self.leaving.send_replace(true);
        while self.serving.join_next().await.is_some() {}
        stopped.map(drop)
    }
}

fn machine_config(home: &Home, image: &GuestImage, host: HostResources, deadlines: Deadlines) -> MachineConfig {
    MachineConfig {
        runtime_dir: home.run().join("machine"),
        kernel: image.kernel(),
        initramfs: image.initramfs(),
        kernel_arguments: Vec::new(),
        data_disk: home.machine().join(helper::DATA_DISK),
        console_log: home.machine().join("console.log"),
        settings: home.machine().join("settings.json"),
        host,
        secret_guest_path: cove_proto::boot_secret::GUEST_PATH.to_owned(),
        settings_guest_path: cove_proto::boot_settings::GUEST_PATH.to_owned(),
        deadlines,
    }
}

/// Takes over what an earlier daemon left. The request is made before this returns, so that no client's comes first;
/// nobody has to wait for its outcome, because starts and stops queue behind it.
fn adopt(machine: Machine) {
    let mut adopting = Box::pin(async move {
        match machine.adopt().await {
            Ok(Some(_)) => tracing::info!("took over the machine that an earlier coved started"),
            Ok(None) => {}
            Err(error) => tracing::warn!(error = chain(&error), "could not take over an earlier coved's machine"),
        }
    });
    let mut context = std::task::Context::from_waker(std::task::Waker::noop());
    if adopting.as_mut().poll(&mut context).is_pending() {
        tokio::spawn(adopting);
    }
}

/// A task that ends with its owner.
struct AbortOnDrop(tokio::task::JoinHandle<()>);

impl Drop for AbortOnDrop {
    fn drop(&mut self) {
        self.0.abort();
    }
}
