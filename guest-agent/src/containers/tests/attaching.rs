//! attach and logs.

use std::io::{Read, Write};

use bytes::Bytes;
use futures::{Stream, StreamExt, TryStreamExt};

use cove_proto::v1;

use super::*;
use crate::{
    containers::attach::{self, Attached, Input},
    detach_keys::DetachKeys,
    logs::Stream as Source,
};

const BOTH: attach::Wanted =
    attach::Wanted { stdin: false, stdout: true, stderr: true, logs: false, stream: true, detach_keys: None };

async fn all(output: impl Stream<Item = Result<(Source, Bytes), ContainersError>>) -> (Vec<u8>, Vec<u8>) {
    let pieces: Vec<(Source, Bytes)> = output.try_collect().await.unwrap();
    let of =
        |wanted| pieces.iter().filter(|(source, _)| *source == wanted).flat_map(|(_, data)| data.to_vec()).collect();
    (of(Source::Stdout), of(Source::Stderr))
}

fn interactive() -> ContainerSpec {
    ContainerSpec { open_stdin: true, stdin_once: true, ..spec() }
}

impl World {
    fn input_of(&self, container: &str) -> Input {
        let Attached { input, .. } = self
            .containers
            .attach(container, attach::Wanted { stdin: true, stream: true, ..Default::default() })
            .unwrap();
        input.unwrap()
    }

    async fn lines(&self, container: &str, wanted: output::Wanted) -> Vec<String> {
        let pieces = self.containers.output(container, wanted).await.unwrap();
        pieces.map(|piece| String::from_utf8(piece.unwrap().data.to_vec()).unwrap()).collect().await
    }
}

#[tokio::test]
async fn who_attaches_before_the_start_misses_nothing_and_is_let_go_at_the_end() {
    let world = World::new().await;
    let id = world.containers.create("web", ContainerSpec { auto_remove: true, ..spec() }).await.unwrap();
    let attached = world.containers.attach("web", BOTH).unwrap();
    world.containers.start("web").await.unwrap();
    let program = world.launcher.program(&id);
    program.says("out 1\n");
    program.complains("err\n");
    program.says("out 2");
    program.exits(0);
    let removed = world.containers.wait(&id, WaitCondition::Removed).await;
    if let Ok(removed) = removed {
        removed.await.unwrap();
    }
    // The container and its log are gone; what it wrote is not lost to who was there.
    let (out, err) = all(attached.output).await;
    assert_eq!((out.as_slice(), err.as_slice()), (b"out 1\nout 2".as_slice(), b"err\n".as_slice()));
}

#[tokio::test]
async fn who_does_not_read_holds_nobody_up_and_loses_nothing() {
    let world = World::new().await;
    let (_, program) = world.started("web", spec()).await;
    let slow = world.containers.attach("web", BOTH).unwrap();
    let mut stdout = program.stdout();
    let text: Vec<u8> = (0..8_000_000_u32).map(|n| (n % 251) as u8).collect();
    let expected = text.clone();
    // Far more than a pipe holds: it gets through only if somebody reads.
    tokio::task::spawn_blocking(move || stdout.write_all(&text).unwrap()).await.unwrap();
    program.exits(0);
    assert_eq!(world.exit_code("web").await, 0);
    let (out, _) = all(slow.output).await;
    assert!(out == expected, "{} of {} bytes", out.len(), expected.len());
}

#[tokio::test]
async fn logs_come_first_when_asked_for_and_alone_when_nothing_else_is() {
    let world = World::new().await;
    let (_, program) = world.started("web", spec()).await;
    program.says("before\n");
    program.exits(0);
    world.exit_code("web").await;
    let only = attach::Wanted { logs: true, stream: false, ..BOTH };
    assert_eq!(all(world.containers.attach("web", only).unwrap().output).await.0, b"before\n");
    // The next run is what there is to follow.
    let both = world.containers.attach("web", attach::Wanted { logs: true, ..BOTH }).unwrap();
    let live = world.containers.attach("web", attach::Wanted { stderr: false, ..BOTH }).unwrap();
    world.containers.start("web").await.unwrap();
    let id = world.containers.find("web").unwrap().id.clone();
    let program = world.launcher.program(&id);
    program.complains("unwanted\n");
    program.says("after\n");
    program.exits(0);
    assert_eq!(all(both.output).await.0, b"before\nafter\n");
    assert_eq!(all(live.output).await, (b"after\n".to_vec(), Vec::new()));
}

