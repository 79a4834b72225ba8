//! Random commands, and a model of what containers are to check the answers by: COVE_MODEL_STEPS of them, from the number
//! COVE_MODEL_SEED, which a failure tells.

use std::{collections::BTreeMap, env, os::unix::net::UnixStream, time::SystemTime};

use anyhow::{Context as _, Result, ensure};
use cove_tests::{
    http::Connection,
    image::BUSYBOX,
    model::{Command, Dice, State},
    world::World,
};
use serde_json::{Value, json};

crate::tests![random_commands_do_what_a_model_says];

/// Steps of a run of all tests.
const STEPS: usize = 150;
const NAMES: [&str; 4] = ["model-a", "model-b", "model-c", "model-d"];
/// SIGKILL, which is what ends a `sleep` that is the first process.
const KILLED: i64 = 137;
const JSON: &str = "application/json";

/// A container of the model.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Container {
    state: State,
    exit_code: i64,
}

const NONE: Container = Container { state: State::Absent, exit_code: 0 };

/// The engine, and what it should be.
struct Run {
    api: Connection<UnixStream>,
    containers: BTreeMap<&'static str, Container>,
    dice: Dice,
}

/// F-07.
fn random_commands_do_what_a_model_says(world: &World) -> Result<()> {
    let _use = world.shared();
    let steps = number("COVE_MODEL_STEPS")?.map_or(Ok(STEPS), usize::try_from)?;
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH)?.as_secs();
    let seed = number("COVE_MODEL_SEED")?.unwrap_or(now);
    let containers = NAMES.map(|name| (name, NONE)).into();
    let mut run = Run { api: world.api()?, containers, dice: Dice(seed) };
    for step in 0..steps {
        run.step().with_context(|| format!("step {step} of COVE_MODEL_SEED={seed}, before it {:?}", run.containers))?;
    }
    for name in NAMES {
        run.ask("DELETE", &format!("/containers/{name}?force=1"))?;
    }
    Ok(())
}

fn number(variable: &str) -> Result<Option<u64>> {
    let parse = |text: String| text.parse().with_context(|| format!("{variable} is no number"));
    env::var(variable).ok().map(parse).transpose()
}

impl Run {
    fn step(&mut self) -> Result<()> {
        let name = self.dice.pick(&NAMES);
        match self.dice.roll(14) {
            0 => self.rename(name),
            1 => self.list(),
            2 => self.wait(name),
            _ => {
                let command = self.dice.pick(&Command::ALL);
                self.command(name, command)
            }
        }
    }

    fn command(&mut self, name: &'static str, command: Command) -> Result<()> {
        let before = self.containers[name];
        let (method, path) = command.request(name);
        let (expected, state) = command.answer(before.state);
        let (status, body) = self.ask(method, &path)?;
        ensure!(status == expected, "{method} {path}: {status} instead of {expected}: {body}");
        let ended = status == 204 && matches!(command, Command::Stop | Command::Kill);
        let began = status == 204 && matches!(command, Command::Start | Command::Restart);
        let exit_code = if ended {
            KILLED
        } else if began || state == State::Absent {
            0
        } else {
            before.exit_code
        };
        self.containers.insert(name, Container { state, exit_code });
        self.look(name)
    }

    /// What inspect shows of one.
    fn look(&mut self, name: &'static str) -> Result<()> {
        let expected = self.containers[name];
        let (status, body) = self.ask("GET", &format!("/containers/{name}/json"))?;
        if expected.state == State::Absent {
            ensure!(status == 404, "{name} is still there: {status} {body}");
            return Ok(());
        }
        let now = &body["State"];
        let is_alive = matches!(expected.state, State::Running | State::Paused);
        ensure!(now["Status"] == expected.state.word(), "{name} should be {expected:?}: {now}");
        ensure!(now["ExitCode"] == expected.exit_code, "{name} should be {expected:?}: {now}");
        ensure!(now["Running"] == is_alive && (now["Pid"] != 0) == is_alive, "{name} should be {expected:?}: {now}");
        Ok(())
    }

    fn rename(&mut self, from: &'static str) -> Result<()> {
        let to = self.dice.pick(&NAMES);
        let (of, at) = (self.containers[from], self.containers[to]);
        let expected = match (of.state, at.state) {
            (State::Absent, _) => 404,
            (_, State::Absent) => 204,
            _ if from == to => 400,
            _ => 409,
        };
        let (status, body) = self.ask("POST", &format!("/containers/{from}/rename?name={to}"))?;
        ensure!(status == expected, "rename {from} {to}: {status} instead of {expected}: {body}");
        if status == 204 {
            self.containers.insert(from, NONE);
            self.containers.insert(to, of);
        }
        self.look(to)
    }

    fn list(&mut self) -> Result<()> {
        let filters = "filters=%7B%22label%22%3A%5B%22model%22%5D%7D";
        let (_, body) = self.ask("GET", &format!("/containers/json?all=1&{filters}"))?;
        let listed = body.as_array().context("no list")?;
        let shown = |container: &Value| Some((container["Names"][0].as_str()?.to_owned(), container["State"].clone()));
        let shown: Option<BTreeMap<String, Value>> = listed.iter().map(shown).collect();
        let there = self.containers.iter().filter(|(_, container)| container.state != State::Absent);
        let expected = there.map(|(name, container)| (format!("/{name}"), json!(container.state.word()))).collect();
        ensure!(shown.as_ref() == Some(&expected), "{body} instead of {expected:?}");
        Ok(())
    }

    /// Of one that runs, it would last for ever.
    fn wait(&mut self, name: &'static str) -> Result<()> {
        let Container { state, exit_code } = self.containers[name];
        if matches!(state, State::Running | State::Paused) {
            return Ok(());
        }
        let (status, body) = self.ask("POST", &format!("/containers/{name}/wait"))?;
        let expected = if state == State::Absent { 404 } else { 200 };
        ensure!(status == expected, "wait for {name}: {status}: {body}");
        ensure!(status == 404 || body["StatusCode"] == exit_code, "{name} should have ended with {exit_code}: {body}");
        Ok(())
    }

    fn ask(&mut self, method: &str, path: &str) -> Result<(u16, Value)> {
        let body = match path {
            _ if path.contains("/create") => {
                json!({ "Image": BUSYBOX, "Cmd": ["sleep", "100000"], "Labels": { "model": "" } }).to_string()
            }
            _ if path.ends_with("/exec") => json!({ "Cmd": ["true"] }).to_string(),
            _ => String::new(),
        };
        let answer = self.api.request(method, path, JSON, body.as_bytes())?;
        Ok((answer.status, serde_json::from_slice(&answer.body).unwrap_or_default()))
    }
}
