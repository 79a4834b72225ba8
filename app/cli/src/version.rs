//! `cove version`: both halves, laid out as `docker version` does.

use std::env::consts;

use cove_proto::v1::{GetMachineRequest, GetMachineResponse, MachineState};
use serde::Serialize;

use crate::{
    engine::{self, Engine},
    failure::Outcome,
    machine::state_word,
    output::{self, Format, Paint},
};

#[derive(Serialize)]
struct Versions {
    client: Client,
    server: Option<Server>,
}

#[derive(Serialize)]
struct Client {
    version: &'static str,
    os: &'static str,
    arch: &'static str,
}

#[derive(Serialize)]
struct Server {
    daemon_version: String,
    daemon_os: String,
    daemon_arch: String,
    agent_version: String,
    os: &'static str,
    arch: String,
    kernel: String,
    hypervisor: String,
    machine: &'static str,
}

/// Prints them. Exit code 1, as docker's, when no daemon runs; a machine that is stopped is known all the same.
pub(crate) async fn run(format: Format) -> Outcome {
    let home = engine::home()?;
    let server = match Engine::find(&home).await? {
        Some(engine) => Some(server(engine.machine().get_machine(GetMachineRequest {}).await?.into_inner())),
        None => None,
    };
    let versions = Versions { client: client(), server };
    match format {
        Format::Json => output::json(&versions)?,
        Format::Text => output::text(&text(&versions, Paint::of_stdout()))?,
    }
    if versions.server.is_none() && format == Format::Text {
        output::aside("cove: the daemon is not running\n      start it: cove start");
    }
    Ok(u8::from(versions.server.is_none()))
}

/// This program, in Go's words as docker prints them.
pub(crate) fn client_platform() -> (&'static str, &'static str) {
    let os = if consts::OS == "macos" { "darwin" } else { consts::OS };
    let arch = match consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        other => other,
    };
    (os, arch)
}

fn client() -> Client {
    let (os, arch) = client_platform();
    Client { version: env!("CARGO_PKG_VERSION"), os, arch }
}

fn server(machine: GetMachineResponse) -> Server {
    let host = machine.host.unwrap_or_default();
    let image = machine.image.unwrap_or_default();
    let hardware = machine.hardware.unwrap_or_default();
    let state = machine.status.map_or(MachineState::Unspecified, |status| status.state());
    Server {
        daemon_version: host.daemon_version,
        daemon_os: host.os,
        daemon_arch: host.arch,
        agent_version: image.agent_version,
        // The half that runs containers is on Linux whatever this computer is: that is the point.
        os: "linux",
        arch: image.arch,
        kernel: image.kernel_release,
        hypervisor: hardware.hypervisor,
        machine: state_word(state),
    }
}

fn text(versions: &Versions, paint: Paint) -> String {
    let mut lines = vec![paint.strong("Client: Cove")];
    let mut fact = |name: &str, value: &str| lines.push(format!(" {name:<18}{value}").trim_end().to_owned());
    fact("Version:", versions.client.version);
    fact("OS/Arch:", &format!("{}/{}", versions.client.os, versions.client.arch));
    if let Some(server) = &versions.server {
        lines.push(String::new());
        lines.push(paint.strong("Server: Cove"));
        let mut fact = |name: &str, value: &str| lines.push(format!(" {name:<18}{value}").trim_end().to_owned());
        lines_of(server, &mut fact);
    }
    lines.join("\n") + "\n"
}

fn lines_of(server: &Server, fact: &mut impl FnMut(&str, &str)) {
    fact("Daemon:", "");
    fact(" Version:", &server.daemon_version);
    fact(" OS/Arch:", &format!("{}/{}", server.daemon_os, server.daemon_arch));
    fact("Agent:", "");
    fact(" Version:", &server.agent_version);
    fact(" OS/Arch:", &format!("{}/{}", server.os, server.arch));
    fact(" Kernel:", &server.kernel);
    fact("Machine:", server.machine);
}

#[cfg(test)]
mod tests {
    use cove_proto::v1::{GuestImage, HostInfo};

    use super::*;

    #[test]
    fn both_halves_say_their_own_system() {
        let machine = GetMachineResponse {
            host: Some(HostInfo { os: "darwin".into(), arch: "arm64".into(), ..Default::default() }),
            image: Some(GuestImage { arch: "arm64".into(), kernel_release: "6.12".into(), ..Default::default() }),
            ..Default::default()
        };
        let text = text(&Versions { client: client(), server: Some(server(machine)) }, Paint::plain());
        assert!(text.contains("  OS/Arch:         darwin/arm64\n"), "{text}");
        assert!(text.contains("  OS/Arch:         linux/arm64\n"), "{text}");
    }
}