#[tokio::test]
async fn input_waits_for_the_start_and_its_end_reaches_the_program() {
    let world = World::new().await;
    let id = world.containers.create("cat", interactive()).await.unwrap();
    let mut input = world.input_of("cat");
    let text: Vec<u8> = (0..3_000_000_u32).map(|n| (n % 253) as u8).collect();
    let expected = text.clone();
    let feeding = tokio::spawn(async move {
        for piece in text.chunks(40_000) {
            assert!(input.write(piece).await);
        }
        input.finish().await;
    });
    world.containers.start("cat").await.unwrap();
    let mut stdin = world.launcher.program(&id).stdin();
    let read = tokio::task::spawn_blocking(move || {
        let mut read = Vec::new();
        stdin.read_to_end(&mut read).unwrap();
        read
    });
    assert!(read.await.unwrap() == expected);
    feeding.await.unwrap();
}

#[tokio::test]
async fn input_that_ends_before_the_start_is_an_empty_input() {
    let world = World::new().await;
    let id = world.containers.create("cat", interactive()).await.unwrap();
    let ending = tokio::spawn(world.input_of("cat").finish());
    world.containers.start("cat").await.unwrap();
    ending.await.unwrap();
    let mut stdin = world.launcher.program(&id).stdin();
    assert_eq!(stdin.read(&mut [0]).unwrap(), 0);
}

#[tokio::test]
async fn where_input_stays_open_its_end_ends_only_the_connection() {
    let world = World::new().await;
    let (_, program) = world.started("sh", ContainerSpec { open_stdin: true, ..spec() }).await;
    let Attached { output, input } = world.containers.attach("sh", attach::Wanted { stdin: true, ..BOTH }).unwrap();
    input.unwrap().finish().await;
    assert_eq!(all(output).await, (Vec::new(), Vec::new()));
    assert!(program.input().is_some() && program.exited().is_none());
    assert!(world.input_of("sh").write(b"still").await);
}

#[tokio::test]
async fn input_to_what_reads_no_more_is_refused_and_ends_nothing() {
    let world = World::new().await;
    let (_, program) = world.started("sh", interactive()).await;
    let attached = world.containers.attach("sh", attach::Wanted { stdin: true, ..BOTH }).unwrap();
    drop(program.stdin());
    assert!(!attached.input.unwrap().write(b"x").await);
    program.says("goes on");
    program.exits(0);
    assert_eq!(all(attached.output).await.0, b"goes on");
}

#[tokio::test]
async fn keys_at_a_terminal_let_go_of_it_and_what_came_before_them_arrives() {
    let world = World::new().await;
    let (_, program) = world.started("sh", ContainerSpec { tty: true, ..interactive() }).await;
    let wanted = attach::Wanted { stdin: true, detach_keys: DetachKeys::parse("ctrl-a,b"), ..BOTH };
    let Attached { mut output, input } = world.containers.attach("sh", wanted).unwrap();
    program.says("hello");
    assert_eq!(output.next().await.unwrap().unwrap().1, "hello");
    let mut input = input.unwrap();
    assert!(input.write(b"typed\x01").await);
    assert!(!input.write(b"b").await);
    assert_eq!(text(&output.next().await.unwrap().unwrap_err()), "read escape sequence");
    assert!(output.next().await.is_none() && program.exited().is_none());
    let mut typed = [0; 5];
    program.stdin().read_exact(&mut typed).unwrap();
    assert_eq!(&typed, b"typed");
}

#[tokio::test]
async fn without_a_terminal_the_keys_are_input() {
    let world = World::new().await;
    let (_, program) = world.started("cat", interactive()).await;
    let wanted = attach::Wanted { stdin: true, detach_keys: DetachKeys::parse("a"), ..BOTH };
    let Attached { input, .. } = world.containers.attach("cat", wanted).unwrap();
    assert!(input.unwrap().write(b"a").await);
    let mut typed = [0];
    program.stdin().read_exact(&mut typed).unwrap();
    assert_eq!(&typed, b"a");
}

