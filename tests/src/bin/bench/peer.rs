//! The VM with dockerd in it: same kernel and QEMU arguments as Cove's machine.

use std::{
    fs::{self, File},
    io,
    net::{Shutdown, TcpStream},
    os::unix::net::{UnixListener, UnixStream},
    path::Path,
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, bail};
use tempfile::TempDir;

use crate::{
    Arguments,
    docker::{Docker, dial},
};

const DOCKER_PORT: u32 = 2375;
/// Who connects to this port of the loopback network in there comes out here (tests/bench/peer/init.sh).
const REGISTRY_PORT: u32 = 5000;
const GUEST_CID: &str = "7";
const MEMORY: &str = "2048M";
/// dockerd is ready after 15 s on an idle machine.
const PATIENCE: Duration = Duration::from_secs(180);

/// A running VM. Ends when dropped.
pub(crate) struct Peer {
    processes: Vec<Child>,
    dir: TempDir,
}

impl Peer {
    /// Boots it and waits for dockerd; answers how long that took, too.
    pub(crate) fn boot(arguments: &Arguments) -> Result<(Self, Duration)> {
        let dir = tempfile::Builder::new().prefix("cove-peer").tempdir().context("make a folder")?;
        copy_disk(&arguments.peer.join("disk.img"), &dir.path().join("disk.img"))?;
        let share = arguments.dist.join("share/cove");
        let mut peer = Self { processes: Vec::new(), dir };
        peer.spawn(
            Command::new(share.join("vhost-device-vsock"))
                .args(["--guest-cid", GUEST_CID, "--socket"])
                .arg(peer.dir.path().join("vhost.sock"))
                .arg("--uds-path")
                .arg(peer.dir.path().join("vsock.sock")),
            "vhost-device-vsock",
        )?;
        peer.wait_until("vhost-device-vsock", |peer| peer.dir.path().join("vhost.sock").exists())?;
        let began = Instant::now();
        peer.spawn(
            &mut peer.qemu(&share.join("vmlinux"), &arguments.peer.join("initramfs.cpio")),
            "qemu-system-x86_64",
        )?;
        peer.wait_until("dockerd", |peer| peer.docker().and_then(|mut docker| docker.ping()).is_ok())?;
        Ok((peer, began.elapsed()))
    }

    /// A connection to the Docker API.
    pub(crate) fn docker(&self) -> Result<Docker> {
        let mut stream = UnixStream::connect(self.dir.path().join("vsock.sock")).context("connect to the peer")?;
        stream.set_read_timeout(Some(Duration::from_secs(10))).context("set a timeout")?;
        dial(&mut stream, DOCKER_PORT)?;
        Docker::new(stream)
    }

    /// Leads who asks for a registry in there to this address; says how it is called in there.
    pub(crate) fn lead_to(&self, registry: &str) -> Result<String> {
        let path = self.dir.path().join(format!("vsock.sock_{REGISTRY_PORT}"));
        let listener = UnixListener::bind(&path).with_context(|| format!("listen at {}", path.display()))?;
        let there = registry.to_owned();
        thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let there = there.clone();
                // What breaks shows in the pull that it was for.
                thread::spawn(move || TcpStream::connect(there).and_then(|to| join(&stream, &to)));
            }
        });
        Ok(format!("127.0.0.1:{REGISTRY_PORT}"))
    }

    fn qemu(&self, kernel: &Path, initramfs: &Path) -> Command {
        let file = |name: &str| self.dir.path().join(name).display().to_string();
        let mut command = Command::new("qemu-system-x86_64");
        command.args(["-accel", "tcg,thread=multi", "-cpu", "max", "-smp", "2", "-m", MEMORY]);
        command.args(["-M", "q35,hpet=off,smm=off,vmport=off,memory-backend=mem0"]);
        command.args(["-object", &format!("memory-backend-memfd,id=mem0,size={MEMORY},share=on")]);
        command.args(["-nodefaults", "-no-user-config", "-display", "none", "-no-reboot"]);
        command.arg("-kernel").arg(kernel).arg("-initrd").arg(initramfs);
        command.args([
            "-append",
            "console=hvc0 quiet panic=-1 tsc=reliable no_timer_check mitigations=off cryptomgr.notests",
        ]);
        command.args([
            "-device",
            "virtio-serial-pci",
            "-chardev",
            &format!("file,id=console,path={}", file("console.log")),
        ]);
        command.args(["-device", "virtconsole,chardev=console"]);
        command.args(["-chardev", &format!("socket,id=vsock,path={}", file("vhost.sock"))]);
        command.args(["-device", "vhost-user-vsock-pci,chardev=vsock"]);
        let drive = format!("if=none,id=disk,file={},format=raw,cache=writeback,discard=unmap", file("disk.img"));
        command.args(["-drive", &drive, "-device", "virtio-blk-pci,drive=disk", "-device", "virtio-rng-pci"]);
        command
    }

    fn spawn(&mut self, command: &mut Command, name: &str) -> Result<()> {
        let log = File::create(self.dir.path().join(format!("{name}.log"))).context("make a log")?;
        command.stdin(Stdio::null()).stdout(log.try_clone().context("share the log")?).stderr(log);
        self.processes.push(command.spawn().with_context(|| format!("start {name}"))?);
        Ok(())
    }

    fn wait_until(&mut self, what: &str, done: impl Fn(&Self) -> bool) -> Result<()> {
        let deadline = Instant::now() + PATIENCE;
        while !done(self) {
            for process in &mut self.processes {
                if let Some(status) = process.try_wait()? {
                    bail!("a process of the peer has ended with {status} before {what} was there: {}", self.logs());
                }
            }
            if Instant::now() > deadline {
                bail!("{what} of the peer is not there after {} s: {}", PATIENCE.as_secs(), self.logs());
            }
            thread::sleep(Duration::from_millis(50));
        }
        Ok(())
    }

    fn logs(&self) -> String {
        let names = ["qemu-system-x86_64.log", "vhost-device-vsock.log", "console.log"];
        let texts = names.iter().filter_map(|name| fs::read(self.dir.path().join(name)).ok());
        texts.map(|text| String::from_utf8_lossy(&text).into_owned()).collect()
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        // Nothing on its disk is kept, so it need not be asked.
        for process in self.processes.iter_mut().rev() {
            let _ = process.kill();
            let _ = process.wait();
        }
    }
}

fn join(from: &UnixStream, to: &TcpStream) -> io::Result<()> {
    let (mut asking, mut asked) = (from.try_clone()?, to.try_clone()?);
    thread::spawn(move || {
        // It ends with the connection.
        io::copy(&mut asking, &mut asked).ok();
        asked.shutdown(Shutdown::Both).ok();
    });
    io::copy(&mut to.try_clone()?, &mut from.try_clone()?)?;
    from.shutdown(Shutdown::Both)
}

/// Every run starts from the same disk. Copied by `cp`, which keeps holes.
fn copy_disk(from: &Path, to: &Path) -> Result<()> {
    let status = Command::new("cp").args(["--sparse=always", "--reflink=auto"]).arg(from).arg(to).status();
    if !status.context("run cp")?.success() {
        bail!("copy {} to {}", from.display(), to.display());
    }
    Ok(())
}
