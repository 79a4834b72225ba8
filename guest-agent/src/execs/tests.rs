//! Execs, with programs that the test makes up.

use std::io::Read;

use cove_proto::v1::{ContainerSpec, ExecSpec, WaitCondition};

use super::*;
use crate::{
    containers::{
        Kind,
        fake::{FakeProgram, IMAGE, World},
    },
    logs::Stream,
    processes::{LaunchError, error::LaunchFailure},
};

struct Scene {
    world: World,
    execs: Execs,
    container: String,
    first: Arc<FakeProgram>,
}

async fn scene() -> Scene {
    let world = World::new().await;
    let spec = ContainerSpec { image: IMAGE.to_owned(), env: vec!["A=container".into()], ..ContainerSpec::default() };
    let container = world.containers.create("web", spec).await.unwrap();
    world.containers.start("web").await.unwrap();
    let (execs, first) = (Execs::new(world.containers.clone()), world.launcher.program(&container));
    Scene { world, execs, container, first }
}

fn command(args: &[&str]) -> ExecSpec {
    let args = args.iter().map(|arg| (*arg).to_owned()).collect();
    ExecSpec { args, stdin: true, stdout: true, stderr: true, ..ExecSpec::default() }
}

#[tokio::test]
async fn an_exec_runs_speaks_and_tells_its_exit_code_when_its_output_ends() {
    let Scene { world, execs, container, .. } = scene().await;
    let id = execs.create("web", command(&["cat"])).unwrap();
    assert_eq!(execs.inspect(&id).unwrap().exit_code, None);
    let Started { output, input } = execs.start(&id, false, None).await.unwrap();
    let program = world.launcher.program(&id);
    let seen = execs.inspect(&id).unwrap();
    assert_eq!((seen.running, seen.pid, seen.container_id.as_str()), (true, program.pid(), container.as_str()));
    assert_eq!(world.containers.inspect("web", false).await.unwrap().exec_ids, std::slice::from_ref(&id));
    let input = input.unwrap();
    assert!(input.write(b"in").await);
    input.finish().await;
    let mut stdin = program.stdin();
    let mut read = String::new();
    stdin.read_to_string(&mut read).unwrap();
    assert_eq!(read, "in");
    program.says("out");
    program.complains("err");
    program.exits(4);
    let mut output = output.unwrap();
    let (mut out, mut err) = (Vec::<u8>::new(), Vec::<u8>::new());
    while let Some((stream, data)) = output.recv().await {
        if stream == Stream::Stdout { out.extend(data) } else { err.extend(data) }
    }
    assert_eq!((out.as_slice(), err.as_slice()), (b"out".as_slice(), b"err".as_slice()));
    let seen = execs.inspect(&id).unwrap();
    assert_eq!((seen.running, seen.exit_code), (false, Some(4)));
    assert!(world.containers.inspect("web", false).await.unwrap().exec_ids.is_empty());
}

#[tokio::test]
async fn an_exec_has_the_environment_of_its_container_and_its_own() {
    let Scene { world, execs, .. } = scene().await;
    let spec = ExecSpec { env: vec!["B=exec".into()], user: "7".into(), ..command(&["env"]) };
    let id = execs.create("web", spec).unwrap();
    execs.start(&id, true, None).await.unwrap();
    let process = world.launcher.last_launch();
    assert!(process.env.contains(&"A=container".to_owned()) && process.env.contains(&"B=exec".to_owned()));
    assert_eq!(process.user, "7");
}

#[tokio::test]
async fn an_exec_starts_once() {
    let Scene { world, execs, .. } = scene().await;
    let id = execs.create("web", command(&["true"])).unwrap();
    let started = execs.start(&id, true, None).await.unwrap();
    assert!(started.output.is_none() && started.input.is_none());
    let error = execs.start(&id, true, None).await.unwrap_err();
    assert_eq!(error.to_string(), format!("Error: Exec command {id} is already running"));
    world.launcher.program(&id).exits(0);
    while execs.inspect(&id).unwrap().running {
        tokio::task::yield_now().await;
    }
    let error = execs.start(&id, true, None).await.unwrap_err();
    assert_eq!(
        (error.kind(), error.to_string()),
        (Kind::Conflict, format!("Error: Exec command {id} has already run"))
    );
}

#[tokio::test]
async fn a_program_that_is_not_there_is_said_in_dockers_words_and_leaves_an_exit_code() {
    let Scene { world, execs, .. } = scene().await;
    for (failure, code, reason) in [
        (LaunchFailure::NotFound { program: "x".into() }, 127, "exec: \"x\": executable file not found in $PATH"),
        (LaunchFailure::Permission { program: "/x".into() }, 126, "exec: \"/x\": permission denied"),
    ] {
        let id = execs.create("web", command(&["x"])).unwrap();
        *world.launcher.refusal.lock().unwrap() = Some(LaunchError::Process(failure));
        let error = execs.start(&id, false, None).await.unwrap_err();
        let words =
            format!("OCI runtime exec failed: exec failed: unable to start container process: {reason}: unknown");
        assert_eq!((error.kind(), error.to_string()), (Kind::Invalid, words));
        assert_eq!(execs.inspect(&id).unwrap().exit_code, Some(code));
    }
}

#[tokio::test]
async fn an_exec_needs_a_program_and_a_container_that_runs() {
    let Scene { world, execs, container, first } = scene().await;
    assert_eq!(execs.create("web", command(&[])).unwrap_err().to_string(), "No exec command specified");
    assert_eq!(execs.create("nosuch", command(&["x"])).unwrap_err().kind(), Kind::NotFound);
    let id = execs.create("web", command(&["x"])).unwrap();
    first.exits(0);
    world.containers.wait("web", WaitCondition::NotRunning).await.unwrap().await.unwrap();
    for error in [execs.create("web", command(&["x"])).unwrap_err(), execs.start(&id, false, None).await.unwrap_err()] {
        assert_eq!(
            (error.kind(), error.to_string()),
            (Kind::Conflict, format!("container {container} is not running"))
        );
    }
    assert_eq!(execs.inspect("nosuch").unwrap_err().to_string(), "No such exec instance: nosuch");
    assert_eq!(execs.resize(&id, 1, 1).unwrap_err().to_string(), format!("exec {id} is not running"));
}

#[tokio::test]
async fn a_client_that_leaves_does_not_hold_the_program_up() {
    let Scene { world, execs, .. } = scene().await;
    let id = execs.create("web", command(&["yes"])).unwrap();
    drop(execs.start(&id, false, None).await.unwrap());
    let program = world.launcher.program(&id);
    let mut stdout = program.stdout();
    tokio::task::spawn_blocking(move || std::io::Write::write_all(&mut stdout, &vec![b'y'; 4_000_000]).unwrap())
        .await
        .unwrap();
    program.exits(0);
    while execs.inspect(&id).unwrap().running {
        tokio::task::yield_now().await;
    }
}
