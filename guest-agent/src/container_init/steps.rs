//! The two lists: what the first process of a container does, and what a further one does, before its program runs.

use std::{
    convert::Infallible,
    os::fd::{AsRawFd, OwnedFd, RawFd},
};

use rustix::{
    fs::{Mode, OFlags},
    process::DumpableBehavior,
    thread::ThreadNameSpaceType,
};

use super::{Newcomer, Step, clocks, identity, program, reaper, streams, sysctls, working_dir};
use crate::{
    init::protocol::ContainerSetup,
    namespaces,
    processes::{
        error::LaunchFailure,
        launch::{Network, SharedMemory},
    },
    rlimits,
    rootfs::{beside, devices, etc, masked_paths, pivot, system},
    sys, user_namespaces,
};

/// The mounts that the agent has prepared for a container.
pub(crate) struct PreparedMounts {
    pub(crate) rootfs: OwnedFd,
    /// What goes to /dev, if the container cannot make it.
    pub(crate) dev: Option<OwnedFd>,
    pub(crate) etc: [OwnedFd; 3],
    pub(crate) beside: Vec<OwnedFd>,
    /// What is at /dev/shm, if others may have it too.
    pub(crate) shared_memory: Option<OwnedFd>,
    /// This program, as the container's init.
    pub(crate) init: Option<OwnedFd>,
}

impl PreparedMounts {
    /// The numbers of the descriptors.
    pub(super) fn numbers(&self) -> impl Iterator<Item = RawFd> {
        let optional = self.dev.iter().chain(&self.shared_memory).chain(&self.init);
        self.etc.iter().chain(&self.beside).chain([&self.rootfs]).chain(optional).map(AsRawFd::as_raw_fd)
    }
}

/// What a container joins: pidfds of the containers whose namespaces it shares; for the network also a namespace that was
/// made ready; its user namespace.
pub(crate) struct JoinedContainers {
    pub(crate) pid: Option<OwnedFd>,
    pub(crate) ipc: Option<OwnedFd>,
    pub(crate) network: Option<OwnedFd>,
    pub(crate) user: Option<OwnedFd>,
}

impl JoinedContainers {
    /// The numbers of the descriptors.
    pub(super) fn numbers(&self) -> impl Iterator<Item = RawFd> {
        [&self.pid, &self.ipc, &self.network, &self.user].into_iter().flatten().map(AsRawFd::as_raw_fd)
    }
}

/// Becomes the first process of a container. It is in new namespaces and in the container's cgroup already.
pub(crate) fn become_container(
    newcomer: Newcomer,
    setup: &ContainerSetup,
    mounts: PreparedMounts,
    joined: &JoinedContainers,
) -> ! {
    let kept = mounts.numbers().chain(joined.numbers()).chain([newcomer.status.as_raw_fd()]).collect();
    match begin(&newcomer, kept) {
        Ok(()) => go_on_as_container(newcomer, setup, mounts, joined),
        Err(failure) => newcomer.give_up(failure),
    }
}

/// The same when the process, or the helper that made it, has begun already.
pub(super) fn go_on_as_container(
    newcomer: Newcomer,
    setup: &ContainerSetup,
    mounts: PreparedMounts,
    joined: &JoinedContainers,
) -> ! {
    let Err(failure) = container(&newcomer, setup, mounts, joined);
    newcomer.give_up(failure)
}

