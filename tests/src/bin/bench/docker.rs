//! The few calls of the Docker API that the bench makes, the same for both engines.

use std::{
    io::{Read, Write},
    os::unix::net::UnixStream,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, bail};
use serde_json::{Value, json};

use cove_tests::http::{Answer, Connection};

use crate::busybox;

/// An engine that does not answer for so long is broken.
const PATIENCE: Duration = Duration::from_secs(1200);
const API: &str = "/v1.41";
const IMAGE: &str = "bench:latest";
const JSON: &str = "application/json";

/// A Docker API.
pub(crate) struct Docker {
    connection: Connection<UnixStream>,
}

/// How long the steps of one container took.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Lap {
    /// POST /containers/create.
    pub(crate) create: Duration,
    /// POST /containers/{id}/start.
    pub(crate) start: Duration,
    /// POST /containers/{id}/wait.
    pub(crate) wait: Duration,
    /// DELETE /containers/{id}.
    pub(crate) remove: Duration,
}

impl Lap {
    /// All of it.
    pub(crate) fn total(&self) -> Duration {
        self.create + self.start + self.wait + self.remove
    }
}

impl Docker {
    /// Takes a stream that is connected to the API.
    pub(crate) fn new(stream: UnixStream) -> Result<Self> {
        stream.set_read_timeout(Some(PATIENCE)).context("set a timeout")?;
        stream.set_write_timeout(Some(PATIENCE)).context("set a timeout")?;
        Ok(Self { connection: Connection::new(stream) })
    }

    /// Whether the API answers.
    pub(crate) fn ping(&mut self) -> Result<()> {
        self.call("GET", "/_ping", JSON, b"").map(drop)
    }

    /// A call that needs the engine itself.
    pub(crate) fn list(&mut self) -> Result<()> {
        self.call("GET", &format!("{API}/containers/json"), JSON, b"").map(drop)
    }

    /// Version of the server.
    pub(crate) fn version(&mut self) -> Result<String> {
        let answer = self.json("GET", &format!("{API}/version"), None)?;
        text(&answer, "Version")
    }

    /// Makes the bench's image of a root file system.
    pub(crate) fn import(&mut self, tar: &[u8]) -> Result<()> {
        self.stream(&format!("{API}/images/create?fromSrc=-&repo=bench&tag=latest"), tar)
    }

    /// Fetches an image from a registry.
    pub(crate) fn pull(&mut self, repository: &str, tag: &str) -> Result<()> {
        self.stream(&format!("{API}/images/create?fromImage={repository}&tag={tag}"), b"")
    }

    /// Loads images from an archive.
    pub(crate) fn load(&mut self, archive: &[u8]) -> Result<()> {
        self.stream(&format!("{API}/images/load"), archive)
    }

    /// Removes an image.
    pub(crate) fn remove_image(&mut self, name: &str) -> Result<()> {
        self.call("DELETE", &format!("{API}/images/{name}?force=1"), JSON, b"").map(drop)
    }

    /// A call whose answer is progress: a stream of objects, and a failure one of them.
    fn stream(&mut self, path: &str, body: &[u8]) -> Result<()> {
        let answer = self.call("POST", path, "application/x-tar", body)?;
        let text = String::from_utf8_lossy(&answer.body).into_owned();
        if text.contains("\"error\"") {
            bail!("POST {path}: {text}")
        }
        Ok(())
    }

    /// Runs `/bin/true` in a new container, and removes it.
    pub(crate) fn lap(&mut self, network: &str) -> Result<Lap> {
        let began = Instant::now();
        let id = self.create(&["/bin/true"], network)?;
        let created = Instant::now();
        self.start(&id)?;
        let started = Instant::now();
        self.wait(&id)?;
        let waited = Instant::now();
        self.remove(&id)?;
        let removed = Instant::now();
        Ok(Lap { create: created - began, start: started - created, wait: waited - started, remove: removed - waited })
    }

    /// How long `/bin/true` in a running container takes, from its creation to the answer that it has ended.
    pub(crate) fn exec(&mut self, container: &str) -> Result<Duration> {
        let began = Instant::now();
        let made =
            self.json("POST", &format!("{API}/containers/{container}/exec"), Some(&json!({ "Cmd": ["/bin/true"] })))?;
        let id = text(&made, "Id")?;
        let detached = json!({ "Detach": true }).to_string();
        self.call("POST", &format!("{API}/exec/{id}/start"), JSON, detached.as_bytes())?;
        loop {
            let exec = self.json("GET", &format!("{API}/exec/{id}/json"), None)?;
            match (exec.get("Running").and_then(Value::as_bool), exec.get("ExitCode").and_then(Value::as_i64)) {
                (Some(false), Some(0)) => return Ok(began.elapsed()),
                (Some(true), _) => {}
                _ => bail!("the exec of the bench ended so: {exec}"),
            }
        }
    }

