//! The task that owns the state. Each state is one function that says what the next one is; the requests that arrive
//! meanwhile are theirs to answer.

use std::sync::Arc;

use tokio::sync::{mpsc, oneshot};

use super::{
    MachineConfig, Request, StartError, Started, StopError, StopOptions, Stopped,
    failure::Cause,
    launch::{self, Late},
    power_off,
    publish::Publisher,
    wake::{self, ended},
};
use crate::{
    Failure, Guest, State,
    hypervisor::{Adopt, Adoption, Exit, HypervisorError, Vm},
};

/// What every step needs.
#[derive(Clone)]
pub(super) struct Shared {
    pub(super) config: Arc<MachineConfig>,
    pub(super) hypervisor: Arc<dyn Adopt>,
    pub(super) guest: Arc<dyn Guest>,
    pub(super) publisher: Publisher,
}

type StartWaiter = Box<dyn FnOnce(Result<Started, StartError>) + Send>;
type StopWaiter = oneshot::Sender<Result<Stopped, StopError>>;

/// The state to go to, with what it needs.
enum Next {
    Rest,
    Launch(Vec<StartWaiter>),
    Wake { vm: Arc<dyn Vm>, adopted: bool, waiters: Vec<StartWaiter> },
    Watch(Arc<dyn Vm>),
    Stop { vm: Arc<dyn Vm>, options: StopOptions, stops: Vec<StopWaiter>, starts: Vec<StartWaiter> },
    Gone,
}

struct Keeper {
    shared: Shared,
    requests: mpsc::UnboundedReceiver<Request>,
    late: Option<Late>,
}

/// Runs until the last handle is dropped.
pub(super) async fn run(shared: Shared, requests: mpsc::UnboundedReceiver<Request>) {
    let mut keeper = Keeper { shared, requests, late: None };
    let mut next = Next::Rest;
    loop {
        next = match next {
            Next::Rest => keeper.rest().await,
            Next::Launch(waiters) => keeper.launch(waiters).await,
            Next::Wake { vm, adopted, waiters } => keeper.wake(vm, adopted, waiters).await,
            Next::Watch(vm) => keeper.watch(vm).await,
            Next::Stop { vm, options, stops, starts } => keeper.stop(vm, options, stops, starts).await,
            Next::Gone => return,
        };
    }
}

impl Keeper {
    /// Stopped or failed.
    async fn rest(&mut self) -> Next {
        loop {
            match self.requests.recv().await {
                None => return Next::Gone,
                Some(Request::Start(waiter)) => return Next::Launch(vec![start_waiter(waiter)]),
                Some(Request::Stop(_, waiter)) => {
                    // Who stops a failed machine has seen the failure.
                    if matches!(self.shared.publisher.status().state, State::Failed(_)) {
                        self.shared.publisher.down(State::Stopped, None);
                    }
                    self.answer_stops(vec![waiter], true);
                }
                Some(Request::Adopt(waiter)) => {
                    if let Some(next) = self.adopt(waiter).await {
                        return next;
                    }
                }
            }
        }
    }

    async fn adopt(&mut self, waiter: oneshot::Sender<Result<Option<Started>, StartError>>) -> Option<Next> {
        let found = self.shared.hypervisor.adopt(self.shared.config.runtime_dir.clone()).await;
        let answer = match found {
            Ok(Adoption::Living(vm)) => match self.take_over(vm).await {
                Ok(vm) => return Some(Next::Wake { vm, adopted: true, waiters: vec![adopt_waiter(waiter)] }),
                Err(failure) => Err(StartError::Failed(failure)),
            },
            Ok(Adoption::Ended(exit)) => {
                self.settle(exit).await;
                Ok(None)
            }
            Ok(Adoption::Nothing) => Ok(None),
            Err(error) => Err(StartError::Failed(self.fail(Cause::from(error)).await)),
        };
        // Who asked may have gone; there is nothing to tell then.
        waiter.send(answer).ok();
        None
    }

    /// A machine whose secret is lost is of no use: nobody can talk to its agent.
    async fn take_over(&mut self, vm: Arc<dyn Vm>) -> Result<Arc<dyn Vm>, Failure> {
        let path = self.shared.config.secret_file();
        let restored = match tokio::fs::read(&path).await {
            Ok(secret) => self.shared.guest.restore_secret(&secret).map_err(|e| Cause::guest(&e.0)),
            Err(error) => Err(Cause::files(&format!("read {}", path.display()), &error)),
        };
        match restored {
            Ok(()) => Ok(vm),
            Err(cause) => {
                vm.kill().await;
                Err(self.fail(cause).await)
            }
        }
    }

