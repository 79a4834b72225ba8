//! A hypervisor in this process: its guests are a script and whoever takes the streams from [`Fake::listen`].
//!
//! For tests of what stands above a hypervisor, here and in the daemon. It passes [`crate::conformance`].

use std::{
    collections::HashMap,
    path::PathBuf,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::{
    io::DuplexStream,
    sync::{mpsc, watch},
    time::sleep,
};

use crate::{
    conformance::Behaviour,
    console::Sink,
    guest,
    hypervisor::{
        Adopt, Adoption, BoxFuture, Check, Connection, Exit, Hypervisor, HypervisorError, MachineSpec, Platform, Vm,
        VmState,
    },
};

/// How much a stream holds before its writer waits.
const STREAM_BYTES: usize = 64 * 1024;

/// What the next machines do.
#[derive(Debug, Clone)]
pub struct Script {
    /// What the host check finds.
    pub checks: Vec<Check>,
    /// How long a start takes.
    pub start_takes: Duration,
    /// How a start fails, if it does.
    pub start_fails: Option<HypervisorError>,
    /// What the guest writes to its console, and how long it waits before each line.
    pub console: Vec<(Duration, String)>,
    /// How it ends after the last line, if it does.
    pub then_ends: Option<Exit>,
    /// Whether a kill works.
    pub killable: bool,
    /// Warnings of the platform.
    pub warnings: Vec<String>,
}

impl Default for Script {
    /// A machine that comes up at once.
    fn default() -> Self {
        let line = |text: &str| (Duration::ZERO, text.to_owned());
        Self {
            checks: Vec::new(),
            start_takes: Duration::ZERO,
            start_fails: None,
            console: vec![line(&format!("{}init", guest::CONSOLE_PREFIX)), line(guest::AGENT_READY)],
            then_ends: None,
            killable: true,
            warnings: Vec::new(),
        }
    }
}

#[derive(Default)]
struct State {
    script: Script,
    starts: usize,
    listeners: HashMap<u32, mpsc::UnboundedSender<DuplexStream>>,
    machine: Option<(PathBuf, Arc<FakeVm>)>,
}

/// The hypervisor. Its machines live as long as it does, whoever drops them.
#[derive(Default)]
pub struct Fake {
    state: Arc<Mutex<State>>,
}

impl Fake {
    /// A hypervisor whose machines come up at once and on which nothing listens.
    #[must_use]
    pub fn new() -> Arc<Self> {
        Arc::default()
    }

    /// What the machines do that are started from now on.
    pub fn script(&self, script: Script) {
        self.lock().script = script;
    }

    /// Listens on a port of each guest, until the receiver is dropped; it gets the guest's ends of the streams.
    #[must_use]
    pub fn listen(&self, port: u32) -> mpsc::UnboundedReceiver<DuplexStream> {
        let (sender, receiver) = mpsc::unbounded_channel();
        self.lock().listeners.insert(port, sender);
        receiver
    }

    /// How many machines have been started.
    #[must_use]
    pub fn starts(&self) -> usize {
        self.lock().starts
    }

    /// The newest machine.
    #[must_use]
    pub fn vm(&self) -> Option<Arc<FakeVm>> {
        self.lock().machine.as_ref().map(|(_, vm)| vm.clone())
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn bring_up(&self, spec: MachineSpec) -> Result<Arc<dyn Vm>, HypervisorError> {
        let script = self.lock().script.clone();
        sleep(script.start_takes).await;
        if let Some(error) = script.start_fails {
            return Err(error);
        }
        let failed = |operation: &str| {
            let operation = operation.to_owned();
            move |e: std::io::Error| HypervisorError::Operation { operation, cause: e.to_string() }
        };
        std::fs::metadata(&spec.kernel).map_err(failed("open the kernel"))?;
        let sink = Sink::create(spec.console_log).map_err(failed("make the console log"))?;
        let vm = Arc::new(FakeVm {
            state: watch::Sender::new(VmState::Running),
            hypervisor: self.state.clone(),
            killable: script.killable,
            warnings: script.warnings,
            silent: Behaviour::of(&spec.kernel_arguments) == Some(Behaviour::Idle),
            console: Mutex::new(sink),
        });
        let then_ends = Behaviour::of(&spec.kernel_arguments).map_or(script.then_ends, Behaviour::exit);
        let guest = vm.clone();
        tokio::spawn(async move { guest.live(script.console, then_ends).await });
        let mut state = self.lock();
        state.starts += 1;
        state.machine = Some((spec.runtime_dir, vm.clone()));
        Ok(vm)
    }
}

impl Hypervisor for Fake {
    fn check(&self) -> BoxFuture<'_, Vec<Check>> {
        let checks = self.lock().script.checks.clone();
        Box::pin(async move { checks })
    }

    fn start(&self, spec: MachineSpec) -> BoxFuture<'_, Result<Arc<dyn Vm>, HypervisorError>> {
        Box::pin(self.bring_up(spec))
    }
}

