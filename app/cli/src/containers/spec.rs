//! The options of `cove run` and what they mean to the engine.

use cove_proto::v1::{ContainerSpec, DeviceMapping, LogConfig, Mount, Resources, SeccompProfile, Security, StringList};

use super::{
    life::Life,
    mounts,
    ports::{self, Published},
};
use crate::{quantities, terminal};

/// What surrounds a program, of a new container as of an exec.
#[derive(Debug, clap::Args)]
pub(super) struct Setting {
    /// Set an environment variable: NAME=VALUE, or NAME to take it from here.
    #[arg(short, long, value_name = "NAME[=VALUE]")]
    env: Vec<String>,
    /// Folder to start in.
    #[arg(short, long, value_name = "FOLDER", default_value = "", hide_default_value = true)]
    pub(super) workdir: String,
    /// User to run as: a name or an id, optionally ":" and a group.
    #[arg(short, long, default_value = "", hide_default_value = true)]
    pub(super) user: String,
}

impl Setting {
    /// The environment. `variable` looks up a variable of this program.
    pub(super) fn environment(&self, variable: impl Fn(&str) -> Option<String>) -> Vec<String> {
        self.env.iter().filter_map(|entry| environment(entry, &variable)).collect()
    }
}

/// What to make: docker's options under docker's names.
#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    #[command(flatten)]
    setting: Setting,
    /// Most memory it may use: 64m, 1g.
    #[arg(short, long, value_name = "BYTES", value_parser = quantities::bytes)]
    memory: Option<i64>,
    /// Most CPUs it may use: 0.5, 2.
    #[arg(long, value_name = "NUMBER", value_parser = quantities::nano_cpus)]
    cpus: Option<i64>,
    /// Most processes and threads it may have.
    #[arg(long, value_name = "NUMBER")]
    pids_limit: Option<i64>,
    /// Its host name.
    #[arg(long, value_name = "NAME", default_value = "", hide_default_value = true)]
    hostname: String,
    /// Program to run instead of the image's.
    #[arg(long, value_name = "PROGRAM")]
    entrypoint: Option<String>,
    /// Network: its name, "none", "host" (the machine's, not this computer's) or "container:NAME".
    #[arg(long, value_name = "NETWORK", default_value = "", hide_default_value = true)]
    network: String,
    /// Port of this computer that leads to one of it: [[ADDRESS:]PORT:]PORT[/udp].
    #[arg(short, long, value_name = "PORTS", value_parser = ports::published)]
    publish: Vec<Published>,
    /// Give each port that its image exposes one of this computer.
    #[arg(short = 'P', long)]
    publish_all: bool,
    /// Set a label: NAME=VALUE.
    #[arg(short, long, value_name = "NAME[=VALUE]")]
    label: Vec<String>,
    /// Where its output goes: json-file, local or none.
    #[arg(long, value_name = "DRIVER", default_value = "", hide_default_value = true)]
    log_driver: String,
    /// Option for that: max-size=10m, max-file=3.
    #[arg(long, value_name = "NAME=VALUE")]
    log_opt: Vec<String>,
    /// Capability to add.
    #[arg(long, value_name = "NAME")]
    cap_add: Vec<String>,
    /// Capability to drop.
    #[arg(long, value_name = "NAME")]
    cap_drop: Vec<String>,
    /// May do in the machine whatever the machine can. Still nothing on this computer.
    #[arg(long)]
    privileged: bool,
    /// The root file system cannot be written to.
    #[arg(long)]
    read_only: bool,
    #[command(flatten)]
    life: Life,
    /// Volume, or folder of this computer, to mount: NAME:/PATH or FOLDER:/PATH, with ":ro" read-only; /PATH alone for a
    /// volume without a name.
    #[arg(short, long, value_name = "VOLUME", value_parser = mounts::volume)]
    volume: Vec<Mount>,
    /// Memory to mount: /PATH, or /PATH:size=64m,mode=700.
    #[arg(long, value_name = "PATH", value_parser = mounts::tmpfs)]
    tmpfs: Vec<Mount>,
    /// Container whose volumes to mount as well; with ":ro" read-only.
    #[arg(long, value_name = "CONTAINER")]
    volumes_from: Vec<String>,
    /// Give it an init that reaps what its program leaves behind.
    #[arg(long)]
    init: bool,
    /// Processes it sees: "host" (the machine's) or "container:NAME".
    #[arg(long, value_name = "PROCESSES", default_value = "", hide_default_value = true)]
    pid: String,
    /// Inter-process communication: "none", "shareable", "host" (the machine's) or "container:NAME".
    #[arg(long, value_name = "IPC", default_value = "", hide_default_value = true)]
    ipc: String,
    /// Group to add to the user's: a name or an id.
    #[arg(long, value_name = "GROUP")]
    group_add: Vec<String>,
    /// Kernel parameter to set in it: NAME=VALUE.
    #[arg(long, value_name = "NAME=VALUE")]
    sysctl: Vec<String>,
    /// Name for an address: NAME:ADDRESS.
    #[arg(long, value_name = "NAME:ADDRESS")]
    add_host: Vec<String>,
    /// Name server to ask.
    #[arg(long, value_name = "ADDRESS")]
    dns: Vec<String>,
    /// Device of the machine to give it: PATH[:PATH[:rwm]].
    #[arg(long, value_name = "PATH", value_parser = device)]
    device: Vec<DeviceMapping>,
    /// Signal that asks it to stop.
    #[arg(long, value_name = "SIGNAL", default_value = "", hide_default_value = true)]
    stop_signal: String,
    /// Seconds between that signal and SIGKILL.
    #[arg(long, value_name = "SECONDS", allow_hyphen_values = true)]
    stop_timeout: Option<i32>,
}

