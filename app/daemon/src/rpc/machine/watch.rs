//! `WatchMachine`.

use cove_machine::Status;
use cove_proto::v1::WatchMachineResponse;
use futures::{Stream, stream};
use tokio::sync::watch;

use super::status;

/// The present state, unless the client has it, and then each change. A client that does not keep up gets the newest
/// state instead of those between; the revision shows how many it missed.
pub(super) fn states(
    seen: watch::Receiver<Status>,
    after_revision: u64,
) -> impl Stream<Item = Result<WatchMachineResponse, tonic::Status>> + use<> {
    // A revision that we have not come to is one of an earlier daemon, and says nothing about what the client knows.
    let known = if after_revision <= seen.borrow().revision { after_revision } else { 0 };
    stream::unfold((seen, known), |(mut seen, known)| async move {
        // Not every notice is a change: a revision that the client has is not told twice.
        let status = seen.wait_for(|status| status.revision > known).await.ok()?.clone();
        let answer = WatchMachineResponse { status: Some(status::encode(&status)) };
        Some((Ok(answer), (seen, status.revision)))
    })
}

#[cfg(test)]
mod tests {
    use std::time::SystemTime;

    use cove_machine::State;
    use futures::StreamExt;

    use super::*;

    fn status(revision: u64) -> Status {
        Status {
            state: State::Stopped,
            since: SystemTime::UNIX_EPOCH,
            revision,
            last_exit: None,
            warnings: Vec::new(),
            platform: None,
        }
    }

    async fn first_after(revision: u64, then: Option<u64>) -> u64 {
        let (sender, seen) = watch::channel(status(5));
        let mut states = std::pin::pin!(states(seen, revision));
        then.map(|next| sender.send_replace(status(next)));
        states.next().await.unwrap().unwrap().status.unwrap().revision
    }

    #[tokio::test]
    async fn zero_an_old_and_an_impossible_revision_get_the_present_state() {
        for revision in [0, 4, 9] {
            assert_eq!(first_after(revision, None).await, 5);
        }
    }

    #[tokio::test]
    async fn a_client_that_knows_the_present_state_waits_for_the_next() {
        assert_eq!(first_after(5, Some(6)).await, 6);
    }

    #[tokio::test]
    async fn the_stream_ends_with_the_machines_task() {
        let (sender, seen) = watch::channel(status(5));
        let mut states = std::pin::pin!(states(seen, 5));
        drop(sender);
        assert!(states.next().await.is_none());
    }
}
