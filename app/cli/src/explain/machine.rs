//! The way of `docker version` on this very machine, drawn.

use std::time::Duration;

use cove_proto::v1::{GetGuestResponse, GetMachineRequest, GetMachineResponse, MachineState};
use serde::Serialize;

use crate::{
    engine::Engine,
    failure::Outcome,
    machine::state_word,
    output::{self, Format, Paint},
    version::client_platform,
};

#[derive(Serialize)]
struct Way {
    client: Client,
    daemon: Daemon,
    hypervisor: Hypervisor,
    vsock: Vsock,
    guest: Guest,
}

#[derive(Serialize)]
struct Client {
    os: &'static str,
    arch: &'static str,
}

#[derive(Serialize)]
struct Daemon {
    version: String,
    pid: u32,
    docker_endpoint: String,
    engine_endpoint: String,
}

#[derive(Serialize)]
struct Hypervisor {
    name: String,
    accelerator: String,
    helper_pid: u32,
    cpus: u32,
    memory_bytes: u64,
}

#[derive(Serialize)]
struct Vsock {
    carrier: String,
    cid: u32,
    port: u32,
    round_trip_micros: Option<u128>,
}

#[derive(Serialize)]
struct Guest {
    state: &'static str,
    os: &'static str,
    arch: String,
    kernel: String,
    agent_version: String,
    agent_pid: Option<u32>,
    agent_resident_bytes: Option<u64>,
    containers_running: Option<u32>,
}

/// Prints it. A machine that is stopped is explained as it is, and stays stopped.
pub(super) async fn explain(engine: &Engine, format: Format) -> Outcome {
    let machine = engine.machine().get_machine(GetMachineRequest {}).await?.into_inner();
    let runs = machine.status.as_ref().is_some_and(|status| status.state() == MachineState::Running);
    let guest = if runs { engine.guest_if_there().await? } else { None };
    let way = way(machine, guest);
    match format {
        Format::Json => output::json(&way)?,
        Format::Text => output::text(&text(&way, Paint::of_stdout()))?,
    }
    Ok(0)
}

fn way(machine: GetMachineResponse, guest: Option<GetGuestResponse>) -> Way {
    let (os, arch) = client_platform();
    let host = machine.host.unwrap_or_default();
    let hardware = machine.hardware.unwrap_or_default();
    let transport = machine.transport.unwrap_or_default();
    let image = machine.image.unwrap_or_default();
    let round_trip = transport.agent_round_trip.and_then(|trip| Duration::try_from(trip).ok());
    Way {
        client: Client { os, arch },
        daemon: Daemon {
            version: host.daemon_version,
            pid: host.daemon_pid,
            docker_endpoint: host.docker_endpoint,
            engine_endpoint: host.engine_endpoint,
        },
        hypervisor: Hypervisor {
            name: hardware.hypervisor,
            accelerator: hardware.accelerator,
            helper_pid: transport.helper_pid,
            cpus: hardware.cpus,
            memory_bytes: hardware.memory_bytes,
        },
        vsock: Vsock {
            carrier: transport.vsock,
            cid: transport.cid,
            port: transport.agent_port,
            round_trip_micros: round_trip.map(|trip| trip.as_micros()).filter(|micros| *micros > 0),
        },
        guest: Guest {
            state: state_word(machine.status.map_or(MachineState::Unspecified, |status| status.state())),
            os: "linux",
            arch: image.arch,
            kernel: guest.as_ref().map_or(image.kernel_release, |guest| guest.kernel_release.clone()),
            agent_version: guest.as_ref().map_or(image.agent_version, |guest| guest.agent_version.clone()),
            agent_pid: guest.as_ref().map(|guest| guest.agent_pid),
            agent_resident_bytes: guest.as_ref().map(|guest| guest.agent_resident_bytes),
            containers_running: guest.and_then(|guest| guest.containers).map(|counts| counts.running + counts.paused),
        },
    }
}

/// A drawing: stations on one line, from this computer down into the machine.
struct Drawing {
    paint: Paint,
    text: String,
}

impl Drawing {
    fn station(&mut self, name: &str, what: &str, role: &str) {
        let name = self.paint.strong(&format!("{name:<12}"));
        self.text.push_str(&format!("  {} {name} {what:<44} {}\n", self.paint.line("●"), self.paint.faint(role)));
    }

    fn link(&mut self, what: &str, facts: &str) {
        let what = self.paint.faint(&format!("{what:<11}"));
        let line = format!("  {}     {what}{facts}", self.paint.line("│"));
        self.text.push_str(line.trim_end());
        self.text.push('\n');
    }

    fn arrow(&mut self) {
        self.text.push_str(&format!("  {}\n", self.paint.line("▼")));
    }

    fn border(&mut self, label: &str) {
        let line = format!("──┼── {label} {}", "─".repeat(60_usize.saturating_sub(label.chars().count())));
        self.text.push_str(&format!("{}\n", self.paint.line(&line)));
    }
}

