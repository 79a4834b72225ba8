//! The helper process with a QEMU that is a script: start, adoption, ends of all kinds, streams.
#![cfg(target_os = "linux")]
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test's fixture fails the test")]

use std::{
    fs,
    io::Write,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::Arc,
    time::Duration,
};

use cove_daemon::helper::HelperHypervisor;
use cove_machine::{
    hypervisor::{Adopt, Adoption, Exit, Hypervisor, HypervisorError, MachineSpec, Vm, VmState},
    lifecycle::ended,
};
use nix::{
    sys::{
        signal::{Signal, kill},
        stat::Mode,
    },
    unistd::{Pid, mkfifo},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{UnixListener, UnixStream},
    time::timeout,
};

/// Speaks just enough of QMP, and shuts down as if the guest had when somebody writes to its fifo.
const QEMU: &str = r#"#!/bin/bash
if [ "$1" = --version ]; then echo 'QEMU emulator version 10.0.2'; exit; fi
for argument; do
    case "$argument" in socket,id=monitor,fd=*) monitor=${argument##*=} ;; esac
done
echo $$ > "${0%/*}/qemu.pid"
echo '{"QMP": {"version": {}, "capabilities": []}}' >&"$monitor"
read -r _ <&"$monitor"
echo '{"return": {}}' >&"$monitor"
echo 'cove-guest: init'
read -r _ < "${0%/*}/power-button"
echo '{"event": "SHUTDOWN", "data": {"guest": true, "reason": "guest-shutdown"}}' >&"$monitor"
"#;

/// Makes its socket, as the real one does, and lives.
const VSOCK: &str = r#"#!/bin/bash
while [ $# -gt 0 ]; do
    case "$1" in --socket) touch "$2" ;; esac
    shift
done
exec sleep 600
"#;

struct Place {
    folder: tempfile::TempDir,
    program: PathBuf,
}

impl Place {
    fn new() -> Self {
        Self::with_qemu("qemu")
    }

    fn with_qemu(qemu: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        script(&at("qemu"), QEMU);
        script(&at("vsock"), VSOCK);
        // The helper's environment is its starter's; a script sets it without touching that of the tests beside this one.
        let helper = format!(
            "#!/bin/sh\nCOVE_QEMU={} COVE_VHOST_DEVICE_VSOCK={} COVE_ACCELERATOR=tcg exec {} \"$@\"\n",
            at(qemu).display(),
            at("vsock").display(),
            env!("CARGO_BIN_EXE_coved")
        );
        script(&at("helper"), &helper);
        mkfifo(&at("power-button"), Mode::S_IRWXU).unwrap();
        fs::create_dir(at("run")).unwrap();
        for file in ["kernel", "initramfs", "disk"] {
            fs::write(at(file), "").unwrap();
        }
        Self { program: at("helper"), folder }
    }

    fn at(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn hypervisor(&self) -> HelperHypervisor {
        HelperHypervisor::new(self.program.clone())
    }

    fn spec(&self) -> MachineSpec {
        MachineSpec {
            runtime_dir: self.at("run"),
            kernel: self.at("kernel"),
            initramfs: self.at("initramfs"),
            kernel_arguments: Vec::new(),
            cpus: 1,
            memory_bytes: 256 << 20,
            data_disk: self.at("disk"),
            console_log: self.at("console.log"),
        }
    }

    async fn start(&self) -> Arc<dyn Vm> {
        self.hypervisor().start(self.spec()).await.unwrap()
    }

    /// As a daemon would that dies right after its start: nothing of it listens any more.
    fn start_and_die(&self) -> u32 {
        let (hypervisor, spec) = (self.hypervisor(), self.spec());
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async { hypervisor.start(spec).await.unwrap().platform().owner_pid })
        })
        .join()
        .unwrap()
    }

    async fn adopt(&self) -> Adoption {
        self.hypervisor().adopt(self.at("run")).await.unwrap()
    }

    async fn adopt_living(&self) -> Arc<dyn Vm> {
        match self.adopt().await {
            Adoption::Living(vm) => vm,
            Adoption::Ended(exit) => panic!("{exit}"),
            Adoption::Nothing => panic!("nothing there"),
        }
    }

    fn left_behind(&self) -> Vec<String> {
        fs::read_dir(self.at("run")).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap()).collect()
    }

    async fn power_button(&self) {
        tokio::fs::write(self.at("power-button"), "\n").await.unwrap();
    }

    fn qemu(&self) -> Pid {
        Pid::from_raw(fs::read_to_string(self.at("qemu.pid")).unwrap().trim().parse().unwrap())
    }
}

/// A helper outlives whoever started it, also a test that failed.
impl Drop for Place {
    fn drop(&mut self) {
        let Ok(identity) = fs::read_to_string(self.at("run/machine.pid")) else { return };
        let identity: serde_json::Value = serde_json::from_str(&identity).unwrap();
        kill(Pid::from_raw(i32::try_from(identity["pid"].as_i64().unwrap()).unwrap()), Signal::SIGKILL).ok();
    }
}

