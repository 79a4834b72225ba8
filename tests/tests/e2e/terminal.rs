//! `docker run -t`: a terminal, and a change of its size.

use std::{
    fs::File,
    io::{Read as _, Write as _},
    os::{fd::AsFd, unix::net::UnixStream},
    process::{Child, Command},
    sync::mpsc,
    thread,
    time::Instant,
};

use anyhow::{Context as _, Result, bail, ensure};
use cove_tests::{
    command::{DEADLINE, shown},
    image::BUSYBOX,
    world::World,
};
use nix::{
    pty::{Winsize, openpty},
    sys::signal::{Signal, kill},
    unistd::Pid,
};

crate::tests![
    a_terminal_has_the_size_of_the_users_and_follows_it,
    cove_run_gives_a_terminal_too,
    without_a_terminal_there_is_none,
    keys_let_go_of_a_container_that_runs_on,
    the_daemon_knows_the_keys_too,
    cove_lets_go_by_keys,
];

fn a_terminal_has_the_size_of_the_users_and_follows_it(world: &World) -> Result<()> {
    let _use = world.shared();
    follows_the_size(world.docker_command(&["run", "-it", "--rm", BUSYBOX, "sh"]))
}

fn cove_run_gives_a_terminal_too(world: &World) -> Result<()> {
    let _use = world.shared();
    follows_the_size(world.cove_command(&["run", "-it", "--rm", BUSYBOX, "sh"]))
}

fn without_a_terminal_there_is_none(world: &World) -> Result<()> {
    let _use = world.shared();
    let said = world.says(&["run", "--rm", BUSYBOX, "sh", "-c", "test -t 1 || echo none"])?;
    ensure!(said == "none", "{said}");
    let refused = world.docker(&["run", "-it", "--rm", BUSYBOX, "true"])?;
    ensure!(refused.code() != 0, "docker took a pipe for a terminal\n{refused}");
    Ok(())
}

fn keys_let_go_of_a_container_that_runs_on(world: &World) -> Result<()> {
    let _use = world.shared();
    let mut terminal = Terminal::start(world.docker_command(&["run", "-it", "--name", "left", BUSYBOX, "sh"]), 24, 80)?;
    terminal.wait_for("# ", Instant::now() + DEADLINE)?;
    terminal.send("\x10\x11")?;
    terminal.end()?;
    ensure!(world.says(&["inspect", "-f", "{{.State.Running}}", "left"])? == "true", "it went with its client");
    // Keys of one's own, for attach, start and exec.
    for arguments in [
        &["attach", "--detach-keys", "ctrl-a", "left"][..],
        &["start", "-ai", "--detach-keys", "ctrl-a", "left"],
        &["exec", "-it", "--detach-keys", "ctrl-a", "left", "sh"],
    ] {
        if arguments[0] == "start" {
            world.docker(&["kill", "left"])?.ok()?;
            world.says(&["wait", "left"])?;
        }
        let mut terminal = Terminal::start(world.docker_command(arguments), 24, 80)?;
        terminal.ask_until("echo he''re", "here")?;
        terminal.send("\x01")?;
        terminal.end()?;
        ensure!(world.says(&["inspect", "-f", "{{.State.Running}}", "left"])? == "true", "it ended: {arguments:?}");
    }
    world.docker(&["rm", "-f", "left"])?.ok()?;
    Ok(())
}

/// Without a client that looks for them: what a library sends.
fn the_daemon_knows_the_keys_too(world: &World) -> Result<()> {
    let _use = world.shared();
    world.says(&["run", "-dit", "--name", "kept-keys", BUSYBOX, "sh"])?;
    let attach = "/v1.51/containers/kept-keys/attach?stream=1&stdin=1&stdout=1&detachKeys=ctrl-x,y";
    ends_with_keys(world, attach, "", b"\x18y")?;
    let body = r#"{"Cmd":["sh"],"Tty":true,"AttachStdin":true,"AttachStdout":true,"DetachKeys":"ctrl-x"}"#;
    let made = ask(world, "/v1.51/containers/kept-keys/exec", body)?;
    let (_, id) = made.split_once("{\"Id\":\"").context("no id")?;
    let start = format!("/v1.51/exec/{}/start", &id[..64]);
    ends_with_keys(world, &start, r#"{"Detach":false,"Tty":true}"#, b"\x18")?;
    ensure!(world.says(&["inspect", "-f", "{{len .ExecIDs}}", "kept-keys"])? == "1", "the exec went with its client");
    let refused = ask(world, "/v1.51/containers/kept-keys/attach?stream=1&stdin=1&detachKeys=nonsense", "")?;
    ensure!(refused.contains(" 400 ") && refused.contains("Invalid detach keys (nonsense) provided"), "{refused}");
    world.docker(&["rm", "-f", "kept-keys"])?.ok()?;
    Ok(())
}

/// Sends a request and keys, and waits for the end of the connection.
fn ends_with_keys(world: &World, path: &str, body: &str, keys: &[u8]) -> Result<()> {
    let mut stream = request(world, path, body, "Connection: Upgrade\r\nUpgrade: tcp\r\n")?;
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        stream.read_exact(&mut byte)?;
        head.extend(byte);
    }
    ensure!(head.starts_with(b"HTTP/1.1 101"), "{}", String::from_utf8_lossy(&head));
    // dockerd loses what comes before it has answered.
    stream.write_all(keys)?;
    stream.read_to_end(&mut Vec::new()).with_context(|| format!("{path} goes on"))?;
    Ok(())
}

fn ask(world: &World, path: &str, body: &str) -> Result<String> {
    let mut said = Vec::new();
    request(world, path, body, "Connection: close\r\n")?.read_to_end(&mut said)?;
    Ok(String::from_utf8_lossy(&said).into_owned())
}

