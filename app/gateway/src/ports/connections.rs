//! TCP: each connection is a raw stream.
//!
//! A connection is accepted before it is known whether the container takes it, since a listener cannot hold one back; one
//! that the container refuses is reset, so that its client does not take it for an answer.

use std::{net::SocketAddr, time::Duration};

use cove_proto::streams::Ended;
use tokio::{
    net::{TcpListener, TcpStream},
    task::JoinSet,
};

use super::Target;

/// After a connection could not be accepted.
const PAUSE: Duration = Duration::from_millis(100);

/// Takes clients until it is dropped, and with it those whose connections have not ended.
pub(super) async fn serve(listener: TcpListener, target: Target) {
    let mut clients = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((client, from)) => drop(clients.spawn(carry(client, from, target.clone()))),
                Err(error) => {
                    tracing::warn!(%error, "a connection to a published port was not accepted");
                    // Out of descriptors, say. The connection is still there, so without a pause this would turn in circles.
                    tokio::time::sleep(PAUSE).await;
                }
            },
            Some(_) = clients.join_next() => {}
        }
    }
}

async fn carry(mut client: TcpStream, from: SocketAddr, target: Target) {
    // Small packets are the container's business, which has made them.
    let _ = client.set_nodelay(true);
    match target.streams.open(&target.header(from)).await {
        Ok(stream) => {
            if target.streams.carry(stream, &mut client).await != Ended::Cut {
                return;
            }
        }
        Err(error) => {
            tracing::debug!(%from, container = &*target.container, port = target.port, %error, "a client is turned away");
        }
    }
    // A reset, not an end.
    let _ = client.set_zero_linger();
}
