//! From a container's record to what it takes to start its program.

use std::sync::Arc;

use cove_proto::v1;

use super::{etc, folder::Folder, limits, merge, record::Record, spec::SpecError};
use crate::{
    container_init::reaper,
    processes::launch::{ClockOffsets, ContainerLaunch, EtcFiles, Network, ProcessSpec, Seccomp, Shared, StdioSpec},
    seccomp::custom::Profile,
};

/// Docker's size of /dev/shm.
const SHM_BYTES: u64 = 64 * 1024 * 1024;

/// Paths that Docker hides.
const MASKED_PATHS: [&str; 12] = [
    "/proc/asound",
    "/proc/acpi",
    "/proc/interrupts",
    "/proc/kcore",
    "/proc/keys",
    "/proc/latency_stats",
    "/proc/timer_list",
    "/proc/timer_stats",
    "/proc/sched_debug",
    "/proc/scsi",
    "/sys/firmware",
    "/sys/devices/virtual/powercap",
];

/// Paths that Docker makes read-only.
const READ_ONLY_PATHS: [&str; 5] = ["/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"];

/// Says what Docker's defaults are, so that whoever looks at the container sees what holds for it.
pub(super) fn fill_in_defaults(spec: &mut v1::ContainerSpec, id: &str) {
    if spec.hostname.is_empty() {
        spec.hostname = if spec.network_mode == "host" { guest_hostname() } else { id.chars().take(12).collect() };
    }
    if spec.shm_bytes == 0 {
        spec.shm_bytes = SHM_BYTES;
    }
    let security = spec.security.get_or_insert_default();
    let paths = |paths: &mut Option<v1::StringList>, defaults: &[&str]| {
        let defaults = if security.privileged { &[] } else { defaults };
        paths.get_or_insert_with(|| v1::StringList { values: defaults.iter().map(|p| (*p).to_owned()).collect() });
    };
    paths(&mut security.masked_paths, &MASKED_PATHS);
    paths(&mut security.read_only_paths, &READ_ONLY_PATHS);
}

fn guest_hostname() -> String {
    rustix::system::uname().nodename().to_string_lossy().into_owned()
}

/// What it takes to start a container from these layers, the highest first, but for what it shares and what has to be
/// looked for in the guest.
pub(super) fn container(
    record: &Record,
    folder: &Folder,
    layers: Vec<std::path::PathBuf>,
    etc: EtcFiles,
) -> Result<ContainerLaunch, SpecError> {
    let spec = &record.spec;
    let security = spec.security.clone().unwrap_or_default();
    let values = |list: &Option<v1::StringList>| list.as_ref().map(|list| list.values.clone()).unwrap_or_default();
    Ok(ContainerLaunch {
        id: record.id.clone(),
        layers,
        upper: folder.upper(),
        work: folder.work(),
        hostname: spec.hostname.clone(),
        domainname: spec.domainname.clone(),
        etc,
        network: if spec.network_mode == "host" { Network::Host } else { Network::Loopback },
        cgroup_parent: spec.cgroup_parent.clone(),
        resources: limits::resources(&spec.resources.clone().unwrap_or_default()),
        read_only_rootfs: security.read_only_rootfs,
        masked_paths: values(&security.masked_paths),
        read_only_paths: values(&security.read_only_paths),
        shm_bytes: spec.shm_bytes,
        privileged: security.privileged,
        mounts: Vec::new(),
        namespace: None,
        user_namespace: None,
        clocks: spec.clock_offsets.map(clocks),
        shared: Shared::default(),
        sysctls: Vec::new(),
        init: has_init(spec),
        devices: Vec::new(),
        device_rules: Vec::new(),
        writable_cgroups: security.writable_cgroups.unwrap_or(security.privileged),
        process: first_process(record, &security)?,
    })
}

fn clocks(offsets: v1::ClockOffsets) -> ClockOffsets {
    ClockOffsets { monotonic: offsets.monotonic_seconds, boottime: offsets.boottime_seconds }
}