fn request(world: &World, path: &str, body: &str, headers: &str) -> Result<UnixStream> {
    let mut stream = UnixStream::connect(world.socket("docker"))?;
    stream.set_read_timeout(Some(DEADLINE))?;
    let length = body.len();
    write!(
        stream,
        "POST {path} HTTP/1.1\r\nHost: d\r\n{headers}Content-Type: application/json\r\nContent-Length: {length}\r\n\r\n{body}"
    )?;
    Ok(stream)
}

fn cove_lets_go_by_keys(world: &World) -> Result<()> {
    let _use = world.shared();
    let run = ["run", "-it", "--name", "cove-left", "--detach-keys", "ctrl-a,b", BUSYBOX, "sh"];
    let mut terminal = Terminal::start(world.cove_command(&run), 24, 80)?;
    terminal.ask_until("echo he''re", "here")?;
    terminal.send("\x01b")?;
    terminal.wait_for("read escape sequence", Instant::now() + DEADLINE)?;
    ensure!(terminal.end()? == 0, "letting go is no failure");
    let mut terminal = Terminal::start(world.cove_command(&["exec", "-it", "cove-left", "sh"]), 24, 80)?;
    terminal.ask_until("echo he''re", "here")?;
    terminal.send("\x10\x11")?;
    terminal.wait_for("read escape sequence", Instant::now() + DEADLINE)?;
    ensure!(terminal.end()? == 0, "letting go is no failure");
    ensure!(world.says(&["inspect", "-f", "{{.State.Running}}", "cove-left"])? == "true", "it ended");
    world.docker(&["rm", "-f", "cove-left"])?.ok()?;
    Ok(())
}

fn follows_the_size(command: Command) -> Result<()> {
    let mut terminal = Terminal::start(command, 33, 101)?;
    // The client tells the size just after the start, so the first answer may still be the kernel's.
    terminal.ask_until("stty size", "33 101")?;
    terminal.resize(44, 122)?;
    terminal.ask_until("stty size", "44 122")?;
    terminal.send("exit 5\n")?;
    let code = terminal.end()?;
    ensure!(code == 5, "exit code {code}");
    Ok(())
}

/// A client's command at a terminal of its own.
struct Terminal {
    what: String,
    child: Child,
    master: File,
    output: mpsc::Receiver<Vec<u8>>,
    seen: String,
}

impl Terminal {
    fn start(mut command: Command, rows: u16, columns: u16) -> Result<Self> {
        let size = Winsize { ws_row: rows, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 };
        let pty = openpty(Some(&size), None)?;
        command.stdin(pty.slave.try_clone()?).stdout(pty.slave.try_clone()?).stderr(pty.slave);
        let child = command.env("TERM", "xterm").spawn()?;
        let what = shown(&command);
        // Our own copies of its end must be closed, or its end would never be seen.
        drop(command);
        let master = File::from(pty.master);
        let mut reader = master.try_clone()?;
        let (sender, output) = mpsc::channel();
        thread::spawn(move || {
            let mut buffer = [0; 4096];
            // EIO at the end: the last holder of the other end has gone.
            while let Ok(length) = reader.read(&mut buffer) {
                if length == 0 || sender.send(buffer[..length].to_vec()).is_err() {
                    return;
                }
            }
        });
        Ok(Self { what, child, master, output, seen: String::new() })
    }

    fn send(&mut self, keys: &str) -> Result<()> {
        Ok(self.master.write_all(keys.as_bytes())?)
    }

    /// Sets the size. The client learns of it by a signal, which the kernel sends to the terminal's own session; this
    /// client has none, so it is sent here.
    fn resize(&self, rows: u16, columns: u16) -> Result<()> {
        let size = rustix::termios::Winsize { ws_row: rows, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 };
        rustix::termios::tcsetwinsize(self.master.as_fd(), size)?;
        Ok(kill(Pid::from_raw(i32::try_from(self.child.id())?), Signal::SIGWINCH)?)
    }

    /// Types a line again and again until its answer is the wanted one.
    fn ask_until(&mut self, line: &str, answer: &str) -> Result<()> {
        let until = Instant::now() + DEADLINE;
        // A prompt says that the shell reads.
        self.wait_for("# ", until)?;
        loop {
            let asked = self.seen.len();
            self.send(&format!("{line}; echo do''ne\n"))?;
            self.wait_for_since("done\r\n", asked, until)?;
            if self.seen[asked..].contains(answer) {
                return Ok(());
            }
        }
    }

    fn wait_for(&mut self, text: &str, until: Instant) -> Result<()> {
        self.wait_for_since(text, 0, until)
    }

    fn wait_for_since(&mut self, text: &str, from: usize, until: Instant) -> Result<()> {
        while !self.seen[from..].contains(text) {
            match self.output.recv_timeout(until.saturating_duration_since(Instant::now())) {
                Ok(piece) => self.seen.push_str(&String::from_utf8_lossy(&piece)),
                Err(error) => bail!("{error}: no {text:?} from {}\nbut {:?}", self.what, self.seen),
            }
        }
        Ok(())
    }

    fn end(mut self) -> Result<i32> {
        let until = Instant::now() + DEADLINE;
        while let Ok(piece) = self.output.recv_timeout(until.saturating_duration_since(Instant::now())) {
            self.seen.push_str(&String::from_utf8_lossy(&piece));
        }
        ensure!(Instant::now() < until, "not done: {}\n{:?}", self.what, self.seen);
        self.child.wait()?.code().context("a signal ended it")
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        // It may have ended meanwhile.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