/// Written by another process: while this one has the file open for writing, a test beside this one may fork, and as long
/// as that child has not become what it should, nobody can execute the file.
fn script(path: &Path, text: &str) {
    let mut writer = Command::new("sh");
    writer.args(["-c", r#"cat > "$0" && chmod 755 "$0""#]).arg(path).stdin(Stdio::piped());
    let mut writer = writer.spawn().unwrap();
    writer.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
    assert!(writer.wait().unwrap().success());
}

async fn end_of(vm: &Arc<dyn Vm>) -> Exit {
    timeout(Duration::from_secs(20), ended(vm.state())).await.unwrap()
}

fn pid(number: u32) -> Pid {
    Pid::from_raw(i32::try_from(number).unwrap())
}

#[tokio::test]
async fn a_machine_is_started_seen_and_killed_and_its_place_is_clean() {
    let place = Place::new();
    let vm = place.start().await;
    assert_eq!(*vm.state().borrow(), VmState::Running);
    let platform = vm.platform();
    assert_eq!(
        (platform.hypervisor.as_str(), platform.accelerator.as_str(), platform.vsock.as_str()),
        ("QEMU 10.0.2", "tcg", "vhost-device-vsock")
    );
    assert_ne!(platform.owner_pid, std::process::id());
    vm.kill().await;
    vm.kill().await;
    assert_eq!(end_of(&vm).await, Exit::Forced);
    assert_eq!(place.left_behind(), Vec::<String>::new());
    assert!(matches!(vm.connect(1024).await, Err(HypervisorError::Ended(Exit::Forced))));
}

#[tokio::test]
async fn a_later_daemon_adopts_the_machine() {
    let place = Place::new();
    let owner = place.start_and_die();
    let vm = place.adopt_living().await;
    assert_eq!(vm.platform().owner_pid, owner);
    let refused = place.hypervisor().start(place.spec()).await.err().unwrap().to_string();
    assert!(refused.contains("one runs already"), "{refused}");
    place.power_button().await;
    assert_eq!(end_of(&vm).await, Exit::PowerOff);
    assert_eq!(place.left_behind(), Vec::<String>::new());
}

#[tokio::test]
async fn how_it_ended_meanwhile_is_told_to_a_later_daemon_once() {
    let place = Place::new();
    place.start_and_die();
    // Its socket ends with the helper.
    let mut helper = UnixStream::connect(place.at("run/machine.sock")).await.unwrap();
    place.power_button().await;
    helper.read_to_end(&mut Vec::new()).await.unwrap();
    assert!(matches!(place.adopt().await, Adoption::Ended(Exit::PowerOff)));
    assert!(matches!(place.adopt().await, Adoption::Nothing));
    assert_eq!(place.left_behind(), Vec::<String>::new());
}

#[tokio::test]
async fn a_helper_that_is_killed_takes_its_machine_along() {
    let place = Place::new();
    let vm = place.start().await;
    kill(pid(vm.platform().owner_pid), Signal::SIGKILL).unwrap();
    match end_of(&vm).await {
        Exit::VmmDied(how) => assert!(how.contains("helper process died"), "{how}"),
        other => panic!("{other:?}"),
    }
    assert!(matches!(place.adopt().await, Adoption::Ended(Exit::VmmDied(_))));
    let again = place.start().await;
    again.kill().await;
}

#[tokio::test]
async fn a_helper_that_does_not_answer_is_ended_and_what_it_ran_too() {
    let place = Place::new();
    let owner = place.start_and_die();
    kill(pid(owner), Signal::SIGSTOP).unwrap();
    let qemu = place.qemu();
    match place.adopt().await {
        Adoption::Ended(Exit::VmmDied(how)) => assert!(how.contains("did not answer"), "{how}"),
        _ => panic!("a helper that is stopped was adopted"),
    }
    let cmdline = fs::read(format!("/proc/{qemu}/cmdline")).unwrap_or_default();
    assert!(cmdline.is_empty(), "QEMU lives");
    assert!(matches!(place.adopt().await, Adoption::Nothing));
}

#[tokio::test]
async fn a_monitor_that_is_killed_is_told_as_such() {
    let place = Place::new();
    let vm = place.start().await;
    kill(place.qemu(), Signal::SIGKILL).unwrap();
    match end_of(&vm).await {
        Exit::VmmDied(how) => assert!(how.contains("QEMU was ended by signal 9"), "{how}"),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_stream_goes_through_the_helper_both_ways_and_keeps_its_end() {
    let place = Place::new();
    let vm = place.start().await;
    // In the place of vhost-device-vsock, whose script makes no such socket.
    let device = UnixListener::bind(place.at("run/vsock.sock")).unwrap();
    let guest = tokio::spawn(async move {
        let (mut stream, _) = device.accept().await.unwrap();
        let mut question = [0; 13];
        stream.read_exact(&mut question).await.unwrap();
        assert_eq!(&question, b"CONNECT 1024\n");
        stream.write_all(b"OK 1024\nfirst words").await.unwrap();
        let mut heard = Vec::new();
        stream.read_to_end(&mut heard).await.unwrap();
        stream.write_all(&heard).await.unwrap();
    });
    let mut stream = vm.connect(1024).await.unwrap();
    let mut first = [0; 11];
    stream.read_exact(&mut first).await.unwrap();
    assert_eq!(&first, b"first words");
    let sent: Vec<u8> = (0..1_000_000u32).map(|n| n.to_le_bytes()[0]).collect();
    let (mut reader, mut writer) = tokio::io::split(stream);
    let writing = async {
        writer.write_all(&sent).await.unwrap();
        writer.shutdown().await.unwrap();
    };
    let mut echoed = Vec::new();
    let (_, read) = tokio::join!(writing, reader.read_to_end(&mut echoed));
    read.unwrap();
    assert!(echoed == sent, "{} of {} bytes came back", echoed.len(), sent.len());
    guest.await.unwrap();
    vm.kill().await;
}

#[tokio::test]
async fn what_the_host_lacks_is_told_through_the_helper_and_nothing_is_left() {
    let place = Place::with_qemu("no-such-qemu");
    match place.hypervisor().start(place.spec()).await {
        Err(HypervisorError::Host(checks)) => assert_eq!(checks[0].name, "qemu.found"),
        Err(other) => panic!("{other}"),
        Ok(_) => panic!("it started"),
    }
    assert_eq!(place.left_behind(), Vec::<String>::new());
}