#[tokio::test]
async fn a_container_without_a_log_can_be_attached_to_but_not_read() {
    let world = World::new().await;
    let log_config = Some(v1::LogConfig { driver: "none".into(), ..Default::default() });
    let (_, program) = world.started("web", ContainerSpec { log_config, ..spec() }).await;
    let attached = world.containers.attach("web", BOTH).unwrap();
    program.says("heard");
    program.exits(0);
    assert_eq!(all(attached.output).await.0, b"heard");
    let unread = "configured logging driver does not support reading";
    let stdout = output::Wanted { stdout: true, ..Default::default() };
    assert_eq!(text(&world.containers.output("web", stdout).await.err().unwrap()), unread);
    let replayed = world.containers.attach("web", attach::Wanted { logs: true, ..BOTH }).err().unwrap();
    assert_eq!((replayed.kind(), text(&replayed)), (Kind::Unsupported, unread.to_owned()));
}

#[tokio::test]
async fn a_value_of_a_log_option_that_makes_no_sense_is_found_at_the_start() {
    let world = World::new().await;
    let options = [("max-size".to_owned(), "abc".to_owned())].into();
    let log_config = Some(v1::LogConfig { driver: "json-file".into(), options });
    world.containers.create("web", ContainerSpec { log_config, ..spec() }).await.unwrap();
    let words = "failed to create task for container: failed to initialize logging driver: invalid size: 'abc'";
    assert_eq!(text(&world.containers.start("web").await.unwrap_err()), words);
    let log_config = Some(v1::LogConfig { driver: "nosuch".into(), ..Default::default() });
    let unknown = world.containers.create("db", ContainerSpec { log_config, ..spec() }).await.unwrap_err();
    assert_eq!(
        (unknown.kind(), text(&unknown).as_str()),
        (Kind::Invalid, "error looking up logging plugin nosuch: plugin \"nosuch\" not found")
    );
}

#[tokio::test]
async fn who_attaches_to_a_container_that_is_removed_is_let_go() {
    let world = World::new().await;
    world.containers.create("web", spec()).await.unwrap();
    let attached = world.containers.attach("web", BOTH).unwrap();
    let mut input = {
        let with = world.containers.create("sh", interactive()).await.unwrap();
        world.input_of(&with)
    };
    world.containers.remove("web", false, false).await.unwrap();
    world.containers.remove("sh", false, false).await.unwrap();
    assert_eq!(all(attached.output).await, (Vec::new(), Vec::new()));
    assert!(!input.write(b"x").await);
    assert_eq!(world.containers.attach("web", BOTH).err().unwrap().kind(), Kind::NotFound);
}

#[tokio::test]
async fn logs_are_lines_of_the_streams_asked_for() {
    let world = World::new().await;
    let (_, program) = world.started("web", spec()).await;
    program.says("one\ntwo\nthree\npart");
    program.exits(0);
    world.exit_code("web").await;
    let stdout = output::Wanted { stdout: true, ..Default::default() };
    assert_eq!(world.lines("web", stdout).await, ["one\n", "two\n", "three\n", "part"]);
    assert_eq!(world.lines("web", output::Wanted { tail: Some(2), ..stdout }).await, ["three\n", "part"]);
    let stderr = output::Wanted { stderr: true, ..Default::default() };
    assert_eq!(world.lines("web", stderr).await, Vec::<String>::new());
    let late = output::Wanted { since: Some(clock_in_an_hour()), ..stdout };
    assert_eq!(world.lines("web", late).await, Vec::<String>::new());
    assert_eq!(world.lines("web", output::Wanted { until: Some(1), ..stdout }).await, Vec::<String>::new());
    // There is nothing to follow, so this ends.
    assert_eq!(world.lines("web", output::Wanted { follow: true, ..stdout }).await.len(), 4);
    let none = world.containers.output("web", output::Wanted::default()).await.err().unwrap();
    assert_eq!(text(&none), "Bad parameters: you must choose at least one stream");
}

#[tokio::test]
async fn who_follows_gets_lines_as_they_come_until_the_end_or_a_time() {
    let world = World::new().await;
    let (_, program) = world.started("web", spec()).await;
    let follow = output::Wanted { stdout: true, follow: true, ..Default::default() };
    let mut lines = Box::pin(world.containers.output("web", follow).await.unwrap());
    program.says("first ");
    assert_eq!(lines.next().await.unwrap().unwrap().data, "first ");
    program.says("line\n");
    let rest = lines.next().await.unwrap().unwrap();
    assert!(rest.continues && rest.data == "line\n");
    let until = Some(crate::clock::now_nanos() + 30_000_000);
    let _: Vec<String> = world.lines("web", output::Wanted { until, ..follow }).await;
    program.exits(0);
    assert!(lines.next().await.is_none());
}

fn clock_in_an_hour() -> i64 {
    crate::clock::now_nanos() + 3_600_000_000_000
}
