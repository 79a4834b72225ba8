//! One daemon per home, its end, and what the next one finds.

use std::time::Duration;

use bytes::Bytes;
use cove_daemon::compose::DaemonError;
use cove_machine::{State, hypervisor::Exit};
use cove_platform::lock::LockError;
use cove_proto::v1::{GetMachineRequest, MachineState, StartMachineRequest, machine_client::MachineClient};
use tonic::Code;

use crate::fixture::{
    Fixture,
    client::{collect, status},
};

const UNARY: &str = "/cove.v1.Containers/StartContainer";
const STREAMING: &str = "/cove.v1.Containers/AttachContainer";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_second_daemon_for_the_home_is_refused_and_the_first_goes_on() {
    let fixture = Fixture::new().await;
    let Err(refused) = fixture.another_daemon().await else { panic!("two daemons in one home") };
    assert!(matches!(&refused, DaemonError::Lock(LockError::Held { pid: Some(_) })), "{refused:?}");
    assert_eq!(refused.to_string(), format!("coved is already running (pid {})", std::process::id()));
    collect(fixture.client().await.call(UNARY, Bytes::new()).await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stop_powers_the_guest_off_takes_the_sockets_away_and_gives_the_lock_back() {
    let mut fixture = Fixture::new().await;
    let mut client = fixture.client().await;
    let (_upload, answer) = client.open(STREAMING);
    let told = tokio::spawn(status(answer.await));
    let machine = fixture.daemon().machine().clone();
    let daemon = fixture.take_daemon();
    daemon.stop(std::future::pending()).await.unwrap();

    assert_eq!(machine.status().borrow().last_exit, Some(Exit::PowerOff));
    let told = told.await.unwrap();
    assert_eq!(told.code(), Code::Unavailable);
    assert!(told.message().contains("the guest powered off"), "{told}");
    assert!(!fixture.home.engine_endpoint().path().exists() && !fixture.home.docker_endpoint().path().exists());
    fixture.another_daemon().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_is_in_a_hurry_ends_a_guest_that_does_not_power_off() {
    let mut fixture = Fixture::new().await;
    collect(fixture.client().await.call(UNARY, Bytes::new()).await).await;
    fixture.guest.become_a_stranger();
    let machine = fixture.daemon().machine().clone();
    fixture.take_daemon().stop(std::future::ready(())).await.unwrap();
    assert_eq!(machine.status().borrow().last_exit, Some(Exit::Forced));
    assert_eq!(machine.status().borrow().state, State::Stopped);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_connected_client_cannot_start_the_machine_of_a_daemon_that_stops() {
    let mut fixture = Fixture::new().await;
    let mut client = fixture.client().await;
    collect(client.call(UNARY, Bytes::new()).await).await;
    let daemon = fixture.take_daemon();
    let mut states = daemon.machine().status();
    let stopping = tokio::spawn(daemon.stop(std::future::pending()));
    states.wait_for(|status| status.state != State::Running).await.unwrap();
    // The connection may be at its end by now as well; what may not happen is a second start.
    if let Ok(refused) = MachineClient::new(client).start_machine(StartMachineRequest {}).await {
        panic!("started: {refused:?}");
    }
    stopping.await.unwrap().unwrap();
    assert_eq!(fixture.fake.starts(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_daemon_that_dies_leaves_its_machine_to_the_next() {
    let mut fixture = Fixture::new().await;
    collect(fixture.client().await.call(UNARY, Bytes::new()).await).await;
    // As kill -9 does: nothing is stopped, nothing said.
    drop(fixture.take_daemon());
    let fixture = fixture.with_daemon().await;
    let (echo, _) = collect(fixture.client().await.call(UNARY, Bytes::from_static(b"still here")).await).await;
    assert_eq!(echo, "still here");
    assert_eq!(fixture.fake.starts(), 1, "the machine was started again instead of taken over");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_guest_is_told_the_time_when_it_is_up_and_the_way_is_measured() {
    let fixture = Fixture::new().await;
    let mut machine = MachineClient::new(fixture.client().await);
    machine.start_machine(StartMachineRequest {}).await.unwrap();
    fixture.guest.called("/cove.v1.Guest/SetClock").await;
    // The answer is on its way to the daemon.
    let measured = async {
        loop {
            let now = machine.get_machine(GetMachineRequest {}).await.unwrap().into_inner();
            assert_eq!(now.status.unwrap().state(), MachineState::Running);
            if let Some(round_trip) = now.transport.unwrap().agent_round_trip {
                return Duration::try_from(round_trip).unwrap();
            }
        }
    };
    assert!(tokio::time::timeout(Duration::from_secs(10), measured).await.unwrap() > Duration::ZERO);
}