    /// How long it takes to answer what a container uses.
    pub(crate) fn stats(&mut self, container: &str) -> Result<Duration> {
        let began = Instant::now();
        self.json("GET", &format!("{API}/containers/{container}/stats?stream=false&one-shot=true"), None)?;
        Ok(began.elapsed())
    }

    /// How long it takes to write a lot of output, and to read it all as the log.
    pub(crate) fn flood(&mut self) -> Result<(Duration, Duration)> {
        let id = self.create(&["/bin/cat", busybox::LINES], "none")?;
        let began = Instant::now();
        self.start(&id)?;
        self.wait(&id)?;
        let written = Instant::now();
        let logs = self.call("GET", &format!("{API}/containers/{id}/logs?stdout=1"), JSON, b"")?;
        let read = Instant::now();
        // Each piece of it has a header.
        if logs.body.len() < busybox::OUTPUT {
            bail!("of {} bytes of output the log has {}", busybox::OUTPUT, logs.body.len());
        }
        self.remove(&id)?;
        Ok((written - began, read - written))
    }

    /// Starts a container that sleeps, and answers its id.
    pub(crate) fn sleeper(&mut self) -> Result<String> {
        let id = self.create(&["/bin/sleep", "100000"], "bridge")?;
        self.start(&id)?;
        Ok(id)
    }

    /// Removes a container, whatever it does.
    pub(crate) fn remove(&mut self, id: &str) -> Result<()> {
        self.call("DELETE", &format!("{API}/containers/{id}?force=1"), JSON, b"").map(drop)
    }

    /// Runs a program that sees every process of the machine, and answers what it wrote.
    pub(crate) fn output_with_all_processes(&mut self, command: &[&str]) -> Result<String> {
        let config = json!({ "Image": IMAGE, "Cmd": command, "Tty": true,
            "HostConfig": { "NetworkMode": "none", "PidMode": "host" } });
        let id = text(&self.json("POST", &format!("{API}/containers/create"), Some(&config))?, "Id")?;
        self.start(&id)?;
        self.wait(&id)?;
        let logs = self.call("GET", &format!("{API}/containers/{id}/logs?stdout=1&stderr=1"), JSON, b"")?;
        self.remove(&id)?;
        Ok(String::from_utf8_lossy(&logs.body).into_owned())
    }

    fn create(&mut self, command: &[&str], network: &str) -> Result<String> {
        let config = json!({ "Image": IMAGE, "Cmd": command, "HostConfig": { "NetworkMode": network } });
        text(&self.json("POST", &format!("{API}/containers/create"), Some(&config))?, "Id")
    }

    fn start(&mut self, id: &str) -> Result<()> {
        self.call("POST", &format!("{API}/containers/{id}/start"), JSON, b"").map(drop)
    }

    fn wait(&mut self, id: &str) -> Result<()> {
        let ended = self.json("POST", &format!("{API}/containers/{id}/wait"), None)?;
        if ended.get("StatusCode").and_then(Value::as_i64) != Some(0) {
            bail!("the container of the bench ended so: {ended}");
        }
        Ok(())
    }

    fn json(&mut self, method: &str, path: &str, body: Option<&Value>) -> Result<Value> {
        let body = body.map(Value::to_string).unwrap_or_default();
        let answer = self.call(method, path, JSON, body.as_bytes())?;
        serde_json::from_slice(&answer.body).with_context(|| format!("{method} {path}"))
    }

    fn call(&mut self, method: &str, path: &str, media_type: &str, body: &[u8]) -> Result<Answer> {
        let answer = self.connection.request(method, path, media_type, body)?;
        if answer.status >= 400 {
            bail!("{method} {path}: {} {}", answer.status, String::from_utf8_lossy(&answer.body).trim());
        }
        Ok(answer)
    }
}

/// Reads the line by which a vsock device on a unix socket says that it has connected to a port of the guest.
pub(crate) fn dial(stream: &mut UnixStream, port: u32) -> Result<()> {
    stream.write_all(format!("CONNECT {port}\n").as_bytes())?;
    let mut line = Vec::new();
    let mut byte = [0];
    while line.last() != Some(&b'\n') {
        stream.read_exact(&mut byte)?;
        line.extend_from_slice(&byte);
    }
    if !line.starts_with(b"OK ") {
        bail!("port {port} of the guest: {}", String::from_utf8_lossy(&line).trim());
    }
    Ok(())
}

fn text(value: &Value, key: &str) -> Result<String> {
    value.get(key).and_then(Value::as_str).map(str::to_owned).with_context(|| format!("no {key} in {value}"))
}
