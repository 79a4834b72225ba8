//! `docker run -t`: a terminal, and a change of its size.

use std::{
    fs::File,
    io::{Read as _, Write as _},
    os::fd::AsFd,
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