impl Adopt for Fake {
    fn adopt(&self, runtime_dir: PathBuf) -> BoxFuture<'_, Result<Adoption, HypervisorError>> {
        let mut state = self.lock();
        let found = match state.machine.take_if(|(place, _)| *place == runtime_dir) {
            None => Adoption::Nothing,
            Some((place, vm)) => match vm.state.borrow().clone() {
                VmState::Ended(exit) => Adoption::Ended(exit),
                VmState::Running => {
                    state.machine = Some((place, vm.clone()));
                    Adoption::Living(vm.clone())
                }
            },
        };
        Box::pin(async move { Ok(found) })
    }
}

/// A machine of the fake.
pub struct FakeVm {
    state: watch::Sender<VmState>,
    hypervisor: Arc<Mutex<State>>,
    killable: bool,
    warnings: Vec<String>,
    silent: bool,
    console: Mutex<Sink>,
}

impl FakeVm {
    /// It ends so, unless it has ended.
    pub fn end(&self, exit: Exit) {
        self.state.send_if_modified(|state| {
            let running = *state == VmState::Running;
            if running {
                *state = VmState::Ended(exit);
            }
            running
        });
    }

    /// Its console says this line.
    ///
    /// # Errors
    /// If the console log cannot be written.
    pub fn say(&self, line: &str) -> std::io::Result<()> {
        let mut console = self.console.lock().unwrap_or_else(PoisonError::into_inner);
        console.write(format!("{line}\r\n").as_bytes())
    }

    async fn live(&self, console: Vec<(Duration, String)>, then_ends: Option<Exit>) {
        for (pause, line) in console {
            sleep(pause).await;
            if let Err(error) = self.say(&line) {
                return self.end(Exit::VmmDied(format!("write the console: {error}")));
            }
        }
        if let Some(exit) = then_ends {
            self.end(exit);
        }
    }

    fn dial(&self, port: u32) -> Result<Connection, HypervisorError> {
        if let VmState::Ended(exit) = self.state.borrow().clone() {
            return Err(HypervisorError::Ended(exit));
        }
        let state = self.hypervisor.lock().unwrap_or_else(PoisonError::into_inner);
        let listener = state.listeners.get(&port).filter(|_| !self.silent);
        let (host, guest) = tokio::io::duplex(STREAM_BYTES);
        match listener.map(|listener| listener.send(guest)) {
            Some(Ok(())) => Ok(Box::new(host)),
            Some(Err(_)) | None => Err(HypervisorError::NotListening(port)),
        }
    }
}

impl Vm for FakeVm {
    fn state(&self) -> watch::Receiver<VmState> {
        self.state.subscribe()
    }

    fn platform(&self) -> Platform {
        Platform {
            hypervisor: "fake".to_owned(),
            accelerator: "none".to_owned(),
            vsock: "in-process".to_owned(),
            cid: 3,
            owner_pid: std::process::id(),
            warnings: self.warnings.clone(),
        }
    }

    fn connect(&self, port: u32) -> BoxFuture<'_, Result<Connection, HypervisorError>> {
        Box::pin(async move { self.dial(port) })
    }

    fn kill(&self) -> BoxFuture<'_, ()> {
        Box::pin(async move {
            if self.killable {
                self.end(Exit::Forced);
            }
            crate::lifecycle::ended(self.state.subscribe()).await;
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::conformance::{Subject, suite};

    struct Case {
        fake: Arc<Fake>,
        dir: tempfile::TempDir,
        _listener: mpsc::UnboundedReceiver<DuplexStream>,
    }

    impl Subject for Case {
        fn hypervisor(&self) -> Arc<dyn Hypervisor> {
            self.fake.clone()
        }
        fn spec(&self, name: &str, behaviour: Behaviour) -> MachineSpec {
            let runtime_dir = self.dir.path().join(name);
            std::fs::create_dir_all(&runtime_dir).unwrap();
            let kernel = self.dir.path().join("kernel");
            std::fs::write(&kernel, b"").unwrap();
            MachineSpec {
                console_log: self.dir.path().join(format!("{name}.log")),
                runtime_dir,
                initramfs: kernel.clone(),
                kernel_arguments: vec![behaviour.kernel_argument()],
                cpus: 1,
                memory_bytes: 1 << 28,
                data_disk: kernel.clone(),
                kernel,
            }
        }
        fn listening_port(&self) -> u32 {
            1024
        }
        fn patience(&self) -> Duration {
            Duration::from_secs(5)
        }
    }

    #[tokio::test(start_paused = true)]
    async fn the_fake_conforms() {
        let fake = Fake::new();
        let listener = fake.listen(1024);
        let case = Case { fake, dir: tempfile::tempdir().unwrap(), _listener: listener };
        let outcomes = suite(&case).await;
        assert!(outcomes.len() >= 6);
        for outcome in outcomes {
            assert_eq!(outcome.result, Ok(()), "{}", outcome.name);
        }
    }
}
