//! Watching the machine: each state once, whoever was away, and what it uses.

use std::time::Duration;

use cove_machine::{
    fake::Script,
    hypervisor::{Check, Verdict},
};
use cove_proto::v1::{
    MachineState, MachineStatus, StartMachineRequest, StartPhase, StopMachineRequest, WatchMachineRequest,
    WatchMachineResponse, machine_client::MachineClient,
};
use tonic::{Code, Streaming};

use crate::fixture::{Fixture, client::Client};

async fn machine(fixture: &Fixture) -> MachineClient<Client> {
    MachineClient::new(fixture.client().await)
}

async fn watch(machine: &mut MachineClient<Client>, after_revision: u64) -> Streaming<WatchMachineResponse> {
    let request = WatchMachineRequest { after_revision, resources_every: None };
    machine.watch_machine(request).await.unwrap().into_inner()
}

async fn next(states: &mut Streaming<WatchMachineResponse>) -> MachineStatus {
    states.message().await.unwrap().unwrap().status.unwrap()
}

/// States up to this one, which is the last.
async fn until(states: &mut Streaming<WatchMachineResponse>, last: MachineState) -> Vec<MachineStatus> {
    let mut seen = Vec::new();
    loop {
        seen.push(next(states).await);
        if seen.last().is_some_and(|status| status.state() == last) {
            return seen;
        }
    }
}

fn ways(seen: &[MachineStatus]) -> Vec<(MachineState, StartPhase)> {
    seen.iter().map(|status| (status.state(), status.phase())).collect()
}

/// A start from its first phase to its end.
const START: [(MachineState, StartPhase); 5] = [
    (MachineState::Starting, StartPhase::Prepare),
    (MachineState::Starting, StartPhase::Vmm),
    (MachineState::Starting, StartPhase::Kernel),
    (MachineState::Starting, StartPhase::Agent),
    (MachineState::Running, StartPhase::Unspecified),
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_phase_of_a_start_is_told_however_quick_it_is() {
    let fixture = Fixture::new().await;
    let mut machine = machine(&fixture).await;
    let mut states = watch(&mut machine, 0).await;
    assert_eq!(next(&mut states).await.state(), MachineState::Stopped);
    machine.start_machine(StartMachineRequest {}).await.unwrap();
    assert_eq!(ways(&until(&mut states, MachineState::Running).await), START);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_watch_that_goes_on_tells_nothing_twice_and_loses_nothing() {
    let fixture = Fixture::new().await;
    let mut machine = machine(&fixture).await;
    let first = next(&mut watch(&mut machine, 0).await).await;
    // Nobody watches while it starts, stops, fails and starts.
    machine.start_machine(StartMachineRequest {}).await.unwrap();
    machine.stop_machine(StopMachineRequest::default()).await.unwrap();
    let lacks = Check {
        name: "qemu".to_owned(),
        verdict: Verdict::Problem,
        finding: "QEMU is not there".to_owned(),
        fix: "install it".to_owned(),
    };
    fixture.fake.script(Script { checks: vec![lacks], ..Script::default() });
    machine.start_machine(StartMachineRequest {}).await.unwrap_err();
    fixture.fake.script(Script::default());
    machine.start_machine(StartMachineRequest {}).await.unwrap();

    let mut states = watch(&mut machine, first.revision).await;
    let mut seen = until(&mut states, MachineState::Running).await;
    seen.extend(until(&mut states, MachineState::Failed).await);
    assert!(seen.last().unwrap().failure.contains("QEMU is not there"));
    let half = seen.last().unwrap().revision;
    // Again from the middle, on another stream.
    drop(states);
    let mut states = watch(&mut machine, half).await;
    seen.extend(until(&mut states, MachineState::Running).await);
    let revisions: Vec<u64> = seen.iter().map(|status| status.revision).collect();
    let each: Vec<u64> = (first.revision + 1..).take(seen.len()).collect();
    assert_eq!(revisions, each);
    assert!(ways(&seen).starts_with(&START) && ways(&seen).ends_with(&START));

    // Who knows the present state is told the next.
    let known = seen.last().unwrap().revision;
    let mut states = watch(&mut machine, known).await;
    machine.stop_machine(StopMachineRequest::default()).await.unwrap();
    let stopping = next(&mut states).await;
    assert_eq!((stopping.state(), stopping.revision), (MachineState::Stopping, known + 1));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_comes_back_to_another_daemon_is_told_how_the_machine_is() {
    let mut fixture = Fixture::new().await;
    let mut before = machine(&fixture).await;
    before.start_machine(StartMachineRequest {}).await.unwrap();
    let known = next(&mut watch(&mut before, 0).await).await;
    // As kill -9 does.
    drop(fixture.take_daemon());
    let fixture = fixture.with_daemon().await;
    let mut machine = machine(&fixture).await;
    machine.stop_machine(StopMachineRequest::default()).await.unwrap();
    let told = next(&mut watch(&mut machine, known.revision).await).await;
    assert_eq!(told.state(), MachineState::Stopped);
    assert!(told.revision > known.revision);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_the_machine_uses_is_measured_while_it_runs_for_who_asks() {
    let fixture = Fixture::new().await;
    let mut machine = machine(&fixture).await;
    let every = Some(Duration::from_millis(100).try_into().unwrap());
    let request = WatchMachineRequest { after_revision: 0, resources_every: every };
    let mut news = machine.watch_machine(request).await.unwrap().into_inner();
    assert_eq!(next(&mut news).await.state(), MachineState::Stopped);
    assert_eq!(fixture.fake.starts(), 0, "measuring has started the machine");
    machine.start_machine(StartMachineRequest {}).await.unwrap();

    let (mut measured, mut last) = (0, MachineState::Stopped);
    while measured < 2 {
        let news = news.message().await.unwrap().unwrap();
        if let Some(status) = news.status {
            last = status.state();
        }
        if let Some(resources) = news.resources {
            assert_eq!(last, MachineState::Running);
            assert_eq!((resources.cpus, resources.memory_bytes), (2, 2 << 30));
            assert_eq!(resources.memory_available_bytes, 1 << 30);
            assert_eq!(resources.cpu_time.unwrap().seconds, 1);
            measured += 1;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_interval_that_makes_no_sense_is_the_callers_mistake() {
    let fixture = Fixture::new().await;
    let mut machine = machine(&fixture).await;
    for (seconds, nanos) in [(0, 0), (0, 99_999_999), (-1, 0), (3601, 0), (i64::MAX, 0)] {
        let every = Some(prost_types::Duration { seconds, nanos });
        let request = WatchMachineRequest { after_revision: 0, resources_every: every };
        let refused = machine.watch_machine(request).await.unwrap_err();
        assert_eq!(refused.code(), Code::InvalidArgument, "{seconds}.{nanos}");
        assert!(refused.message().contains("between 100 milliseconds and one hour"), "{refused}");
    }
}