fn container(
    newcomer: &Newcomer,
    setup: &ContainerSetup,
    prepared: PreparedMounts,
    joined: &JoinedContainers,
) -> Result<Infallible, LaunchFailure> {
    new_session()?;
    clocks::set(setup.clocks)?;
    if setup.remapped {
        identity::become_root()?;
    }
    join_namespaces(joined)?;
    if !setup.shared.cgroup {
        sys::clone::unshare_cgroup_namespace().step("make a cgroup namespace")?;
    }
    let root = pivot::stage(prepared.rootfs)?;
    let proc = system::mount_proc(&root)?;
    set_up_network(setup, &proc)?;
    sysctls::set(&proc, &setup.sysctls)?;
    set_up_devices(&root, setup, prepared.dev, prepared.shared_memory)?;
    system::mount_sys(&root, setup.privileged, cgroup_mount(setup))?;
    beside::mount(&root, &setup.mounts, prepared.beside)?;
    etc::mount(&root, prepared.etc, &setup.mounts)?;
    reaper::mount(&root, prepared.init)?;
    masked_paths::hide(&root, &setup.masked_paths)?;
    masked_paths::protect(&root, &setup.read_only_paths)?;
    pivot::pivot(&root)?;
    set_names(setup)?;
    if let Some(terminal) = streams::connect(newcomer)? {
        devices::mount_console(&root, terminal)?;
    }
    working_dir::make(&root, &newcomer.process.working_dir)?;
    if setup.read_only_rootfs {
        pivot::make_read_only()?;
    }
    become_program(newcomer)
}

fn set_up_devices(
    root: &OwnedFd,
    setup: &ContainerSetup,
    dev: Option<OwnedFd>,
    shared_memory: Option<OwnedFd>,
) -> Result<(), LaunchFailure> {
    let memory = memory(setup, shared_memory);
    match dev {
        Some(dev) => {
            devices::mount(root, &dev, memory)?;
            devices::bind(root, &setup.devices)?;
        }
        None => {
            devices::mount(root, &devices::new(setup.privileged)?, memory)?;
            devices::make(root, &setup.devices)?;
        }
    }
    Ok(())
}

/// How it sees cgroups.
fn cgroup_mount(setup: &ContainerSetup) -> system::Cgroups {
    match (setup.remapped && setup.shared.cgroup, setup.writable_cgroups) {
        // Only who rules a namespace may mount what is in it.
        (true, _) => system::Cgroups::Copied,
        (false, writable) => system::Cgroups::Mounted { writable },
    }
}

/// What it is to have at /dev/shm.
fn memory(setup: &ContainerSetup, shared: Option<OwnedFd>) -> devices::Memory {
    match (shared, &setup.shared.memory) {
        (Some(shared), _) => devices::Memory::Shared(shared),
        (None, SharedMemory::Absent) => devices::Memory::Absent,
        (None, _) => devices::Memory::New(setup.shm_bytes),
    }
}

/// The IPC and network namespaces of other containers. The PID namespace was joined before there was this process.
fn join_namespaces(joined: &JoinedContainers) -> Result<(), LaunchFailure> {
    for (container, kind, name) in [
        (&joined.ipc, ThreadNameSpaceType::INTER_PROCESS_COMMUNICATION, "IPC"),
        (&joined.network, ThreadNameSpaceType::NETWORK, "network"),
    ] {
        if let Some(container) = container {
            let step = || format!("join the other container's {name} namespace");
            namespaces::join_one(container, kind).step(step())?;
        }
    }
    Ok(())
}

/// Becomes a further process of a container. It is in the container's namespaces and cgroup already.
pub(super) fn become_exec(newcomer: &Newcomer, remapped: bool) -> Result<Infallible, LaunchFailure> {
    new_session()?;
    if remapped {
        identity::become_root()?;
    }
    streams::connect(newcomer)?;
    become_program(newcomer)
}

/// What both have in common, from here on in the container.
fn become_program(newcomer: &Newcomer) -> Result<Infallible, LaunchFailure> {
    let process = &newcomer.process;
    rlimits::set(&process.rlimits).map_err(refused_limit)?;
    let user = identity::find(&process.user, &process.groups)?;
    streams::give_to(&user)?;
    identity::bound(newcomer)?;
    let entered = working_dir::enter(&process.working_dir);
    identity::become_user(newcomer, &user)?;
    if entered.is_err() {
        // A folder that only its owner may enter: root without DAC_OVERRIDE could not, the user can.
        working_dir::enter(&process.working_dir)?;
    }
    let program = program::find(&process.args[0], &process.env)?;
    rustix::process::umask(Mode::from_raw_mode(0o022));
    identity::confine(newcomer)?;
    program::execute(&program, newcomer, &user)
}

