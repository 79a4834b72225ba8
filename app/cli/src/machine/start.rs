//! `cove start`: the daemon if need be, then the machine, phase by phase before the user's eyes.

use std::{io::IsTerminal as _, time::Instant};

use cove_proto::v1::{
    GetMachineRequest, GetMachineResponse, MachineState, StartMachineRequest, StartPhase, WatchMachineRequest,
};
use serde::Serialize;
use tonic::Status;

use super::phase_words;
use crate::{
    docker,
    engine::{self, Engine, Started},
    failure::{Failure, Outcome},
    output::{self, Format, Paint},
};

/// Arguments of `cove start`.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// Whether to make a docker context for Cove and use it.
    #[arg(long, value_enum, default_value = "ask", value_name = "WHETHER")]
    docker_context: docker::Choice,
}

#[derive(Serialize)]
struct Outcomes {
    already_running: bool,
    kernel: String,
    hypervisor: String,
    accelerator: String,
    docker_host: String,
    warnings: Vec<String>,
}

/// Starts it.
pub(crate) async fn run(arguments: Arguments, format: Format) -> Outcome {
    let home = engine::home()?;
    let show = format == Format::Text;
    let mut phases = Phases::new(show);
    let (engine, daemon) = Engine::reach_in(&home).await?;
    if daemon == Started::Now {
        phases.tick("daemon up");
    }
    let already_running = start(&engine, &mut phases).await?;
    let machine = engine.machine().get_machine(GetMachineRequest {}).await?.into_inner();
    let warnings = machine.status.as_ref().map(|status| status.warnings.clone()).unwrap_or_default();
    if show {
        output::text(&summary(&machine, already_running, Paint::of_stdout()))?;
        for warning in &warnings {
            output::aside(&format!("{} {warning}", Paint::of_stderr().warning("warning:")));
        }
    } else {
        let hardware = machine.hardware.unwrap_or_default();
        output::json(&Outcomes {
            already_running,
            kernel: machine.image.unwrap_or_default().kernel_release,
            hypervisor: hardware.hypervisor,
            accelerator: hardware.accelerator,
            docker_host: home.docker_endpoint().docker_host(),
            warnings,
        })?;
    }
    docker::offer(arguments.docker_context, &home.docker_endpoint().docker_host(), show).await?;
    Ok(0)
}

/// Starts the machine and shows the phases meanwhile; says whether it ran before.
async fn start(engine: &Engine, phases: &mut Phases) -> Result<bool, Failure> {
    let mut states = engine.machine().watch_machine(WatchMachineRequest { after_revision: 0 }).await?.into_inner();
    let mut client = engine.machine();
    let started = client.start_machine(StartMachineRequest {});
    tokio::pin!(started);
    let answer = loop {
        tokio::select! {
            // The answer comes last, so what the watch has to say about the way there goes first.
            biased;
            state = states.message() => match state {
                Ok(Some(state)) => {
                    let status = state.status.unwrap_or_default();
                    phases.enter(status.state(), status.phase());
                }
                // The answer says why.
                Ok(None) | Err(_) => break started.await,
            },
            answer = &mut started => break answer,
        }
    };
    let answer = answer.map_err(|status: Status| {
        phases.fail();
        Failure::from(status)
    })?;
    let answer = answer.into_inner();
    if !answer.already_running {
        phases.enter(MachineState::Running, StartPhase::Unspecified);
    }
    Ok(answer.already_running)
}

/// The phases of a start, each shown when it is over; on a terminal also while it lasts.
struct Phases {
    show: bool,
    live: bool,
    paint: Paint,
    current: StartPhase,
    since: Instant,
}

impl Phases {
    fn new(show: bool) -> Self {
        Self {
            show,
            live: show && std::io::stderr().is_terminal(),
            paint: Paint::of_stderr(),
            current: StartPhase::Unspecified,
            since: Instant::now(),
        }
    }

    /// Notes a state that the watch told of.
    fn enter(&mut self, state: MachineState, phase: StartPhase) {
        if self.current != StartPhase::Unspecified {
            match state {
                MachineState::Running => self.tick(phase_words(self.current)),
                MachineState::Starting if phase != self.current => self.tick(phase_words(self.current)),
                MachineState::Starting => return,
                _ => self.fail(),
            }
        }
        self.current = if state == MachineState::Starting { phase } else { StartPhase::Unspecified };
        if self.current != StartPhase::Unspecified {
            self.since = Instant::now();
            if self.live {
                let waiting = format!("  … {}", phase_words(self.current));
                eprint_now(&self.paint.faint(&waiting));
            }
        }
    }

    fn tick(&mut self, done: &str) {
        let took = output::seconds(self.since.elapsed());
        self.line(&format!("  {} {done:<26}{}", self.paint.good("✓"), self.paint.faint(&format!("{took:>9}"))));
        self.since = Instant::now();
    }

    fn fail(&mut self) {
        if self.current != StartPhase::Unspecified {
            self.line(&format!("  {} {}", self.paint.bad("✗"), phase_words(self.current)));
            self.current = StartPhase::Unspecified;
        }
    }

    fn line(&self, line: &str) {
        if self.live {
            eprint_now("\r\x1b[K");
        }
        if self.show {
            output::aside(line);
        }
    }
}

/// Writes a part of a line, at once.
fn eprint_now(text: &str) {
    use std::io::Write as _;
    // With standard error gone there is nobody left to tell.
    let _ = std::io::stderr().write_all(text.as_bytes());
}

fn summary(machine: &GetMachineResponse, already_running: bool, paint: Paint) -> String {
    let hardware = machine.hardware.clone().unwrap_or_default();
    let image = machine.image.clone().unwrap_or_default();
    let how = if already_running { "Machine was running already" } else { "Machine running" };
    format!(
        "{}: Linux {} ({}), {} CPUs, {} of memory, on {} with {}\n",
        paint.good(how),
        image.kernel_release,
        image.arch,
        hardware.cpus,
        output::bytes(hardware.memory_bytes),
        hardware.hypervisor,
        hardware.accelerator,
    )
}
