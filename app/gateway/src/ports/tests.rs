//! Published ports before a guest that answers, with sockets of this computer.

use std::net::{Ipv4Addr, Ipv6Addr};

use cove_proto::streams::Stream;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex},
    net::{TcpListener, TcpStream, UdpSocket},
};

use super::*;
use crate::streams::{BoxFuture, Dial, Transport};

/// A guest in which port 7 sends back what comes, connection or datagram, after the client's address; port 9 refuses.
struct Guest;

impl Dial for Guest {
    fn dial(&self) -> BoxFuture<'_, io::Result<Box<dyn Transport>>> {
        Box::pin(async {
            let (ours, theirs) = duplex(100_000);
            tokio::spawn(serve(Stream::guest(theirs)));
            Ok(Box::new(ours) as Box<dyn Transport>)
        })
    }
}

async fn serve(mut stream: Stream<DuplexStream>) {
    while let Ok(Some(header)) = stream.accept().await {
        let Some(Kind::Publish(of)) = header.kind else { panic!("not a client") };
        if of.container_port == 9 {
            stream.answer(111).await.unwrap();
            continue;
        }
        stream.answer(0).await.unwrap();
        let who = format!("{}:", of.client_ip.iter().map(u8::to_string).collect::<Vec<_>>().join("."));
        if of.protocol() == PortProtocol::Udp {
            let mut message = Vec::new();
            while stream.read_message(&mut message, 70_000).await.unwrap_or(false) {
                let answer = [who.as_bytes(), &message].concat();
                stream.write_message(&answer[..answer.len().min(65_507)]).await.unwrap();
            }
            return;
        }
        let (mut socket, other) = duplex(4096);
        tokio::spawn(async move {
            let (mut read, mut write) = tokio::io::split(other);
            write.write_all(who.as_bytes()).await.unwrap();
            let _ = tokio::io::copy(&mut read, &mut write).await;
            let _ = write.shutdown().await;
        });
        stream.relay(&mut socket).await;
    }
}

fn ports() -> Ports {
    Ports::new(Streams::new(Guest))
}

fn request(container_port: u32, host_ip: &str, first: u16, last: u16) -> PortRequest {
    PortRequest {
        protocol: PortProtocol::Tcp.into(),
        container_port,
        host_ip: host_ip.into(),
        host_port: first.into(),
        host_port_end: last.into(),
    }
}

fn any(container_port: u32) -> PortRequest {
    request(container_port, "127.0.0.1", 0, 0)
}

fn port_of(published: &[PublishedPort]) -> u16 {
    u16::try_from(published[0].host_port).unwrap()
}

/// A port that was free a moment ago, with the next one.
async fn free() -> u16 {
    loop {
        let first = TcpListener::bind((Ipv4Addr::UNSPECIFIED, 0)).await.unwrap().local_addr().unwrap().port();
        let is_free = |port| std::net::TcpListener::bind((Ipv4Addr::UNSPECIFIED, port)).is_ok();
        if first < 65_534 && is_free(first + 1) && is_free(first + 2) {
            return first;
        }
    }
}

async fn say(port: u16) -> io::Result<String> {
    let mut client = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await?;
    client.write_all(b"hello").await?;
    client.shutdown().await?;
    let mut heard = String::new();
    client.read_to_string(&mut heard).await?;
    Ok(heard)
}

#[tokio::test]
async fn a_client_reaches_the_container_and_the_container_knows_who_it_is() {
    let ports = ports();
    let published = ports.publish("c", "172.17.0.2", &[any(7)]).await.unwrap();
    assert_eq!((published[0].host_ip.as_str(), published[0].container_port), ("127.0.0.1", 7));
    for _ in 0..20 {
        assert_eq!(say(port_of(&published)).await.unwrap(), "127.0.0.1:hello");
    }
}

#[tokio::test]
async fn a_client_whom_the_container_refuses_is_reset() {
    let ports = ports();
    let published = ports.publish("c", "172.17.0.2", &[any(9)]).await.unwrap();
    let refused = say(port_of(&published)).await.unwrap_err();
    assert!(matches!(refused.kind(), io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe), "{refused}");
}

#[tokio::test]
async fn no_address_is_all_of_both_versions_with_one_number() {
    let ports = ports();
    let published = ports.publish("c", "172.17.0.2", &[request(7, "", 0, 0)]).await.unwrap();
    assert_eq!(published[0].host_ip, "0.0.0.0");
    let has_ipv6 = TcpListener::bind((Ipv6Addr::LOCALHOST, 0)).await.is_ok();
    assert_eq!(published.len(), if has_ipv6 { 2 } else { 1 });
    if has_ipv6 {
        assert_eq!((published[1].host_ip.as_str(), published[1].host_port), ("::", published[0].host_port));
        let mut client = TcpStream::connect((Ipv6Addr::LOCALHOST, port_of(&published))).await.unwrap();
        client.shutdown().await.unwrap();
        let mut heard = String::new();
        client.read_to_string(&mut heard).await.unwrap();
        assert_eq!(heard, "0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.1:");
    }
}

