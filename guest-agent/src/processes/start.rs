//! From a launch to a request: what the agent prepares, so that PID 1 and the process itself look nothing up.

use std::{
    os::fd::{AsFd, BorrowedFd, OwnedFd},
    path::Path,
};

use rustix::io::Errno;

use super::{
    beside,
    connection::Processes,
    error::{LaunchError, LaunchFailure},
    launch::{ContainerLaunch, ExecLaunch, ProcessSpec, Shared},
    process::{Kind, Process},
    shared_memory,
};
use crate::{
    cgroups,
    container_init::reaper,
    init::protocol::{ContainerSetup, ExecSetup, Setup, StartRequest},
    namespaces::OwnNamespaces,
    rootfs::{devices, mounts, overlay},
};

impl Processes {
    /// Starts a container, and answers when its program has been executed.
    ///
    /// # Errors
    /// When it was not; nothing is left behind then but the writable layer.
    pub async fn start_container(&self, launch: ContainerLaunch) -> Result<Process, LaunchError> {
        check(&launch.process)?;
        let id = launch.id.clone();
        let started = self.start_in_new_cgroup(launch).await;
        if started.is_err() {
            shared_memory::forget(&id);
            if let Err(error) = cgroups::remove(&id).await {
                tracing::warn!(container = %id, %error, "the cgroup of a failed start stays behind");
            }
        }
        started
    }

    async fn start_in_new_cgroup(&self, launch: ContainerLaunch) -> Result<Process, LaunchError> {
        let filter = self.filters.get(&launch.process.seccomp, launch.process.capabilities);
        let mut joined = self.joined(&launch.shared).await?;
        if let Some(namespace) = &launch.namespace {
            // In the place of another container's.
            joined.push(namespace.try_clone().map_err(LaunchError::Control)?);
        }
        if let Some(namespace) = &launch.user_namespace {
            joined.push(namespace.try_clone().map_err(LaunchError::Control)?);
        }
        // Files and cgroups are quick, but they are files.
        let prepared =
            tokio::task::spawn_blocking(move || prepare(launch, joined)).await.map_err(|_| LaunchError::Gone)??;
        let (id, setup, process, descriptors) = prepared;
        let setup = Setup::Container(Box::new(setup));
        self.connection.start(StartRequest { sequence: 0, id, setup, process, filter }, descriptors).await
    }

    /// The first processes of the containers whose namespaces are to be shared, in the order in which they are sent.
    async fn joined(&self, shared: &Shared) -> Result<Vec<OwnedFd>, LaunchError> {
        let mut pidfds = Vec::new();
        for id in shared.containers() {
            let process = self.connection.find(id).await.filter(|process| process.exited().is_none());
            let process = process.ok_or_else(|| LaunchError::NotRunning { container_id: id.to_owned() })?;
            pidfds.push(process.pidfd().try_clone().map_err(LaunchError::Control)?);
        }
        Ok(pidfds)
    }

    /// Starts a further process in a container that runs, and answers when its program has been executed.
    ///
    /// # Errors
    /// When it was not.
    pub async fn start_exec(&self, launch: ExecLaunch) -> Result<Process, LaunchError> {
        check(&launch.process)?;
        let not_running = || LaunchError::NotRunning { container_id: launch.container_id.clone() };
        let container = self.connection.find(&launch.container_id).await.ok_or_else(not_running)?;
        if container.exited().is_some() || !matches!(container.kind(), Kind::Container) {
            return Err(not_running());
        }
        let cgroup = cgroups::open(&launch.container_id)?;
        match self.start_exec_in(&launch, &container, cgroup).await {
            // The container has handed controllers down (an init system, an engine of its own): processes may then be in
            // the leaves only. runc, too, joins the leaf that the first process is in.
            Err(LaunchError::Process(LaunchFailure::Step { errno, .. })) if errno == Errno::BUSY.raw_os_error() => {
                let leaf = cgroups::open_of_process(container.pid())?;
                self.start_exec_in(&launch, &container, leaf).await
            }
            Err(_) if container.exited().is_some() => Err(not_running()),
            started => started,
        }
    }