fn text(way: &Way, paint: Paint) -> String {
    let heading = paint.strong("The way of `docker version` on this computer");
    let mut drawing = Drawing { paint, text: format!("{heading}\n\n") };
    this_computer(way, &mut drawing);
    drawing.border("below this line: a Linux of its own");
    guest_half(way, &mut drawing);
    let Client { os, arch } = way.client;
    drawing.text.push_str(&format!(
        "\nSo docker prints  Client: {os}/{arch}  and  Server: linux/{}: two programs, two kernels.\n",
        way.guest.arch
    ));
    if way.guest.containers_running.is_some_and(|running| running > 0) {
        drawing.text.push_str("What a container shares and what it does not: cove explain CONTAINER\n");
    }
    drawing.text
}

fn this_computer(way: &Way, drawing: &mut Drawing) {
    drawing.station("docker", &format!("{}/{}", way.client.os, way.client.arch), "a client; so are cove and scripts");
    drawing.link("HTTP", &way.daemon.docker_endpoint);
    drawing.link("gRPC", &format!("{} (cove)", way.daemon.engine_endpoint));
    drawing.link("who may", "only you: the kernel is asked for each caller's user id");
    drawing.arrow();
    drawing.station(
        "coved",
        &format!("{}, pid {}", way.daemon.version, way.daemon.pid),
        "the daemon: translates, forwards",
    );
    let helper = &way.hypervisor;
    if helper.helper_pid == 0 {
        return;
    }
    drawing.link("", "");
    drawing.station("helper", &format!("pid {}", helper.helper_pid), "owns the virtual machine, outlives coved");
    drawing.link("", "");
    let has = format!("{}, {}", output::cpus(helper.cpus), output::bytes(helper.memory_bytes));
    drawing.station(&helper.name, &format!("{}; {has}", helper.accelerator), "the hypervisor");
    drawing.link("vsock", &format!("CID {}, port {} (by {})", way.vsock.cid, way.vsock.port, way.vsock.carrier));
    drawing.link("proof", "both ends know the secret of this boot, or hang up");
    if let Some(micros) = way.vsock.round_trip_micros.and_then(|micros| u64::try_from(micros).ok()) {
        drawing.link("round trip", &output::seconds(Duration::from_micros(micros)));
    }
}

fn guest_half(way: &Way, drawing: &mut Drawing) {
    let guest = &way.guest;
    let Some(pid) = guest.agent_pid else {
        drawing.station("Linux", &guest.kernel, &format!("the kernel: {}; it starts when it is needed", guest.state));
        return;
    };
    drawing.arrow();
    drawing.station(
        "Linux",
        &format!("{}, {}/{}", guest.kernel, guest.os, guest.arch),
        "the kernel of every container",
    );
    drawing.link("", "");
    let resident = guest.agent_resident_bytes.map(output::bytes).unwrap_or_default();
    drawing.station(
        "cove-guest",
        &format!("{}, pid {pid}, {resident}", guest.agent_version),
        "the agent: the engine itself",
    );
    drawing.link("", "");
    drawing.station(
        "containers",
        &format!("{} running", guest.containers_running.unwrap_or_default()),
        "processes of that kernel",
    );
}

#[cfg(test)]
mod tests {
    use cove_proto::v1::{GuestImage, HostInfo, MachineHardware, MachineStatus, MachineTransport};

    use super::*;

    fn machine(state: MachineState) -> GetMachineResponse {
        GetMachineResponse {
            status: Some(MachineStatus { state: state.into(), ..Default::default() }),
            hardware: Some(MachineHardware {
                hypervisor: "QEMU 10.0.2".into(),
                accelerator: "tcg".into(),
                cpus: 2,
                memory_bytes: 1 << 30,
                ..Default::default()
            }),
            transport: Some(MachineTransport { cid: 4, agent_port: 1024, helper_pid: 77, ..Default::default() }),
            host: Some(HostInfo { daemon_version: "0.1.0".into(), daemon_pid: 76, ..Default::default() }),
            image: Some(GuestImage { kernel_release: "6.12".into(), arch: "amd64".into(), ..Default::default() }),
        }
    }

    #[test]
    fn every_station_is_on_the_way() {
        let guest = GetGuestResponse { kernel_release: "6.12".into(), agent_pid: 2, ..Default::default() };
        let text = text(&way(machine(MachineState::Running), Some(guest)), Paint::plain());
        let stations = ["docker ", "coved ", "pid 77", "QEMU 10.0.2", "CID 4, port 1024", "6.12, linux/amd64", "pid 2"];
        let mut rest = text.as_str();
        for station in stations {
            let at = rest.find(station).unwrap_or_else(|| panic!("{station} is missing or out of order in\n{text}"));
            rest = &rest[at..];
        }
    }

    #[test]
    fn a_stopped_machine_is_said_to_be_stopped() {
        let text = text(&way(machine(MachineState::Stopped), None), Paint::plain());
        assert!(text.contains("the kernel: stopped; it starts when it is needed"), "{text}");
    }
}
