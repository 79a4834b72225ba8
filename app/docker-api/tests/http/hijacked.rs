//! Attach and exec: heads, frames, half-close and what goes wrong.

use std::time::Duration;

use crate::client::{Client, upgrade};

const ATTACH: &str = "/v1.51/containers/c2/attach?stream=1&stdin=1&stdout=1&stderr=1";

#[tokio::test]
async fn attach_answers_101_echoes_and_ends_after_a_half_close() {
    let mut client = Client::new();
    client.send(upgrade(ATTACH, "")).await;
    assert_eq!(
        client.read_head().await,
        "HTTP/1.1 101 UPGRADED\r\nContent-Type: application/vnd.docker.multiplexed-stream\r\nConnection: Upgrade\r\n\
         Upgrade: tcp\r\n\r\n"
    );
    client.send("abc\n").await;
    assert_eq!(client.read_until(b"abc\n").await, b"\x01\0\0\0\0\0\0\x04abc\n");
    client.finish().await;
    assert_eq!(client.read_to_end().await, b"\x02\0\0\0\0\0\0\x04bye\n");
    client.served.await.unwrap();
}

#[tokio::test]
async fn input_in_the_packet_of_the_request_is_not_lost() {
    let mut client = Client::new();
    client.send(upgrade(ATTACH, "") + "early\n").await;
    client.read_head().await;
    assert_eq!(client.read_until(b"early\n").await, b"\x01\0\0\0\0\0\0\x06early\n");
}

/// docker-py reads the head through a buffer and what follows past it.
#[tokio::test(start_paused = true)]
async fn output_does_not_come_along_with_the_head() {
    let mut client = Client::new();
    client.send(upgrade(ATTACH, "") + "early\n").await;
    tokio::time::sleep(Duration::from_millis(1)).await;
    assert!(client.read_some().await.ends_with("\r\n\r\n"));
    assert!(client.read_some().await.ends_with("early\n"));
}

#[tokio::test]
async fn without_an_upgrade_attach_answers_200_and_still_has_frames() {
    let mut client = Client::new();
    client.send(format!("POST {ATTACH} HTTP/1.1\r\nHost: d\r\n\r\nabc\n")).await;
    assert_eq!(client.read_head().await, "HTTP/1.1 200 OK\r\nContent-Type: application/vnd.docker.raw-stream\r\n\r\n");
    assert_eq!(client.read_until(b"abc\n").await, b"\x01\0\0\0\0\0\0\x04abc\n");
}

#[tokio::test]
async fn a_terminal_is_raw() {
    let mut client = Client::new();
    client.send(upgrade("/v1.51/containers/tty/attach?stream=1&stdin=1&stdout=1", "")).await;
    assert!(client.read_head().await.contains("Content-Type: application/vnd.docker.raw-stream\r\n"));
    client.send("abc\n").await;
    assert_eq!(client.read_until(b"\n").await, b"abc\n");
}

#[tokio::test]
async fn old_clients_are_not_told_of_frames() {
    let mut client = Client::new();
    client.send(upgrade("/v1.41/containers/c2/attach?stream=1&stdin=1&stdout=1", "")).await;
    assert!(client.read_head().await.contains("Content-Type: application/vnd.docker.raw-stream\r\n"));
}

#[tokio::test]
async fn a_client_that_leaves_a_quiet_attach_is_noticed_at_once() {
    for query in ["stream=1&stdin=1&stdout=1", "stream=1&stdout=1"] {
        let mut client = Client::new();
        client.send(upgrade(&format!("/v1.51/containers/quiet/attach?{query}"), "")).await;
        client.read_head().await;
        client.finish().await;
        assert!(!client.served.is_finished(), "a half-close is no end");
        client.leave.send(()).unwrap();
        client.fake.cancelled.notified().await;
        client.served.await.unwrap();
    }
}