fn first_process(record: &Record, security: &v1::Security) -> Result<ProcessSpec, SpecError> {
    let spec = &record.spec;
    let mut args = if has_init(spec) { vec![reaper::PATH.to_owned(), "--".to_owned()] } else { Vec::new() };
    args.push(record.path.clone());
    args.extend(record.args.iter().cloned());
    let stdio = if spec.tty {
        terminal(spec.terminal.as_ref())
    } else {
        StdioSpec::Pipes { stdin: spec.open_stdin, stdout: true, stderr: true }
    };
    Ok(ProcessSpec {
        args,
        env: merge::environment(spec, &spec.hostname, spec.tty),
        working_dir: working_dir(&spec.working_dir),
        user: spec.user.clone(),
        groups: spec.group_add.clone(),
        stdio,
        capabilities: limits::capabilities(spec)?,
        no_new_privileges: security.no_new_privileges,
        seccomp: seccomp(security)?,
        rlimits: limits::rlimits(&spec.ulimits),
        oom_score_adj: spec.resources.as_ref().map_or(0, |resources| resources.oom_score_adj),
    })
}

/// With the processes of others, a container has the init of others.
fn has_init(spec: &v1::ContainerSpec) -> bool {
    spec.init && matches!(spec.pid_mode.as_str(), "" | "private")
}

/// A further process of a container.
pub(super) fn further_process(
    record: &Record,
    exec: &v1::ExecSpec,
    size: Option<&v1::TerminalSize>,
) -> Result<ProcessSpec, SpecError> {
    let spec = &record.spec;
    let security = spec.security.clone().unwrap_or_default();
    let or = |own: &String, of_container: &String| if own.is_empty() { of_container.clone() } else { own.clone() };
    let stdio = if exec.tty {
        terminal(size.or(exec.terminal.as_ref()))
    } else {
        StdioSpec::Pipes { stdin: exec.stdin, stdout: exec.stdout, stderr: exec.stderr }
    };
    let privileged = exec.privileged || security.privileged;
    Ok(ProcessSpec {
        args: exec.args.clone(),
        env: merge::override_env(merge::environment(spec, &spec.hostname, exec.tty), &exec.env),
        working_dir: working_dir(&or(&exec.working_dir, &spec.working_dir)),
        user: or(&exec.user, &spec.user),
        groups: spec.group_add.clone(),
        stdio,
        capabilities: if privileged { crate::capabilities::ALL } else { limits::capabilities(spec)? },
        no_new_privileges: security.no_new_privileges,
        seccomp: if privileged { Seccomp::ControlChannelOnly } else { seccomp(&security)? },
        rlimits: limits::rlimits(&spec.ulimits),
        oom_score_adj: spec.resources.as_ref().map_or(0, |resources| resources.oom_score_adj),
    })
}

fn seccomp(security: &v1::Security) -> Result<Seccomp, SpecError> {
    if !security.seccomp_json.is_empty() {
        return Ok(Seccomp::Custom(Arc::new(Profile::parse(&security.seccomp_json)?)));
    }
    let unconfined = security.seccomp() == v1::SeccompProfile::Unconfined;
    Ok(if security.privileged || unconfined { Seccomp::ControlChannelOnly } else { Seccomp::Default })
}

fn terminal(size: Option<&v1::TerminalSize>) -> StdioSpec {
    let short = |value: u32| u16::try_from(value).unwrap_or(u16::MAX);
    let (rows, columns) = size.map_or((0, 0), |size| (short(size.rows), short(size.columns)));
    StdioSpec::Terminal { rows, columns }
}

fn working_dir(asked: &str) -> String {
    if asked.is_empty() { "/".to_owned() } else { asked.to_owned() }
}

/// The files of a container, for those who ask.
pub(super) fn files(folder: &Folder) -> v1::ContainerFiles {
    let shown = |path: std::path::PathBuf| path.to_string_lossy().into_owned();
    let EtcFiles { hostname, hosts, resolv_conf } = etc::files(folder);
    v1::ContainerFiles {
        hostname: shown(hostname),
        hosts: shown(hosts),
        resolv_conf: shown(resolv_conf),
        log: shown(folder.log()),
    }
}
