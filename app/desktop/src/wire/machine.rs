//! The machine and the checks of its host.

use cove_proto::v1::{self, GetMachineResponse};
use serde::Serialize;

use super::{time, word};

/// `Machine` of bridge.ts.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct Machine {
    /// Where its life stands.
    pub(crate) status: MachineStatus,
    hardware: Hardware,
    transport: Transport,
    host: Host,
    image: Image,
}

/// `MachineStatus` of bridge.ts.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct MachineStatus {
    /// "stopped", "starting", ...
    pub(crate) state: String,
    /// "prepare", "vmm", ...
    pub(crate) phase: String,
    /// Up to three lines: what, why, what to do.
    pub(crate) failure: String,
    console_tail: String,
    since: Option<String>,
    revision: u64,
    last_exit: String,
    warnings: Vec<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
struct Hardware {
    cpus: u32,
    memory_bytes: u64,
    disk_bytes: u64,
    disk_used_bytes: u64,
    hypervisor: String,
    accelerator: String,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
struct Transport {
    vsock: String,
    cid: u32,
    agent_port: u32,
    helper_pid: u32,
    agent_round_trip_micros: f64,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
struct Host {
    os: String,
    arch: String,
    daemon_version: String,
    daemon_pid: u32,
    engine_endpoint: String,
    docker_endpoint: String,
    home: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
struct Image {
    kernel_release: String,
    arch: String,
    agent_version: String,
    digest: String,
}

impl Machine {
    /// Warns where the daemon is of another version than the window.
    pub(crate) fn seen_by(mut self, window: &str) -> Self {
        let daemon = &self.host.daemon_version;
        if daemon != window {
            let warning = format!(
                "The engine is {daemon} and this window is {window}. What one of them does not know does not work; \
                 to run the engine of this window: cove stop --daemon"
            );
            self.status.warnings.push(warning);
        }
        self
    }
}

impl From<GetMachineResponse> for Machine {
    fn from(machine: GetMachineResponse) -> Self {
        let v1::MachineHardware { cpus, memory_bytes, disk_bytes, disk_used_bytes, hypervisor, accelerator } =
            machine.hardware.unwrap_or_default();
        let v1::HostInfo { os, arch, daemon_version, daemon_pid, engine_endpoint, docker_endpoint, home } =
            machine.host.unwrap_or_default();
        Self {
            status: machine.status.unwrap_or_default().into(),
            hardware: Hardware { cpus, memory_bytes, disk_bytes, disk_used_bytes, hypervisor, accelerator },
            transport: machine.transport.unwrap_or_default().into(),
            host: Host { os, arch, daemon_version, daemon_pid, engine_endpoint, docker_endpoint, home },
            image: machine.image.unwrap_or_default().into(),
        }
    }
}

impl From<v1::MachineStatus> for MachineStatus {
    fn from(status: v1::MachineStatus) -> Self {
        Self {
            state: word(status.state().as_str_name(), "MACHINE_STATE_"),
            phase: word(status.phase().as_str_name(), "START_PHASE_"),
            last_exit: word(status.last_exit().as_str_name(), "EXIT_CLASS_"),
            since: time(status.since),
            failure: status.failure,
            console_tail: status.console_tail,
            revision: status.revision,
            warnings: status.warnings,
        }
    }
}

impl From<v1::MachineTransport> for Transport {
    fn from(transport: v1::MachineTransport) -> Self {
        let round_trip = transport.agent_round_trip.and_then(|time| std::time::Duration::try_from(time).ok());
        Self {
            vsock: transport.vsock,
            cid: transport.cid,
            agent_port: transport.agent_port,
            helper_pid: transport.helper_pid,
            agent_round_trip_micros: round_trip.map_or(0.0, |time| time.as_secs_f64() * 1e6),
        }
    }
}

impl From<v1::GuestImage> for Image {
    fn from(image: v1::GuestImage) -> Self {
        let v1::GuestImage { kernel_release, arch, agent_version, digest } = image;
        Self { kernel_release, arch, agent_version, digest }
    }
}

/// `HostCheck` of bridge.ts.
#[derive(Debug, Serialize)]
pub(crate) struct HostCheck {
    name: String,
    verdict: String,
    finding: String,
    fix: String,
}

impl From<v1::HostCheck> for HostCheck {
    fn from(check: v1::HostCheck) -> Self {
        let verdict = word(check.verdict().as_str_name(), "HOST_CHECK_VERDICT_");
        let v1::HostCheck { name, finding, fix, .. } = check;
        Self { name, verdict, finding, fix }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_gets_words_for_enums_and_camel_case_names() {
        let status = v1::MachineStatus {
            state: v1::MachineState::Starting.into(),
            phase: v1::StartPhase::Kernel.into(),
            revision: 7,
            ..Default::default()
        };
        let machine = Machine::from(GetMachineResponse { status: Some(status), ..Default::default() });
        let json = serde_json::to_value(machine).unwrap();
        assert_eq!(json["status"]["state"], "starting");
        assert_eq!(json["status"]["phase"], "kernel");
        assert_eq!(json["status"]["lastExit"], "unspecified");
        assert_eq!(json["transport"]["agentRoundTripMicros"], 0.0);
        assert_eq!(json["host"]["dockerEndpoint"], "");
    }

    #[test]
    fn a_daemon_of_another_version_is_warned_of_and_one_of_the_same_is_not() {
        let host = v1::HostInfo { daemon_version: "0.1.0".to_owned(), ..Default::default() };
        let machine = Machine::from(GetMachineResponse { host: Some(host), ..Default::default() });
        assert_eq!(machine.clone().seen_by("0.1.0").status.warnings, Vec::<String>::new());
        let warned = machine.seen_by("0.2.0").status.warnings;
        assert!(warned[0].contains("engine is 0.1.0") && warned[0].contains("cove stop --daemon"), "{warned:?}");
    }
}