#[tokio::test]
async fn keys_that_let_go_are_passed_on_and_end_the_connection_without_a_word() {
    let mut client = Client::new();
    client.send(upgrade("/v1.51/containers/let-go/attach?stream=1&stdin=1&stdout=1&detachKeys=ctrl-a", "")).await;
    client.read_head().await;
    client.finish().await;
    assert_eq!(client.read_to_end().await, b"");
    assert_eq!(client.fake.asked().last().map(String::as_str), Some("detach keys ctrl-a"));
    let mut client = Client::new();
    client.send(upgrade("/v1.51/exec/let-go/start", r#"{"Tty":true}"#)).await;
    client.read_head().await;
    client.finish().await;
    assert_eq!(client.read_to_end().await, b"");
    assert_eq!(client.fake.asked().last().map(String::as_str), Some("detach keys ctrl-b"));
}

#[tokio::test]
async fn without_stdin_nothing_is_passed_on() {
    let mut client = Client::new();
    client.send(upgrade("/v1.51/containers/c2/attach?stream=1&stdout=1", "") + "ignored").await;
    client.read_head().await;
    client.finish().await;
    assert_eq!(client.read_to_end().await, b"", "the engine was told at once that there is no input");
    assert_eq!(client.fake.asked(), ["attach in=false out=true err=false logs=false stream=true"]);
}

#[tokio::test]
async fn an_error_of_attach_is_text_behind_a_status() {
    for (container, status, message) in
        [("nope", "404 Not Found", "No such container: nope"), ("paused", "409 Conflict", "container paused is paused")]
    {
        let mut client = Client::new();
        client.send(upgrade(&format!("/v1.51/containers/{container}/attach?stream=1&stdout=1"), "")).await;
        let expected =
            format!("HTTP/1.1 {status}\r\nContent-Type: application/vnd.docker.raw-stream\r\n\r\n{message}\r\n");
        let answer = client.read_until(message.as_bytes()).await;
        assert_eq!(String::from_utf8(answer).unwrap() + "\r\n", expected);
        client.finish().await;
        assert_eq!(client.read_to_end().await, b"\r\n");
    }
}

#[tokio::test]
async fn exec_answers_101_with_the_usual_headers() {
    let mut client = Client::new();
    client.send(upgrade("/v1.51/exec/e1/start", r#"{"Detach":false,"Tty":false}"#) + "abc\n").await;
    assert_eq!(
        client.read_head().await,
        "HTTP/1.1 101 UPGRADED\r\nContent-Type: application/vnd.docker.multiplexed-stream\r\nConnection: Upgrade\r\n\
         Upgrade: tcp\r\nApi-Version: 1.51\r\nDocker-Experimental: false\r\nOstype: linux\r\n\
         Server: Cove/0.1.0 (linux)\r\n\r\n"
    );
    assert_eq!(client.read_until(b"abc\n").await, b"\x01\0\0\0\0\0\0\x04abc\n");
    client.finish().await;
    assert_eq!(client.read_to_end().await, b"\x02\0\0\0\0\0\0\x04bye\n");
}

#[tokio::test]
async fn an_exec_that_cannot_run_says_so_in_the_stream() {
    let mut client = Client::new();
    client.send(upgrade("/v1.51/exec/missing/start", "{}")).await;
    assert!(client.read_head().await.starts_with("HTTP/1.1 101 UPGRADED\r\n"));
    client.finish().await;
    let text = b"exec: \"nosuch\": executable file not found in $PATH\r\n";
    let mut expected = vec![1, 0, 0, 0, 0, 0, 0, u8::try_from(text.len()).unwrap()];
    expected.extend(text);
    assert_eq!(client.read_to_end().await, expected);
}

#[tokio::test]
async fn a_detached_exec_is_plain_http() {
    let mut client = Client::new();
    let started = client.post("/v1.51/exec/e1/start", r#"{"Detach":true}"#).await;
    assert_eq!((started.status, started.header("Content-Length")), (200, Some("0")));
    let failed = client.post("/v1.51/exec/missing/start", r#"{"Detach":true}"#).await;
    assert_eq!(
        (failed.status, failed.message().as_str()),
        (400, "exec: \"nosuch\": executable file not found in $PATH")
    );
    let missing = client.post("/v1.51/exec/nope/start", "{}").await;
    assert_eq!((missing.status, missing.message().as_str()), (404, "No such exec instance: nope"));
}

#[tokio::test]
async fn ten_mebibytes_come_back_as_they_went() {
    let mut client = Client::new();
    client.send(upgrade("/v1.51/containers/tty/attach?stream=1&stdin=1&stdout=1", "")).await;
    client.read_head().await;
    let sent: Vec<u8> = (0..10 << 20).map(|i: u32| i.to_le_bytes()[usize::from(i.is_multiple_of(3))]).collect();
    let (mut reader, mut writer) = tokio::io::split(client.stream);
    let upload = async {
        use tokio::io::AsyncWriteExt as _;
        writer.write_all(&sent).await.unwrap();
        writer.shutdown().await.unwrap();
    };
    let mut received = Vec::new();
    let download = async {
        use tokio::io::AsyncReadExt as _;
        reader.read_to_end(&mut received).await.unwrap();
    };
    tokio::join!(upload, download);
    assert!(received.ends_with(b"bye\n"));
    assert!(received[..received.len() - 4] == sent[..], "{} of {} bytes", received.len(), sent.len());
}
