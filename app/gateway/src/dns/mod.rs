//! Names, as the host knows them: addresses by the system's own resolver, which knows the hosts file, a VPN's servers and,
//! on macOS, those of single domains; everything else by the servers that the host has, or those that a container was
//! given.
//!
//! * [`servers`] — which servers the host has. [`forward`] — asking one.

pub mod forward;
pub mod servers;

use std::{
    io,
    net::{IpAddr, SocketAddr},
    path::PathBuf,
    sync::Arc,
};

use tokio::{
    sync::Semaphore,
    time::{Duration, timeout},
};

use crate::egress::{Egress, Target};

/// How many questions may be open at a time; moby's number.
const OPEN: usize = 1024;
/// How long the system's resolver may take: as long as clients wait. glibc waits longer for servers that are silent.
const PATIENCE: Duration = Duration::from_secs(5);

/// Record types that the system's resolver knows.
const A: u16 = 1;
const AAAA: u16 = 28;

/// A question for a name.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Question {
    /// The name, without a dot at its end.
    pub name: String,
    /// The type of the records that are wanted.
    pub kind: u16,
    /// The whole message, for who is asked by it.
    pub message: Vec<u8>,
    /// Whether it came by TCP, and is asked by it.
    pub by_tcp: bool,
    /// Whom to ask, one after the other; the host's own if there is none.
    pub servers: Vec<Target>,
}

/// What comes of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// The addresses of the name, of both families; none if it has none.
    Addresses(Vec<IpAddr>),
    /// A server's whole answer.
    Message(Vec<u8>),
    /// Nobody answers.
    Failed,
}

impl From<SocketAddr> for Target {
    fn from(address: SocketAddr) -> Self {
        Self::Address(address)
    }
}

/// Who knows the names of the outside; clones share it.
#[derive(Debug, Clone)]
pub struct Names {
    egress: Egress,
    open: Arc<Semaphore>,
    /// Where the host's servers are written.
    configuration: PathBuf,
}

impl Names {
    /// With the policy of the way out, for the servers that containers choose.
    #[must_use]
    pub fn new(egress: Egress) -> Self {
        Self { egress, open: Arc::new(Semaphore::new(OPEN)), configuration: servers::CONFIGURATION.into() }
    }

    /// Answers a question.
    pub async fn answer(&self, question: &Question) -> Answer {
        let Ok(_one_of_them) = self.open.try_acquire() else { return Answer::Failed };
        if !question.servers.is_empty() {
            let policy = &self.egress.rules().policy;
            let allowed = question.servers.iter().filter(|server| policy.denies(**server).is_none());
            return ask(question, &allowed.copied().collect::<Vec<_>>()).await;
        }
        if matches!(question.kind, A | AAAA) {
            match timeout(PATIENCE, look_up(&question.name)).await {
                Ok(Ok(addresses)) => return Answer::Addresses(addresses),
                Ok(Err(_)) => {}
                // Whom it asks does not answer; who asked here will not wait for more.
                Err(_late) => return Answer::Failed,
            }
        }
        // Why there is no address, the servers say more exactly than the system's resolver.
        let own: Vec<Target> = servers::read(&self.configuration).into_iter().map(Target::from).collect();
        ask(question, &own).await
    }
}

async fn look_up(name: &str) -> io::Result<Vec<IpAddr>> {
    let mut addresses: Vec<IpAddr> = Vec::new();
    for address in tokio::net::lookup_host((name, 0)).await?.map(|address| address.ip().to_canonical()) {
        if !addresses.contains(&address) {
            addresses.push(address);
        }
    }
    Ok(addresses)
}

/// The first answer that is one: a server that fails or refuses is none, as for moby.
async fn ask(question: &Question, servers: &[Target]) -> Answer {
    for server in servers.iter().take(servers::MOST) {
        match forward::ask(*server, &question.message, question.by_tcp).await {
            Ok(answer) if !forward::is_failure(&answer) => return Answer::Message(answer),
            Ok(_) => {}
            Err(error) => tracing::debug!(%server, %error, "a name server does not answer"),
        }
    }
    Answer::Failed
}

#[cfg(test)]
mod tests {
    use tokio::net::UdpSocket;

    use super::*;

    fn names(folder: &std::path::Path) -> Names {
        let egress = Egress::open(folder.join("egress.json")).unwrap();
        Names { configuration: folder.join("resolv.conf"), ..Names::new(egress) }
    }

    /// A server that answers each question with its code, and what it was asked.
    async fn server(code: u8) -> (Target, tokio::task::JoinHandle<Vec<u8>>) {
        let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let target = Target::Host { port: socket.local_addr().unwrap().port() };
        let task = tokio::spawn(async move {
            let mut message = [0; 512];
            let (length, from) = socket.recv_from(&mut message).await.unwrap();
            let mut answer = message[..length].to_vec();
            (answer[2], answer[3]) = (0x81, 0x80 | code);
            socket.send_to(&answer, from).await.unwrap();
            message[..length].to_vec()
        });
        (target, task)
    }

    fn question(kind: u16, servers: Vec<Target>) -> Question {
        let message = b"\x12\x34\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00\x04name\x00\x00\x0f\x00\x01".to_vec();
        Question { name: "localhost".to_owned(), kind, message, by_tcp: false, servers }
    }

    #[tokio::test]
    async fn addresses_are_the_systems_and_the_hosts_file_counts() {
        let folder = tempfile::tempdir().unwrap();
        let Answer::Addresses(found) = names(folder.path()).answer(&question(A, vec![])).await else {
            panic!("no addresses")
        };
        assert!(found.iter().any(IpAddr::is_loopback), "{found:?}");
    }

    #[tokio::test]
    async fn a_server_that_fails_or_refuses_makes_room_for_the_next() {
        let folder = tempfile::tempdir().unwrap();
        let ((failing, first), (refusing, second), (good, third)) = (server(2).await, server(5).await, server(3).await);
        let denied = Target::Address("127.0.0.1:53".parse().unwrap());
        let asked = question(15, vec![denied, failing, refusing, good]);
        let Answer::Message(answer) = names(folder.path()).answer(&asked).await else { panic!("no answer") };
        assert_eq!(
            (&answer[..2], answer[3] & 15),
            (b"\x12\x34".as_slice(), 3),
            "that there is no such name is an answer"
        );
        for task in [first, second, third] {
            let heard = task.await.unwrap();
            assert_eq!(heard[2..], asked.message[2..]);
        }
    }

    #[tokio::test]
    async fn without_servers_there_is_no_answer() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(names(folder.path()).answer(&question(15, vec![])).await, Answer::Failed);
    }
}