    async fn start_exec_in(
        &self,
        launch: &ExecLaunch,
        container: &Process,
        cgroup: OwnedFd,
    ) -> Result<Process, LaunchError> {
        let pidfd = container.pidfd().try_clone().map_err(LaunchError::Control)?;
        let ended = |_| LaunchError::NotRunning { container_id: launch.container_id.clone() };
        let own = OwnNamespaces::of_process(container.pid()).map_err(ended)?;
        let request = StartRequest {
            sequence: 0,
            id: launch.id.clone(),
            setup: Setup::Exec(ExecSetup { container_id: launch.container_id.clone(), own }),
            filter: self.filters.get(&launch.process.seccomp, launch.process.capabilities),
            process: launch.process.clone(),
        };
        self.connection.start(request, vec![cgroup, pidfd]).await
    }
}

type Prepared = (String, ContainerSetup, ProcessSpec, Vec<OwnedFd>);

/// Makes what only a name is given of: the cgroup with its limits in force, the root file system, the files of /etc.
fn prepare(launch: ContainerLaunch, joined: Vec<OwnedFd>) -> Result<Prepared, LaunchError> {
    let devices = (!launch.privileged).then_some(launch.device_rules.as_slice());
    let cgroup = cgroups::create(&launch.id, &launch.cgroup_parent, &launch.resources, devices)?;
    let user_namespace = launch.user_namespace.as_deref().map(AsFd::as_fd);
    let rootfs = overlay::mount(&launch.layers, &launch.upper, &launch.work, user_namespace)?;
    let mut descriptors = vec![cgroup, rootfs];
    for path in [&launch.etc.hostname, &launch.etc.hosts, &launch.etc.resolv_conf] {
        descriptors.push(detached(path, user_namespace)?);
    }
    descriptors.extend(joined);
    if let Some(user_namespace) = user_namespace {
        // Only the guest's root can make devices.
        descriptors.push(devices::remapped(&launch.devices, user_namespace).map_err(LaunchFailure::from)?);
    }
    let memory = shared_memory::prepare(&launch.id, &launch.shared.memory, launch.shm_bytes, user_namespace);
    descriptors.extend(memory.map_err(|source| LaunchError::Rootfs { what: "share /dev/shm".into(), source })?);
    if launch.init {
        descriptors.push(reaper::prepare().map_err(|errno| LaunchError::Init(errno.into()))?);
    }
    let mut mounts = Vec::with_capacity(launch.mounts.len());
    for mount in launch.mounts {
        let (setup, descriptor) = beside::prepare(mount, user_namespace)?;
        mounts.push(setup);
        descriptors.push(descriptor);
    }
    let setup = ContainerSetup {
        mounts,
        hostname: launch.hostname,
        domainname: launch.domainname,
        network: launch.network,
        read_only_rootfs: launch.read_only_rootfs,
        masked_paths: launch.masked_paths,
        read_only_paths: launch.read_only_paths,
        shm_bytes: launch.shm_bytes,
        privileged: launch.privileged,
        writable_cgroups: launch.writable_cgroups,
        remapped: launch.user_namespace.is_some(),
        clocks: launch.clocks,
        shared: launch.shared,
        sysctls: launch.sysctls,
        init: launch.init,
        devices: launch.devices,
    };
    Ok((launch.id, setup, launch.process, descriptors))
}

fn detached(path: &Path, user_namespace: Option<BorrowedFd<'_>>) -> Result<OwnedFd, LaunchError> {
    let open = || -> Result<OwnedFd, Errno> {
        let file = rustix::fs::open(path, rustix::fs::OFlags::PATH | rustix::fs::OFlags::CLOEXEC, 0.into())?;
        let copy = mounts::detached_copy(file.as_fd())?;
        mounts::map_owners(&copy, user_namespace)?;
        Ok(copy)
    };
    open().map_err(|errno| LaunchError::EtcFile { path: path.to_owned(), source: errno.into() })
}

/// The kernel takes no string with a NUL byte, and a process needs a program.
fn check(process: &ProcessSpec) -> Result<(), LaunchError> {
    if process.args.first().is_none_or(String::is_empty) {
        return Err(LaunchError::NoProgram);
    }
    let nul = |texts: &[String]| texts.iter().any(|text| text.contains('\0'));
    for (what, found) in [
        ("an argument", nul(&process.args)),
        ("an environment variable", nul(&process.env)),
        ("the working directory", process.working_dir.contains('\0')),
        ("the user", process.user.contains('\0')),
        ("a group", nul(&process.groups)),
    ] {
        if found {
            return Err(LaunchError::Nul { what });
        }
    }
    Ok(())
}