/// How it is connected to this terminal.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Streams {
    /// Standard input stays open.
    pub(crate) stdin: bool,
    /// The streams are a terminal.
    pub(crate) tty: bool,
    /// Somebody is attached.
    pub(crate) attached: bool,
}

impl Options {
    /// The specification. `variable` looks up an environment variable of this program.
    pub(crate) fn into_spec(
        self,
        image: String,
        command: Vec<String>,
        streams: Streams,
        auto_remove: bool,
        variable: impl Fn(&str) -> Option<String>,
    ) -> ContainerSpec {
        ContainerSpec {
            image,
            mounts: self.volume.into_iter().chain(self.tmpfs).collect(),
            volumes_from: self.volumes_from,
            entrypoint: self.entrypoint.map(entrypoint),
            cmd: (!command.is_empty()).then_some(StringList { values: command }),
            env: self.setting.environment(variable),
            working_dir: self.setting.workdir,
            user: self.setting.user,
            hostname: self.hostname,
            tty: streams.tty,
            open_stdin: streams.stdin,
            stdin_once: streams.stdin && streams.attached,
            labels: self.label.into_iter().map(label).collect(),
            restart_policy: self.life.restart,
            healthcheck: self.life.healthcheck(),
            stop_signal: self.stop_signal,
            stop_timeout_seconds: self.stop_timeout,
            auto_remove,
            network_mode: self.network,
            port_bindings: self.publish.into_iter().flat_map(|published| published.0).collect(),
            publish_all_ports: self.publish_all,
            log_config: log_config(self.log_driver, self.log_opt),
            resources: Some(Resources {
                nano_cpus: self.cpus.unwrap_or_default(),
                memory_bytes: self.memory.unwrap_or_default(),
                pids_limit: self.pids_limit.unwrap_or_default(),
                ..Default::default()
            }),
            security: Some(Security {
                privileged: self.privileged,
                cap_add: self.cap_add,
                cap_drop: self.cap_drop,
                seccomp: if self.privileged { SeccompProfile::Unconfined } else { SeccompProfile::Default }.into(),
                read_only_rootfs: self.read_only,
                ..Default::default()
            }),
            init: self.init,
            pid_mode: self.pid,
            ipc_mode: self.ipc,
            group_add: self.group_add,
            sysctls: self.sysctl.into_iter().map(label).collect(),
            extra_hosts: self.add_host,
            dns_servers: self.dns,
            devices: self.device,
            terminal: if streams.tty { terminal::size() } else { None },
            ..Default::default()
        }
    }
}

fn log_config(driver: String, options: Vec<String>) -> Option<LogConfig> {
    let asked = !driver.is_empty() || !options.is_empty();
    asked.then(|| LogConfig { driver, options: options.into_iter().map(label).collect() })
}

/// `--entrypoint ""` takes the image's away.
fn entrypoint(program: String) -> StringList {
    StringList { values: if program.is_empty() { Vec::new() } else { vec![program] } }
}

/// A name alone stands for this program's value, and for nothing if it has none, as docker does.
fn environment(entry: &str, variable: impl Fn(&str) -> Option<String>) -> Option<String> {
    if entry.contains('=') {
        return Some(entry.to_owned());
    }
    variable(entry).map(|value| format!("{entry}={value}"))
}

/// As docker has it: in the container under the same path, with all permissions, unless it is said otherwise.
fn device(text: &str) -> Result<DeviceMapping, &'static str> {
    let mut parts = text.split(':');
    let source = parts.next().unwrap_or_default();
    let (target, permissions) = (parts.next().unwrap_or(source), parts.next().unwrap_or("rwm"));
    let absolute = source.starts_with('/') && target.starts_with('/');
    let known = !permissions.is_empty() && permissions.chars().all(|c| "rwm".contains(c));
    if !absolute || !known || parts.next().is_some() {
        return Err(
            "a device is a path, optionally ':' and its path in the container, ':' and permissions of r, w and m",
        );
    }
    Ok(DeviceMapping { source: source.to_owned(), target: target.to_owned(), permissions: permissions.to_owned() })
}

fn label(entry: String) -> (String, String) {
    match entry.split_once('=') {
        Some((name, value)) => (name.to_owned(), value.to_owned()),
        None => (entry, String::new()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bare_name_takes_this_programs_value_or_none() {
        let variable = |name: &str| (name == "SET").then(|| "1".to_owned());
        assert_eq!(environment("A=b", variable), Some("A=b".into()));
        assert_eq!(environment("SET", variable), Some("SET=1".into()));
        assert_eq!(environment("UNSET", variable), None);
    }

    #[test]
    fn a_device_is_a_path_a_path_and_permissions() {
        let of = |text| device(text).map(|d| [d.source, d.target, d.permissions].join(" "));
        assert_eq!(of("/dev/fuse").unwrap(), "/dev/fuse /dev/fuse rwm");
        assert_eq!(of("/dev/fuse:/dev/x:r").unwrap(), "/dev/fuse /dev/x r");
        for wrong in ["fuse", "/dev/fuse:x", "/dev/fuse:/x:z", "/a:/b:r:/c", ""] {
            assert!(of(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn an_empty_entrypoint_is_not_an_absent_one() {
        assert!(entrypoint(String::new()).values.is_empty());
        assert_eq!(entrypoint("sh".into()).values, ["sh"]);
    }
}