#[tokio::test]
async fn a_port_of_another_container_is_refused_in_mobys_words_and_nothing_stays_open() {
    let ports = ports();
    let taken = port_of(&ports.publish("one", "172.17.0.2", &[request(7, "0.0.0.0", 0, 0)]).await.unwrap());
    let first = free().await;
    for address in ["0.0.0.0", "127.0.0.1"] {
        let both = [request(7, "127.0.0.1", first, first), request(7, address, taken, taken)];
        let refused = ports.publish("two", "172.17.0.3", &both).await.unwrap_err();
        assert_eq!(refused.to_string(), format!("Bind for {address}:{taken} failed: port is already allocated"));
        assert!(TcpListener::bind((Ipv4Addr::LOCALHOST, first)).await.is_ok(), "the first is free again");
    }
}

#[tokio::test]
async fn a_port_of_another_program_is_refused_and_the_program_named() {
    let other = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let port = other.local_addr().unwrap().port();
    let refused = ports().publish("c", "172.17.0.2", &[request(80, "127.0.0.1", port, port)]).await.unwrap_err();
    let text = refused.to_string();
    let expected = format!("failed to bind host port for 127.0.0.1:{port}:172.17.0.2:80/tcp: address already in use");
    assert!(text.starts_with(&expected), "{text}");
    if std::path::Path::new("/proc/net/tcp").exists() {
        assert!(text.contains(&format!("process {}", std::process::id())), "{text}");
    }
}

#[tokio::test]
async fn an_address_that_the_host_has_not_and_numbers_that_make_no_sense_are_errors() {
    let error = |request| async move { ports().publish("c", "172.17.0.2", &[request]).await.unwrap_err().to_string() };
    let refused = error(request(80, "192.0.2.1", 18097, 18097)).await;
    assert_eq!(
        refused,
        "failed to bind host port for 192.0.2.1:18097:172.17.0.2:80/tcp: cannot assign requested address"
    );
    assert_eq!(error(request(80, "1.2.3", 0, 0)).await, "invalid host address for a published port: \"1.2.3\"");
    assert_eq!(error(PortRequest { host_port: 99_999, ..any(80) }).await, "invalid port specification: \"99999\"");
}

#[tokio::test]
async fn a_range_gives_the_first_that_is_free_and_is_exhausted() {
    let ports = ports();
    let first = free().await;
    let range = [request(7, "127.0.0.1", first, first + 1)];
    let published = |container| ports.publish(container, "172.17.0.2", &range);
    assert_eq!(port_of(&published("one").await.unwrap()), first);
    assert_eq!(port_of(&published("two").await.unwrap()), first + 1);
    assert_eq!(published("three").await.unwrap_err().to_string(), "all ports are allocated");
    ports.unpublish("one").await;
    assert_eq!(port_of(&published("three").await.unwrap()), first);
}

#[tokio::test]
async fn who_asks_again_keeps_what_it_has_without_a_gap() {
    let ports = ports();
    let requests = [any(7), request(7, "", 0, 0)];
    let before = ports.publish("c", "172.17.0.2", &requests).await.unwrap();
    let port = port_of(&before);
    let waits = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await.unwrap();
    let after = ports.publish("c", "172.17.0.9", &requests).await.unwrap();
    assert_eq!(before, after);
    assert_eq!(say(port).await.unwrap(), "127.0.0.1:hello");
    drop(waits);
    // By what it was given, as the agent asks a daemon that has come back.
    let fixed: Vec<PortRequest> = after
        .iter()
        .map(|one| {
            let port = u16::try_from(one.host_port).unwrap();
            request(one.container_port, &one.host_ip, port, port)
        })
        .collect();
    assert_eq!(ports.publish("c", "172.17.0.9", &fixed).await.unwrap(), after);
}

#[tokio::test]
async fn a_port_is_free_when_it_was_given_back() {
    let ports = ports();
    for _ in 0..10 {
        let port = port_of(&ports.publish("c", "172.17.0.2", &[any(7)]).await.unwrap());
        ports.unpublish("c").await;
        assert!(TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await.is_ok());
    }
}

#[tokio::test]
async fn datagrams_of_every_size_come_back_to_who_sent_them() {
    let ports = ports();
    let udp = PortRequest { protocol: PortProtocol::Udp.into(), ..any(7) };
    let port = port_of(&ports.publish("c", "172.17.0.2", &[udp]).await.unwrap());
    let mut clients = Vec::new();
    for _ in 0..3 {
        let client = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        client.connect((Ipv4Addr::LOCALHOST, port)).await.unwrap();
        clients.push(client);
    }
    let mut buffer = vec![0; 70_000];
    for length in [0, 1, 1472, 16_380, 16_381, 65_000] {
        for (index, client) in clients.iter().enumerate() {
            let datagram = vec![u8::try_from(index).unwrap(); length];
            client.send(&datagram).await.unwrap();
            let heard = client.recv(&mut buffer).await.unwrap();
            assert!(buffer[..heard] == [b"127.0.0.1:".as_slice(), &datagram].concat(), "{length} bytes");
        }
    }
}

#[tokio::test]
async fn many_connections_leave_nothing_behind() {
    let ports = ports();
    let port = port_of(&ports.publish("c", "172.17.0.2", &[any(7)]).await.unwrap());
    let mut clients = tokio::task::JoinSet::new();
    for _ in 0..200 {
        clients.spawn(say(port));
    }
    while let Some(heard) = clients.join_next().await {
        assert_eq!(heard.unwrap().unwrap(), "127.0.0.1:hello");
    }
}
