//! Calls of guest services: byte for byte, started for, ended well.

use bytes::Bytes;
use cove_machine::hypervisor::Exit;
use http_body_util::BodyExt;
use tonic::Code;

use crate::fixture::{
    Fixture,
    client::{collect, next_data, status},
    guest::{DEAF, SILENT},
};

const UNARY: &str = "/cove.v1.Containers/StartContainer";
const STREAMING: &str = "/cove.v1.Containers/AttachContainer";

fn every_byte(length: usize) -> Bytes {
    (0..=255_u8).cycle().take(length).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_first_call_starts_the_machine_and_the_next_find_it_running() {
    let fixture = Fixture::new().await;
    let mut client = fixture.client().await;
    assert_eq!(fixture.fake.starts(), 0);
    let again = fixture.client().await;
    let calls =
        [client.clone(), again].map(|mut client| async move { collect(client.call(UNARY, Bytes::new()).await).await });
    futures::future::join_all(calls).await;
    collect(client.call(UNARY, Bytes::new()).await).await;
    assert_eq!(fixture.fake.starts(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_unary_call_passes_byte_for_byte_with_headers_and_trailers() {
    let fixture = Fixture::new().await;
    let sent = every_byte(9 << 20);
    let answer = fixture.client().await.call(UNARY, sent.clone()).await;
    assert_eq!(answer.headers()["x-answer"], "one, two");
    let (received, trailers) = collect(answer).await;
    assert!(received == sent, "the body was changed");
    assert_eq!((&trailers["grpc-status"], &trailers["x-trailer"]), (&"0".parse().unwrap(), &"last".parse().unwrap()));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stream_flows_both_ways_before_either_ends() {
    let fixture = Fixture::new().await;
    let (upload, answer) = fixture.client().await.open(STREAMING);
    let mut body = answer.await.into_body();
    for piece in [b"first".as_slice(), b"second", b"\0\xff third"] {
        upload.send(piece);
        assert_eq!(next_data(&mut body).await, piece);
    }
    drop(upload);
    let trailers = body.frame().await.unwrap().unwrap().into_trailers().unwrap();
    assert_eq!(trailers["x-trailer"], "last");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn unary_calls_share_a_connection_and_each_stream_has_its_own() {
    let fixture = Fixture::new().await;
    let mut client = fixture.client().await;
    collect(client.call(UNARY, Bytes::new()).await).await;
    // The clock is told over a connection of its own, at a moment of its own.
    fixture.guest.called("/cove.v1.Guest/SetClock").await;
    let before = fixture.guest.connections();
    for _ in 0..5 {
        collect(client.call(UNARY, Bytes::new()).await).await;
    }
    assert_eq!(fixture.guest.connections(), before);
    for _ in 0..3 {
        collect(client.call(STREAMING, Bytes::new()).await).await;
    }
    assert_eq!(fixture.guest.connections(), before + 3);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_nobody_implements_is_unimplemented_and_starts_nothing() {
    let fixture = Fixture::new().await;
    let mut client = fixture.client().await;
    for path in ["/cove.v1.Containers/Nonsense", "/cove.v1.Machine/Nonsense", "/cove.v1.Dreams/Dream", "/nonsense", "/"]
    {
        assert_eq!(status(client.call(path, Bytes::new()).await).await.code(), Code::Unimplemented, "{path}");
    }
    assert_eq!(fixture.fake.starts(), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_machine_that_dies_ends_a_stream_with_a_sentence() {
    let fixture = Fixture::new().await;
    let (upload, answer) = fixture.client().await.open(STREAMING);
    let mut answer = answer.await;
    upload.send(b"said before");
    assert_eq!(next_data(answer.body_mut()).await, "said before".as_bytes());
    fixture.fake.vm().unwrap().end(Exit::Panic);
    let status = status(answer).await;
    assert_eq!(status.code(), Code::Unavailable);
    assert_eq!(status.message(), "the machine ended while the call was under way: the guest's kernel panicked");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_machine_that_dies_before_the_answer_is_unavailable_too() {
    let fixture = Fixture::new().await;
    let mut client = fixture.client().await;
    let call = tokio::spawn(async move { status(client.call(DEAF, Bytes::new()).await).await });
    fixture.guest.called(DEAF).await;
    fixture.fake.vm().unwrap().end(Exit::VmmDied("killed".to_owned()));
    let status = call.await.unwrap();
    assert_eq!(status.code(), Code::Unavailable);
    assert!(status.message().contains("its monitor died: killed"), "{status}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_agent_that_hangs_up_ends_a_call_and_the_next_finds_the_new_one() {
    let fixture = Fixture::new().await;
    let mut client = fixture.client().await;
    let (_upload, answer) = client.open(SILENT);
    let answer = answer.await;
    collect(client.call(UNARY, Bytes::new()).await).await;
    fixture.guest.hang_up();
    let status = status(answer).await;
    assert_eq!(status.code(), Code::Unavailable);
    assert!(status.message().starts_with("the agent hung up while the call was under way"), "{status}");
    let (echo, _) = collect(client.call(UNARY, Bytes::from_static(b"again")).await).await;
    assert_eq!(echo, "again");
    assert_eq!(fixture.fake.starts(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_that_goes_away_cancels_its_calls_in_the_guest() {
    let fixture = Fixture::new().await;
    let mut client = fixture.client().await;
    let (upload, answer) = client.open(SILENT);
    let answer = answer.await;
    drop((upload, answer));
    fixture.guest.call_ended(SILENT).await;

    let call = tokio::spawn(async move { client.call(DEAF, Bytes::new()).await });
    fixture.guest.called(DEAF).await;
    call.abort();
    fixture.guest.call_ended(DEAF).await;
}
