//! Watching the containers of a machine that runs.

use std::time::Duration;

use cove_client::Engine;
use cove_proto::v1::WatchContainersRequest;
use tonic::{Code, Status};

use super::Link;
use crate::commands::no_wake;

/// How long to wait for an agent that comes back.
const AGENT_RETURNS: Duration = Duration::from_secs(1);

/// Tells of each change. An agent that is restarted breaks the stream, not the watch.
pub(super) async fn watch(link: Link, engine: Engine) {
    let mut known = 0;
    loop {
        match follow(&link, &engine, &mut known).await {
            // An agent of another version has no such call, and will not get one.
            Err(status) if status.code() == Code::Unimplemented => return,
            Ok(()) | Err(_) => tokio::time::sleep(AGENT_RETURNS).await,
        }
    }
}

async fn follow(link: &Link, engine: &Engine, known: &mut u64) -> Result<(), Status> {
    let request = no_wake(WatchContainersRequest { all: true, after_revision: *known });
    let mut lists = engine.containers().watch_containers(request).await?.into_inner();
    while let Some(list) = lists.message().await? {
        *known = list.revision;
        let containers = list.containers.into_iter().map(Into::into).collect();
        link.0.containers.send_if_modified(|present| {
            let changed = *present != containers;
            *present = containers;
            changed
        });
    }
    Ok(())
}
