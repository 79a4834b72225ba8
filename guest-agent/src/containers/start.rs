//! Starting a container: its record says so and its program runs, or neither.

use std::sync::{Arc, atomic::Ordering};

use super::{
    Containers, ContainersError, Engine,
    actor::{Actor, Command, Life, Running},
    blocking, devices, etc, launch,
    links::{self, Linked},
    log, mounts, namespaces,
    program::Program,
    record::{Phase, Record},
    restart_policy::Restarts,
    sysctls,
    user_namespaces::{self, Chosen},
};
use crate::{
    networks::{Attached, Owner, Questions, Sandbox},
    processes::{
        LaunchError,
        error::LaunchFailure,
        launch::{ContainerLaunch, Network},
    },
};

/// What dockerd and runc put before the reason, in the order in which they pass it on.
const BEFORE_REASON: &str = "failed to create task for container: failed to create shim task: OCI runtime create failed: \
    runc create failed: unable to start container process: error during container init: ";

impl Containers {
    /// Starts a container; says whether it ran already.
    ///
    /// # Errors
    /// If it cannot be started; the record then says why.
    pub async fn start(&self, container: &str) -> Result<bool, ContainersError> {
        self.find(container)?.ask(Command::Start).await
    }
}

impl Actor {
    pub(super) async fn start(&mut self) -> (Result<bool, ContainersError>, Life) {
        if self.running.as_ref().is_some_and(|running| running.paused) {
            return (Err(ContainersError::StartPaused), Life::Goes);
        }
        if self.running.is_some() || self.restart_at.is_some() {
            return (Ok(true), Life::Goes);
        }
        if matches!(self.record.state.phase, Phase::Removing | Phase::Dead) {
            return (Err(ContainersError::MarkedForRemoval), Life::Goes);
        }
        if self.engine.shutting_down.load(Ordering::SeqCst) {
            return (Err(ContainersError::ShuttingDown), Life::Goes);
        }
        self.restarts = Restarts::default();
        self.record.restart_count = 0;
        match self.launch().await {
            Ok(program) => {
                self.started(program);
                (Ok(false), Life::Goes)
            }
            Err(failed) => {
                let life = self.failed_to_start(&failed).await;
                (Err(failed.error), life)
            }
        }
    }

    /// Starts the program and, meanwhile, writes down that it starts.
    pub(super) async fn launch(&mut self) -> Result<Arc<dyn Program>, Failed> {
        // Who looks at the files of a container that does not run has them to himself.
        let _starting = Arc::clone(&self.idle).write_owned().await;
        let (engine, record) = (Arc::clone(&self.engine), self.record.clone());
        let opened = mounts::open(&engine, &record).await?;
        let prepared = blocking(move || {
            let prepared = prepare(&engine, &record, &opened);
            if prepared.is_err() {
                engine.shares.close(&record.id);
            }
            prepared
        });
        let started = match prepared.await {
            Ok((launch, sandbox)) => {
                namespaces::started(&mut self.record.spec, &sandbox);
                let started = match self.publish_ports().await {
                    Ok(()) => self.start_prepared(launch).await,
                    Err(error) => Err(error.into()),
                };
                if started.is_err() {
                    self.leave_mounts().await;
                }
                started
            }
            Err(error) => Err(error.into()),
        };
        if started.is_err() {
            self.engine.networks.unpublish(&self.record.id).await;
            self.engine.networks.detach(&self.record.id);
        }
        started
    }

    async fn start_prepared(&mut self, launch: ContainerLaunch) -> Result<Arc<dyn Program>, Failed> {
        let before = self.record.state.clone();
        self.record.state.phase = Phase::Starting { boot: self.engine.boot.clone() };
        let (saved, started) = tokio::join!(self.save(), self.engine.launcher.start_container(launch));
        self.record.state = before;
        match (saved, started) {
            (Ok(()), Ok(program)) => Ok(program),
            (Err(error), Ok(program)) => {
                give_up(&*program).await;
                Err(error.into())
            }
            (_, Err(error)) => Err(error.into()),
        }
    }

    pub(super) fn started(&mut self, program: Arc<dyn Program>) {
        let state = &mut self.record.state;
        state.phase = Phase::Running { boot: self.engine.boot.clone() };
        state.started_at = program.started_at_nanos();
        (state.exit_code, state.oom_killed, state.finished_at) = (0, false, 0);
        state.error.clear();
        self.running = Some(Running::new(program, &self.log));
        self.engine.images.set_running(&self.record.id, true);
        self.reset_health();
        self.watch_for_oom();
        self.publish();
        let had = self.engine.networks.sandbox(&self.record.id).unwrap_or_default();
        self.tell_networks("connect", &had);
        self.tell("start");
    }

    /// What it saw beside its root file system it sees no more.
    pub(super) async fn leave_mounts(&self) {
        if self.record.spec.mounts.is_empty() {
            return;
        }
        let (engine, record) = (Arc::clone(&self.engine), self.record.clone());
        let left = blocking(move || {
            mounts::stopped(&engine, &record);
            engine.shares.close(&record.id);
            Ok(())
        });
        // It fails when the agent ends, and then the next one sees who runs.
        let _ = left.await;
    }

