//! A daemon that comes, answers and leaves; streams that find who waits for them.

use std::{io, sync::Arc};

use cove_proto::{
    streams::{Ended, OpenError, Stream},
    v1::{
        EgressStream, HostDone, HostRefusal, PublishStream, ServeGuestRequest, ServeGuestResponse, StreamHeader,
        UnpublishPorts, serve_guest_request::Answer, serve_guest_response::Request, stream_header::Kind,
    },
};
use futures::future::BoxFuture;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex},
    sync::mpsc,
};
use tokio_stream::wrappers::ReceiverStream;

use super::{streams::Publish, *};

fn request() -> Request {
    Request::Unpublish(UnpublishPorts { container_id: "c".into() })
}

/// A daemon that has come.
struct Daemon {
    answers: mpsc::Sender<Result<ServeGuestRequest, String>>,
    requests: mpsc::Receiver<ServeGuestResponse>,
}

impl Daemon {
    fn comes(host: &Host) -> Self {
        let (answers, given) = mpsc::channel(8);
        Self { answers, requests: host.serve(ReceiverStream::new(given)) }
    }

    async fn answer(&mut self, answer: Answer) {
        let asked = self.requests.recv().await.unwrap();
        assert_eq!(asked.request, Some(request()));
        self.answers.send(Ok(ServeGuestRequest { id: asked.id, answer: Some(answer) })).await.unwrap();
    }
}

fn asking(host: &Host) -> tokio::task::JoinHandle<Result<Answer, AskError>> {
    let host = host.clone();
    tokio::spawn(async move { host.ask(request()).await })
}

#[tokio::test]
async fn a_request_waits_for_the_daemon_and_is_answered_or_refused() {
    let host = Host::default();
    let asked = asking(&host);
    let mut daemon = Daemon::comes(&host);
    daemon.answer(Answer::Done(HostDone {})).await;
    assert_eq!(asked.await.unwrap().unwrap(), Answer::Done(HostDone {}));
    let asked = asking(&host);
    daemon.answer(Answer::Refused(HostRefusal { errno: 98, message: "taken".into() })).await;
    assert!(matches!(asked.await.unwrap(), Err(AskError::Refused { errno: 98, message }) if message == "taken"));
}

#[tokio::test(start_paused = true)]
async fn a_host_that_is_not_there_or_leaves_is_an_error() {
    let host = Host::default();
    assert!(matches!(host.ask(request()).await, Err(AskError::Absent)));
    let mut daemon = Daemon::comes(&host);
    let asked = asking(&host);
    daemon.requests.recv().await.unwrap();
    drop(daemon);
    assert!(matches!(asked.await.unwrap(), Err(AskError::Left)));
}

#[tokio::test]
async fn the_next_daemon_takes_the_place_of_the_one_before() {
    let host = Host::default();
    let mut daemons = host.daemons();
    let first = Daemon::comes(&host);
    assert!(daemons.another().await);
    let mut second = Daemon::comes(&host);
    assert!(daemons.another().await);
    drop(first);
    let asked = asking(&host);
    second.answer(Answer::Done(HostDone {})).await;
    assert!(asked.await.unwrap().is_ok());
}

/// Sends back what comes.
struct Echo;

impl Publish for Echo {
    fn client(&self, whose: PublishStream, mut stream: Raw) -> BoxFuture<'_, ()> {
        Box::pin(async move {
            if whose.container_port != 7 {
                return stream.refuse(libc::ECONNREFUSED).await;
            }
            stream.answer(0).await.unwrap();
            let (mut socket, echo) = duplex(100);
            tokio::spawn(async move {
                let (mut read, mut write) = tokio::io::split(echo);
                tokio::io::copy(&mut read, &mut write).await.unwrap();
                write.shutdown().await.unwrap();
            });
            assert_eq!(stream.relay(&mut socket).await, Ended::Well);
        })
    }
}

fn dial(host: &Host) -> Stream<DuplexStream> {
    let (ours, theirs) = duplex(1000);
    let (connected, connections) = mpsc::channel::<io::Result<DuplexStream>>(1);
    connected.try_send(Ok(theirs)).unwrap();
    tokio::spawn(streams::serve(host.clone(), Arc::new(Echo), connections));
    Stream::host(ours)
}

fn header(kind: Kind) -> StreamHeader {
    StreamHeader { kind: Some(kind) }
}

fn client(port: u32) -> StreamHeader {
    header(Kind::Publish(PublishStream { container_port: port, ..PublishStream::default() }))
}

async fn say(stream: &mut Stream<DuplexStream>) {
    let (mut said, mut local) = duplex(100);
    said.write_all(b"hello").await.unwrap();
    said.shutdown().await.unwrap();
    assert_eq!(stream.relay(&mut local).await, Ended::Well);
    drop(local);
    let mut heard = String::new();
    said.read_to_string(&mut heard).await.unwrap();
    assert_eq!(heard, "hello");
}

#[tokio::test]
async fn one_stream_serves_one_client_after_another_the_refused_among_them() {
    let mut stream = dial(&Host::default());
    for _ in 0..3 {
        stream.open(&client(7)).await.unwrap();
        say(&mut stream).await;
        assert!(matches!(stream.open(&client(8)).await, Err(OpenError::Refused(libc::ECONNREFUSED))));
    }
}

#[tokio::test]
async fn a_stream_goes_to_who_asked_for_it_and_to_nobody_else() {
    let host = Host::default();
    let mut daemon = Daemon::comes(&host);
    let mut stream = dial(&host);
    let asker = host.clone();
    let asked = tokio::spawn(async move { asker.ask_for_stream(request()).await });
    let id = daemon.requests.recv().await.unwrap().id;
    let egress = |flow_id| header(Kind::Egress(EgressStream { flow_id }));
    assert!(matches!(stream.open(&egress(id + 1)).await, Err(OpenError::Refused(libc::ESRCH))));
    stream.open(&egress(id)).await.unwrap();
    let raw = asked.await.unwrap().unwrap();
    let (_reader, mut writer) = raw.into_halves();
    writer.message(b"datagram").await.unwrap();
    let mut message = Vec::new();
    assert!(stream.read_message(&mut message, 100).await.unwrap());
    assert_eq!(message, b"datagram");
}

#[tokio::test]
async fn a_stream_that_the_host_refuses_is_an_error_and_forgotten() {
    let host = Host::default();
    let mut daemon = Daemon::comes(&host);
    let asker = host.clone();
    let asked = tokio::spawn(async move { asker.ask_for_stream(request()).await.map(drop) });
    daemon.answer(Answer::Refused(HostRefusal { errno: 111, message: String::new() })).await;
    assert!(matches!(asked.await.unwrap(), Err(AskError::Refused { errno: 111, .. })));
    assert!(host.streams().is_empty());
}