/// First of all, still as the guest's root: what is open from now on is what this process needs.
pub(super) fn begin(newcomer: &Newcomer, mut kept: Vec<i32>) -> Result<(), LaunchFailure> {
    kept.extend(newcomer.streams.numbers());
    // Until execve nobody in the container may look into it or act through it, as runc has it, too.
    rustix::process::set_dumpable_behavior(DumpableBehavior::NotDumpable).step("hide from debuggers")?;
    sys::descriptors::close_all_but(&kept).step("close descriptors")?;
    sys::execute::reset_signals();
    set_oom_score(newcomer.process.oom_score_adj)
}

/// What only the guest's root may give to one that becomes another: limits above its own, and pipes.
pub(super) fn begin_remapped(newcomer: &Newcomer) -> Result<(), LaunchFailure> {
    rlimits::raise(&newcomer.process.rlimits).map_err(refused_limit)?;
    newcomer.streams.give_to(user_namespaces::ROOT).step("give the standard streams to the container's root")
}

fn refused_limit((name, errno): (String, rustix::io::Errno)) -> LaunchFailure {
    let step = format!("error setting rlimits for ready process: set {name}");
    LaunchFailure::Step { step, errno: errno.raw_os_error() }
}

fn new_session() -> Result<(), LaunchFailure> {
    rustix::process::setsid().step("make a session")?;
    // Nothing is taken away from the modes of what is made for the container.
    rustix::process::umask(Mode::empty());
    sys::keys::new_session_keyring().step("make a session keyring")
}

/// Loopback, and what containers may do in a network of their own.
fn set_up_network(setup: &ContainerSetup, proc: &OwnedFd) -> Result<(), LaunchFailure> {
    if setup.network != Network::Loopback {
        return Ok(());
    }
    sys::loopback::bring_up().step("bring up loopback")?;
    let groups = if setup.remapped { user_namespaces::GROUPS } else { namespaces::ALL_GROUPS };
    namespaces::own_network(&groups)
        .iter()
        .try_for_each(|(parameter, value)| write(proc, &format!("sys/{parameter}"), value))
}

fn set_names(setup: &ContainerSetup) -> Result<(), LaunchFailure> {
    if setup.shared.uts {
        return Ok(());
    }
    rustix::system::sethostname(setup.hostname.as_bytes()).step("sethostname")?;
    if setup.domainname.is_empty() {
        return Ok(());
    }
    rustix::system::setdomainname(setup.domainname.as_bytes()).step("setdomainname")
}

/// Through the guest's /proc, which no container has replaced.
fn set_oom_score(adjustment: i32) -> Result<(), LaunchFailure> {
    const PATH: &str = "/proc/self/oom_score_adj";
    match adjustment {
        0 => Ok(()),
        adjustment => std::fs::write(PATH, adjustment.to_string()).step(format!("write {PATH}")),
    }
}

fn write(proc: &OwnedFd, path: &str, value: &str) -> Result<(), LaunchFailure> {
    let write = || -> Result<(), rustix::io::Errno> {
        let file = rustix::fs::openat(proc, path, OFlags::WRONLY | OFlags::CLOEXEC, Mode::empty())?;
        rustix::io::write(file, value.as_bytes()).map(drop)
    };
    write().step(format!("write /proc/{path}"))
}

/// Joins what cannot be joined before the process is in its cgroup.
pub(super) fn join_cgroup_namespace(container: &OwnedFd) -> Result<(), LaunchFailure> {
    namespaces::join_cgroup_namespace(container).step("join the cgroup namespace")
}