    pub(super) async fn failed_to_start(&mut self, failed: &Failed) -> Life {
        let state = &mut self.record.state;
        if state.phase == Phase::Restarting {
            state.phase = Phase::Idle;
        }
        state.exit_code = failed.exit_code;
        state.error = chain(&failed.error);
        self.end_log(Self::now()).await;
        if let Err(error) = self.save().await {
            tracing::error!(container = %self.record.id, error = &error as &dyn std::error::Error,
                "a failed start cannot be written down");
        }
        self.publish();
        if !self.record.spec.auto_remove || self.restarting.load(Ordering::SeqCst) > 0 {
            return Life::Goes;
        }
        match self.remove(true).await {
            Ok(()) => Life::Ended,
            Err(error) => {
                tracing::warn!(container = %self.record.id, error = &error as &dyn std::error::Error,
                    "a container that could not start cannot be removed");
                Life::Goes
            }
        }
    }
}

/// Why a start failed.
pub(super) struct Failed {
    pub(super) error: ContainersError,
    exit_code: i32,
}

impl From<ContainersError> for Failed {
    fn from(error: ContainersError) -> Self {
        Self { error, exit_code: 128 }
    }
}

impl From<LaunchError> for Failed {
    fn from(error: LaunchError) -> Self {
        let exit_code = error.exit_code();
        let reason = chain(&error);
        let error = match error {
            // dockerd looks users up itself, and says nothing before.
            LaunchError::Process(
                LaunchFailure::UnknownUser { .. } | LaunchFailure::UnknownGroup { .. } | LaunchFailure::IdOutOfRange,
            ) => ContainersError::Program(reason),
            // Nor before what it says of mounts, which it prepares itself.
            LaunchError::Mount { .. } | LaunchError::Escape { .. } => ContainersError::Program(reason),
            LaunchError::Process(_) | LaunchError::NoProgram | LaunchError::Nul { .. } => {
                ContainersError::Program(format!("{BEFORE_REASON}{reason}: unknown"))
            }
            _ => ContainersError::Start(format!("{BEFORE_REASON}{reason}: unknown")),
        };
        Self { error, exit_code }
    }
}

/// An error and what caused it, in one line.
pub(crate) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text = format!("{text}: {cause}");
        source = cause.source();
    }
    text
}

/// What it takes to start it, and what it has of networks then.
fn prepare(
    engine: &Engine,
    record: &Record,
    opened: &mounts::Opened,
) -> Result<(ContainerLaunch, Sandbox), ContainersError> {
    log::check(record)?;
    let image = engine.images.held(&record.id)?;
    let folder = engine.folders.of(&record.id);
    let (network, shared) = namespaces::shared(engine, record)?;
    let Chosen { user, network: of_user } = user_namespaces::choose(engine, record, &shared)?;
    let linked = links::of(engine, record)?;
    let (sandbox, namespace) = match &shared.network {
        Some(_) => (Sandbox::default(), None),
        None => {
            let wanted = namespaces::attachments(&record.spec);
            let Attached { sandbox, namespace } = engine.networks.attach(owner(record), wanted, of_user)?;
            (sandbox, namespace)
        }
    };
    let etc = match &shared.network {
        Some(donor) => etc::files(&engine.folders.of(donor)),
        None => {
            let lines: String = linked.iter().map(Linked::hosts_line).collect();
            etc::write(&folder, &record.spec, &sandbox, &lines)?
        }
    };
    let mut launch = launch::container(record, &folder, image.layers, etc)?;
    launch.process.env = links::environment(&linked, &record.name, std::mem::take(&mut launch.process.env));
    (launch.network, launch.shared) = (network, shared);
    if let Some(namespace) = namespace {
        (launch.network, launch.namespace) = (Network::Ready, Some(namespace));
    }
    launch.user_namespace = user.map(Arc::new);
    launch.sysctls = sysctls::parameters(&record.spec).map_err(ContainersError::Sysctl)?;
    (launch.devices, launch.device_rules) = devices::of(&record.spec)?;
    launch.resources.io = devices::io(&record.spec.resources.clone().unwrap_or_default())?;
    launch.mounts = mounts::launches(engine, record, opened)?;
    mounts::started(engine, record)?;
    Ok((launch, sandbox))
}

/// Who is put on networks.
pub(super) fn owner(record: &Record) -> Owner<'_> {
    let questions = Questions { servers: &record.spec.dns_servers, options: &record.spec.dns_options };
    Owner { id: &record.id, name: &record.name, hostname: &record.spec.hostname, questions }
}

/// Ends a program that started although it may not.
async fn give_up(program: &dyn Program) {
    program.kill_all();
    program.wait().await;
    if let Err(error) = program.release().await {
        tracing::warn!(%error, "a start that was given up leaves something behind");
    }
}