    async fn launch(&mut self, mut waiters: Vec<StartWaiter>) -> Next {
        let mut launching = tokio::spawn(launch::launch(self.shared.clone(), self.late.take()));
        let mut stops = Vec::new();
        let launched = loop {
            tokio::select! {
                launched = &mut launching => break launched,
                request = self.requests.recv() => match request {
                    None => return Next::Gone,
                    Some(Request::Start(waiter)) => waiters.push(start_waiter(waiter)),
                    Some(Request::Adopt(waiter)) => waiters.push(adopt_waiter(waiter)),
                    Some(Request::Stop(_, waiter)) => {
                        refuse(&mut waiters, &StartError::Stopped);
                        stops.push(waiter);
                    }
                },
            }
        };
        let failure = match launched {
            Ok(Ok(vm)) => {
                self.shared.publisher.up(&vm);
                if stops.is_empty() {
                    return Next::Wake { vm, adopted: false, waiters };
                }
                let options = StopOptions { grace: None, force: true };
                return Next::Stop { vm, options, stops, starts: waiters };
            }
            Ok(Err(refusal)) => {
                self.late = refusal.late;
                refusal.failure
            }
            Err(panic) => self.cause_of(&panic).await,
        };
        self.shared.publisher.down(State::Failed(failure.clone()), None);
        refuse(&mut waiters, &StartError::Failed(failure));
        self.answer_stops(stops, false);
        Next::Rest
    }

    async fn wake(&mut self, vm: Arc<dyn Vm>, adopted: bool, mut waiters: Vec<StartWaiter>) -> Next {
        if adopted {
            self.shared.publisher.up(&vm);
        }
        let shared = self.shared.clone();
        let waking = async { if adopted { wake::adopt(&shared, &vm).await } else { wake::wake(&shared, &vm).await } };
        tokio::pin!(waking);
        let woken = loop {
            tokio::select! {
                woken = &mut waking => break woken,
                request = self.requests.recv() => match request {
                    None => return Next::Gone,
                    Some(Request::Start(waiter)) => waiters.push(start_waiter(waiter)),
                    Some(Request::Adopt(waiter)) => waiters.push(adopt_waiter(waiter)),
                    Some(Request::Stop(_, waiter)) => {
                        refuse(&mut waiters, &StartError::Stopped);
                        let options = StopOptions { grace: None, force: true };
                        return Next::Stop { vm: vm.clone(), options, stops: vec![waiter], starts: waiters };
                    }
                },
            }
        };
        match woken {
            Ok(()) => {
                self.shared.publisher.state(State::Running);
                let status = self.shared.publisher.status();
                waiters.into_iter().for_each(|waiter| {
                    waiter(Ok(Started { already_running: adopted, status: status.clone() }));
                });
                Next::Watch(vm.clone())
            }
            Err(failure) => {
                let exit = self.end(&vm).await;
                self.shared.publisher.down(State::Failed(failure.clone()), exit);
                refuse(&mut waiters, &StartError::Failed(failure));
                Next::Rest
            }
        }
    }

    /// Running.
    async fn watch(&mut self, vm: Arc<dyn Vm>) -> Next {
        loop {
            tokio::select! {
                exit = ended(vm.state()) => {
                    self.settle(exit).await;
                    return Next::Rest;
                }
                request = self.requests.recv() => {
                    let started = Started { already_running: true, status: self.shared.publisher.status() };
                    match request {
                        None => return Next::Gone,
                        Some(Request::Start(waiter)) => start_waiter(waiter)(Ok(started)),
                        Some(Request::Adopt(waiter)) => adopt_waiter(waiter)(Ok(started)),
                        Some(Request::Stop(options, waiter)) => {
                            return Next::Stop { vm, options, stops: vec![waiter], starts: Vec::new() };
                        }
                    }
                }
            }
        }
    }

