//! What the host answers itself: Machine, health, reflection, and the Docker API's way to them.

use std::{fs, time::Duration};

use cove_machine::{
    fake::Script,
    hypervisor::{Check, Exit, Verdict},
};
use cove_platform::local::LocalStream;
use cove_proto::v1::{
    CheckHostRequest, ExitClass, GetConsoleRequest, GetMachineRequest, GetSettingsRequest, HostCheckVerdict,
    ListContainersRequest, MachineState, RestartMachineRequest, StartMachineRequest, StopMachineRequest,
    UpdateSettingsRequest, WatchMachineRequest, containers_client::ContainersClient, machine_client::MachineClient,
};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tonic::Code;
use tonic_health::pb::{HealthCheckRequest, health_client::HealthClient};
use tonic_reflection::pb::v1::{
    ServerReflectionRequest, server_reflection_client::ServerReflectionClient,
    server_reflection_request::MessageRequest, server_reflection_response::MessageResponse,
};

use crate::fixture::{Fixture, client::Client};

async fn machine(fixture: &Fixture) -> MachineClient<Client> {
    MachineClient::new(fixture.client().await)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_call_that_only_looks_on_wakes_nothing() {
    let fixture = Fixture::new().await;
    let mut list = tonic::Request::new(ListContainersRequest::default());
    list.metadata_mut().insert(cove_proto::NO_WAKE, "1".parse().unwrap());
    let refused = ContainersClient::new(fixture.client().await).list_containers(list).await.unwrap_err();
    assert_eq!((refused.code(), refused.message()), (Code::Unavailable, "the machine does not run"));
    assert_eq!(fixture.fake.starts(), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn looking_starts_nothing() {
    let fixture = Fixture::new().await;
    let machine = machine(&fixture).await.get_machine(GetMachineRequest {}).await.unwrap().into_inner();
    assert_eq!(machine.status.unwrap().state(), MachineState::Stopped);
    assert_eq!(machine.image.unwrap().kernel_release, "6.12.1-test");
    let host = machine.host.unwrap();
    assert_eq!(host.engine_endpoint, fixture.home.engine_endpoint().to_string());
    assert_eq!(host.daemon_pid, std::process::id());
    let hardware = machine.hardware.unwrap();
    assert_eq!((hardware.cpus, hardware.memory_bytes), (2, 2 << 30));

    let mut health = HealthClient::new(fixture.client().await);
    for service in ["", "cove.v1.Machine", "cove.v1.Containers"] {
        let answer = health.check(HealthCheckRequest { service: service.to_owned() }).await.unwrap();
        assert_eq!(answer.into_inner().status, 1, "{service:?} is not serving");
    }
    assert_eq!(fixture.fake.starts(), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn reflection_lists_the_services_of_both_halves() {
    let fixture = Fixture::new().await;
    let question = ServerReflectionRequest {
        host: String::new(),
        message_request: Some(MessageRequest::ListServices(String::new())),
    };
    let mut reflection = ServerReflectionClient::new(fixture.client().await);
    let answers = reflection.server_reflection_info(futures::stream::iter([question])).await.unwrap();
    let answer = answers.into_inner().message().await.unwrap().unwrap().message_response;
    let Some(MessageResponse::ListServicesResponse(list)) = answer else { panic!("{answer:?}") };
    let names: Vec<_> = list.service.iter().map(|service| service.name.as_str()).collect();
    for name in ["cove.v1.Machine", "cove.v1.Containers", "cove.v1.Images", "grpc.health.v1.Health"] {
        assert!(names.contains(&name), "{name} is not in {names:?}");
    }
    let mut old =
        tonic_reflection::pb::v1alpha::server_reflection_client::ServerReflectionClient::new(fixture.client().await);
    let question = tonic_reflection::pb::v1alpha::ServerReflectionRequest::default();
    assert!(old.server_reflection_info(futures::stream::iter([question])).await.is_ok());
    assert_eq!(fixture.fake.starts(), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_start_and_a_stop_are_watched_and_the_machine_can_be_asked_meanwhile() {
    let fixture = Fixture::new().await;
    let mut machine = machine(&fixture).await;
    let mut states = machine.watch_machine(WatchMachineRequest::default()).await.unwrap().into_inner();
    let first = states.message().await.unwrap().unwrap().status.unwrap();
    assert_eq!(first.state(), MachineState::Stopped);

    let started = machine.start_machine(StartMachineRequest {}).await.unwrap().into_inner();
    assert!(!started.already_running);
    let again = machine.start_machine(StartMachineRequest {}).await.unwrap().into_inner();
    assert!(again.already_running);
    let transport = machine.get_machine(GetMachineRequest {}).await.unwrap().into_inner().transport.unwrap();
    assert_eq!((transport.vsock.as_str(), transport.cid, transport.agent_port), ("in-process", 3, 1024));

    let stop = StopMachineRequest { grace: Some(Duration::from_secs(1).try_into().unwrap()), force: false };
    let stopped = machine.stop_machine(stop).await.unwrap().into_inner();
    assert!(!stopped.already_stopped);
    assert_eq!(stopped.status.unwrap().last_exit(), ExitClass::PowerOff);
    let again = machine.stop_machine(StopMachineRequest::default()).await.unwrap().into_inner();
    assert!(again.already_stopped);

    let mut last = first;
    while last.state() != MachineState::Stopped || last.last_exit() == ExitClass::Unspecified {
        let next = states.message().await.unwrap().unwrap().status.unwrap();
        assert!(next.revision > last.revision);
        last = next;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_negative_grace_is_the_callers_mistake() {
    let fixture = Fixture::new().await;
    let grace = Some(prost_types::Duration { seconds: -1, nanos: 0 });
    let refused = machine(&fixture).await.stop_machine(StopMachineRequest { grace, force: false }).await.unwrap_err();
    assert_eq!(refused.code(), Code::InvalidArgument);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_console_is_there_to_read() {
    let fixture = Fixture::new().await;
    let mut machine = machine(&fixture).await;
    machine.start_machine(StartMachineRequest {}).await.unwrap();
    let mut console = machine.get_console(GetConsoleRequest::default()).await.unwrap().into_inner();
    let text = console.message().await.unwrap().unwrap().data;
    assert!(String::from_utf8(text).unwrap().contains("cove-guest: agent ready"));
    assert!(console.message().await.unwrap().is_none());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_host_that_lacks_something_is_told_what_and_how_to_get_it() {
    let fixture = Fixture::new().await;
    let check = Check {
        name: "qemu.version".to_owned(),
        verdict: Verdict::Problem,
        finding: "QEMU 5.2 is too old".to_owned(),
        fix: "install QEMU 7.2 or later".to_owned(),
    };
    fixture.fake.script(Script { checks: vec![check], ..Script::default() });
    let mut machine = machine(&fixture).await;
    let refused = machine.start_machine(StartMachineRequest {}).await.unwrap_err();
    assert_eq!(refused.code(), Code::FailedPrecondition);
    assert!(refused.message().contains("QEMU 5.2 is too old"), "{refused}");
    assert!(refused.message().contains("install QEMU 7.2 or later"), "{refused}");

    let checks = machine.check_host(CheckHostRequest {}).await.unwrap().into_inner().checks;
    assert_eq!((checks[0].name.as_str(), checks[0].verdict()), ("qemu.version", HostCheckVerdict::Problem));
    assert!(["image", "socket.path", "disk.space"].iter().all(|name| checks.iter().any(|check| check.name == *name)));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_phase_that_hangs_and_an_end_by_itself_have_their_codes() {
    let fixture = Fixture::new().await;
    fixture.fake.script(Script { then_ends: Some(Exit::Panic), console: Vec::new(), ..Script::default() });
    let refused = machine(&fixture).await.start_machine(StartMachineRequest {}).await.unwrap_err();
    assert_eq!(refused.code(), Code::Unavailable);
    assert!(refused.message().contains("phase kernel"), "{refused}");
    let now = machine(&fixture).await.get_machine(GetMachineRequest {}).await.unwrap().into_inner().status.unwrap();
    assert_eq!((now.state(), now.last_exit()), (MachineState::Failed, ExitClass::Panic));
    assert!(now.failure.contains("the guest's kernel panicked"), "{}", now.failure);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_an_image_nothing_starts_and_the_version_is_still_told() {
    let fixture = Fixture::new().await;
    fs::remove_dir_all(fixture.image()).unwrap();
    let mut machine = machine(&fixture).await;
    let refused = machine.start_machine(StartMachineRequest {}).await.unwrap_err();
    assert_eq!(refused.code(), Code::FailedPrecondition);
    assert!(
        refused.message().contains("no guest image in") && refused.message().contains("COVE_VM_IMAGE"),
        "{refused}"
    );
    let now = machine.get_machine(GetMachineRequest {}).await.unwrap().into_inner();
    assert!(now.status.unwrap().warnings[0].contains("no guest image in"));
    assert!(docker_get(&fixture, "/version").await.starts_with("HTTP/1.1 200"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn docker_asks_for_ping_and_version_without_starting_anything() {
    let fixture = Fixture::new().await;
    assert!(docker_get(&fixture, "/_ping").await.ends_with("\r\n\r\nOK"));
    let version = docker_get(&fixture, "/version").await;
    assert!(version.contains("6.12.1-test"), "{version}");
    assert_eq!(fixture.fake.starts(), 0);
}

async fn docker_get(fixture: &Fixture, path: &str) -> String {
    let mut stream = LocalStream::connect(&fixture.home.docker_endpoint()).await.unwrap();
    let request = format!("GET {path} HTTP/1.1\r\nHost: docker\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    answer
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn settings_are_changed_and_a_restart_makes_them_true() {
    let mut fixture = Fixture::new().await;
    let mut machine = machine(&fixture).await;
    let at_first = machine.get_settings(GetSettingsRequest {}).await.unwrap().into_inner();
    assert_eq!((at_first.settings, at_first.problem.as_str()), (at_first.defaults, ""));
    machine.start_machine(StartMachineRequest {}).await.unwrap();

    let smaller = UpdateSettingsRequest { cpus: Some(1), ..Default::default() };
    let updated = machine.update_settings(smaller).await.unwrap().into_inner();
    assert!(updated.restart_needed);
    assert!(machine.get_settings(GetSettingsRequest {}).await.unwrap().into_inner().restart_needed);

    // A daemon that takes the machine over knows what it runs with.
    drop(fixture.take_daemon());
    let fixture = fixture.with_daemon().await;
    let mut machine = self::machine(&fixture).await;
    assert!(machine.get_settings(GetSettingsRequest {}).await.unwrap().into_inner().restart_needed);
    let runs = machine.get_machine(GetMachineRequest {}).await.unwrap().into_inner().hardware.unwrap();
    assert_eq!(Some(runs.cpus), at_first.settings.map(|size| size.cpus));
    let back = UpdateSettingsRequest { cpus: at_first.settings.map(|size| size.cpus), ..Default::default() };
    assert!(!machine.update_settings(back).await.unwrap().into_inner().restart_needed);
    machine.update_settings(smaller).await.unwrap();

    let restarted = machine.restart_machine(RestartMachineRequest::default()).await.unwrap().into_inner();
    assert_eq!(restarted.status.unwrap().state(), MachineState::Running);
    assert_eq!(fixture.fake.starts(), 2);
    let now = machine.get_machine(GetMachineRequest {}).await.unwrap().into_inner();
    assert_eq!(now.hardware.unwrap().cpus, 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_setting_out_of_range_is_the_callers_mistake_and_nonsense_in_the_file_has_a_way_out() {
    let fixture = Fixture::new().await;
    let mut machine = machine(&fixture).await;
    let too_many = UpdateSettingsRequest { cpus: Some(1000), ..Default::default() };
    let refused = machine.update_settings(too_many).await.unwrap_err();
    assert_eq!(refused.code(), Code::InvalidArgument);
    assert!(refused.message().starts_with("cpus is 1000, but must be between 1 and"), "{refused}");

    fs::write(fixture.home.machine().join("settings.json"), "nonsense").unwrap();
    let found = machine.get_settings(GetSettingsRequest {}).await.unwrap().into_inner();
    assert!(found.problem.contains("understand the settings in"), "{}", found.problem);
    let change = UpdateSettingsRequest { cpus: Some(1), ..Default::default() };
    assert_eq!(machine.update_settings(change).await.unwrap_err().code(), Code::FailedPrecondition);
    machine.update_settings(UpdateSettingsRequest { reset: true, ..change }).await.unwrap();
    assert_eq!(machine.get_settings(GetSettingsRequest {}).await.unwrap().into_inner().problem, "");
}
