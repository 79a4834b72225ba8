//! UDP: each client is a raw stream of messages, for as long as there is something to carry.

use std::{collections::HashMap, io, net::SocketAddr, sync::Arc, time::Duration};

use tokio::{
    net::UdpSocket,
    sync::mpsc,
    task::{Id, JoinSet},
    time::{Instant, sleep_until},
};

use super::Target;

/// How long a client may be silent, and be sent nothing; docker-proxy's number.
const IDLE: Duration = Duration::from_secs(90);
/// Clients at a time; of more the datagrams are lost, as they may be.
const CLIENTS: usize = 1024;
/// Datagrams of one client that wait; of more the newest are lost.
const WAITING: usize = 64;
/// The longest datagram.
const LARGEST: usize = 65_535;

/// Takes datagrams until it is dropped, and with it its clients.
pub(super) async fn serve(socket: UdpSocket, target: Target) {
    let socket = Arc::new(socket);
    let mut clients = Clients::default();
    let mut buffer = vec![0; LARGEST];
    loop {
        tokio::select! {
            received = socket.recv_from(&mut buffer) => match received {
                Ok((length, from)) => clients.give(&socket, &target, from, &buffer[..length]),
                // An earlier answer met nobody. Windows says so here, and on Linux an error is rare and gone once said.
                Err(error) => tracing::debug!(%error, "a published port received an error"),
            },
            Some(ended) = clients.tasks.join_next_with_id() => clients.ended(match ended {
                Ok((id, ())) => id,
                Err(failed) => failed.id(),
            }),
        }
    }
}

#[derive(Default)]
struct Clients {
    senders: HashMap<SocketAddr, mpsc::Sender<Vec<u8>>>,
    tasks: JoinSet<()>,
    whose: HashMap<Id, SocketAddr>,
}

impl Clients {
    fn give(&mut self, socket: &Arc<UdpSocket>, target: &Target, from: SocketAddr, datagram: &[u8]) {
        if !self.senders.contains_key(&from) {
            if self.senders.len() >= CLIENTS {
                return;
            }
            let (sender, datagrams) = mpsc::channel(WAITING);
            self.senders.insert(from, sender);
            let task = self.tasks.spawn(carry(Arc::clone(socket), target.clone(), from, datagrams));
            self.whose.insert(task.id(), from);
        }
        if let Some(sender) = self.senders.get(&from) {
            // A full queue loses it, as any on the way may.
            let _ = sender.try_send(datagram.to_vec());
        }
    }

    fn ended(&mut self, task: Id) {
        if let Some(from) = self.whose.remove(&task) {
            self.senders.remove(&from);
        }
    }
}

async fn carry(socket: Arc<UdpSocket>, target: Target, from: SocketAddr, datagrams: mpsc::Receiver<Vec<u8>>) {
    if let Err(error) = carry_all(&socket, &target, from, datagrams).await {
        tracing::debug!(%from, container = &*target.container, port = target.port, %error, "a client of datagrams has ended");
    }
}

async fn carry_all(
    socket: &UdpSocket,
    target: &Target,
    from: SocketAddr,
    mut datagrams: mpsc::Receiver<Vec<u8>>,
) -> io::Result<()> {
    let stream = target.streams.open(&target.header(from)).await.map_err(io::Error::other)?;
    let (mut reader, mut writer) = stream.into_halves();
    let (heard, mut hears) = mpsc::channel::<()>(1);
    let inward = async {
        let mut message = Vec::new();
        while reader.message(&mut message, LARGEST).await.map_err(io::Error::other)? {
            // Who has left does not hear it; the next one may.
            let _ = socket.send_to(&message, from).await;
            let _ = heard.try_send(());
        }
        Ok(())
    };
    let outward = async {
        let mut until = Instant::now() + IDLE;
        loop {
            tokio::select! {
                datagram = datagrams.recv() => match datagram {
                    Some(datagram) => writer.message(&datagram).await?,
                    None => return Ok(()),
                },
                Some(()) = hears.recv() => {}
                () = sleep_until(until) => return Ok(()),
            }
            until = Instant::now() + IDLE;
        }
    };
    tokio::select! {
        ended = inward => ended,
        ended = outward => ended,
    }
}