    async fn stop(
        &mut self,
        vm: Arc<dyn Vm>,
        options: StopOptions,
        mut stops: Vec<StopWaiter>,
        mut starts: Vec<StartWaiter>,
    ) -> Next {
        self.shared.publisher.state(State::Stopping);
        let shared = self.shared.clone();
        let (force, forced) = oneshot::channel();
        let mut force = Some(force);
        let ladder = async {
            tokio::select! {
                end = power_off::ladder(&shared, &vm, options) => end,
                Ok(()) = forced => power_off::force(&shared, &vm).await,
            }
        };
        tokio::pin!(ladder);
        let end = loop {
            tokio::select! {
                end = &mut ladder => break end,
                request = self.requests.recv() => match request {
                    None => return Next::Gone,
                    Some(Request::Start(waiter)) => starts.push(start_waiter(waiter)),
                    Some(Request::Adopt(waiter)) => starts.push(adopt_waiter(waiter)),
                    Some(Request::Stop(options, waiter)) => {
                        stops.push(waiter);
                        // Whoever waits for a start asked before this stop.
                        refuse(&mut starts, &StartError::Stopped);
                        if options.force && let Some(force) = force.take() {
                            force.send(()).ok();
                        }
                    }
                },
            }
        };
        match end {
            Ok(exit) => {
                self.forget_secret().await;
                self.shared.publisher.down(State::Stopped, Some(exit));
                self.answer_stops(stops, false);
                if starts.is_empty() { Next::Rest } else { Next::Launch(starts) }
            }
            Err(error) => {
                self.end_late(&vm);
                let failed = HypervisorError::Operation { operation: "stop".to_owned(), cause: error.to_string() };
                let failure = self.fail(Cause::from(failed)).await;
                refuse(&mut starts, &StartError::Failed(failure));
                stops.into_iter().for_each(|waiter| {
                    waiter.send(Err(error.clone())).ok();
                });
                Next::Rest
            }
        }
    }

    /// The state after an end that nobody asked for.
    async fn settle(&mut self, exit: Exit) {
        self.forget_secret().await;
        let state = match exit {
            // Asked for inside, by the API or by who owns the guest: in order, whoever it was.
            Exit::PowerOff | Exit::Forced => State::Stopped,
            Exit::Panic | Exit::Reset | Exit::VmmDied(_) => {
                let cause = Cause::ended(&exit, &self.shared.config).await;
                let failure = cause.at(None, &self.shared.config).await;
                tracing::error!(cause = failure.cause, "the machine ended unexpectedly");
                State::Failed(failure)
            }
        };
        self.shared.publisher.down(state, Some(exit));
    }

    /// Ends a machine whose start failed; one that does not end is left to the next start to wait for.
    async fn end(&mut self, vm: &Arc<dyn Vm>) -> Option<Exit> {
        let end = power_off::force(&self.shared, vm).await;
        self.forget_secret().await;
        if end.is_err() {
            self.end_late(vm);
        }
        end.ok()
    }

    fn end_late(&mut self, vm: &Arc<dyn Vm>) {
        let vm = vm.clone();
        self.late = Some(tokio::spawn(async move { vm.kill().await }));
    }

    async fn fail(&mut self, cause: Cause) -> Failure {
        let failure = cause.at(None, &self.shared.config).await;
        self.shared.publisher.down(State::Failed(failure.clone()), None);
        failure
    }

    async fn cause_of(&self, panic: &tokio::task::JoinError) -> Failure {
        let error = HypervisorError::Operation { operation: "start".to_owned(), cause: panic.to_string() };
        Cause::from(error).at(None, &self.shared.config).await
    }

    /// The boot is over, so is its secret.
    async fn forget_secret(&self) {
        let path = self.shared.config.secret_file();
        match tokio::fs::remove_file(&path).await {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                tracing::warn!(path = %path.display(), %error, "could not remove the secret of a boot that is over");
            }
            _ => {}
        }
    }

    fn answer_stops(&self, stops: Vec<StopWaiter>, already_stopped: bool) {
        let status = self.shared.publisher.status();
        for waiter in stops {
            // Who asked may have gone.
            waiter.send(Ok(Stopped { already_stopped, status: status.clone() })).ok();
        }
    }
}

fn start_waiter(waiter: oneshot::Sender<Result<Started, StartError>>) -> StartWaiter {
    Box::new(move |result| {
        waiter.send(result).ok();
    })
}

fn adopt_waiter(waiter: oneshot::Sender<Result<Option<Started>, StartError>>) -> StartWaiter {
    Box::new(move |result| {
        waiter.send(result.map(Some)).ok();
    })
}

fn refuse(waiters: &mut Vec<StartWaiter>, error: &StartError) {
    for waiter in waiters.drain(..) {
        waiter(Err(error.clone()));
    }
}
