//! The one place where the state that others see is written.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, PoisonError},
    time::SystemTime,
};

use tokio::sync::watch;

use crate::{
    State, Status,
    hypervisor::{Exit, Vm},
};

/// How many states are kept for those who were away; a start and its failure are a handful.
const KEPT: usize = 64;

/// The last states, oldest first and without a gap; the newest is the present one.
#[derive(Clone)]
pub(super) struct History(Arc<Mutex<VecDeque<Status>>>);

impl History {
    fn beginning_with(status: Status) -> Self {
        Self(Arc::new(Mutex::new(VecDeque::from([status]))))
    }

    fn add(&self, status: Status) {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.len() == KEPT {
            kept.pop_front();
        }
        kept.push_back(status);
    }

    /// The states after a revision; the present one alone if the revision is none that is kept.
    pub(super) fn after(&self, revision: u64) -> Vec<Status> {
        let kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let known = kept.iter().position(|status| status.revision == revision);
        let first = known.map_or(kept.len().saturating_sub(1), |known| known + 1);
        kept.iter().skip(first).cloned().collect()
    }
}

/// The writing ends. Only the machine's task, and the start that it waits for, have it.
#[derive(Clone)]
pub(super) struct Publisher {
    status: Arc<watch::Sender<Status>>,
    history: History,
    vm: Arc<watch::Sender<Option<Arc<dyn Vm>>>>,
}

type Ends = (Publisher, watch::Receiver<Status>, History, watch::Receiver<Option<Arc<dyn Vm>>>);

/// A stopped machine.
pub(super) fn channel() -> Ends {
    let now = SystemTime::now();
    let stopped = Status {
        state: State::Stopped,
        since: now,
        revision: first_revision(now),
        last_exit: None,
        warnings: Vec::new(),
        platform: None,
    };
    let history = History::beginning_with(stopped.clone());
    let (status, status_seen) = watch::channel(stopped);
    let (vm, vm_seen) = watch::channel(None);
    let publisher = Publisher { status: Arc::new(status), history: history.clone(), vm: Arc::new(vm) };
    (publisher, status_seen, history, vm_seen)
}

/// Milliseconds since 1970: above all that an earlier daemon counted to, so that a client that comes back from it is not
/// taken for one that knows what has happened since; and exact in the numbers of JavaScript.
fn first_revision(now: SystemTime) -> u64 {
    let since_1970 = now.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since_1970.as_millis()).unwrap_or(1).max(1)
}

impl Publisher {
    /// The state as last published.
    pub(super) fn status(&self) -> Status {
        self.status.borrow().clone()
    }

    /// A new state of the same machine.
    pub(super) fn state(&self, state: State) {
        self.change(|status| status.state = state);
    }

    /// A monitor runs.
    pub(super) fn up(&self, vm: &Arc<dyn Vm>) {
        let platform = vm.platform();
        self.vm.send_replace(Some(vm.clone()));
        self.status.send_modify(|status| {
            status.warnings.clone_from(&platform.warnings);
            status.platform = Some(platform);
        });
    }

    /// No monitor runs any more, or none did.
    pub(super) fn down(&self, state: State, exit: Option<Exit>) {
        self.vm.send_replace(None);
        self.change(|status| {
            status.state = state;
            status.platform = None;
            status.warnings.clear();
            if exit.is_some() {
                status.last_exit = exit;
            }
        });
    }

    fn change(&self, change: impl FnOnce(&mut Status)) {
        self.status.send_modify(|status| {
            let before = status.state.clone();
            change(status);
            if status.state != before {
                status.since = SystemTime::now();
            }
            status.revision += 1;
            // Before anybody is woken, who then looks here.
            self.history.add(status.clone());
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kept(first: u64, states: u64) -> History {
        let (publisher, _, history, _) = channel();
        let present = publisher.status();
        history.0.lock().unwrap().clear();
        (first..first + states).for_each(|revision| history.add(Status { revision, ..present.clone() }));
        history
    }

    fn after(history: &History, revision: u64) -> Vec<u64> {
        history.after(revision).iter().map(|status| status.revision).collect()
    }

    #[test]
    fn who_was_away_is_told_each_state_since_and_who_was_not_none() {
        let history = kept(10, 4);
        assert_eq!(after(&history, 10), [11, 12, 13]);
        assert_eq!(after(&history, 13), [] as [u64; 0]);
    }

    #[test]
    fn who_has_been_away_too_long_or_comes_from_elsewhere_is_told_the_present_state() {
        let history = kept(10, 100);
        for unknown in [0, 9, 10, 45, 110, u64::MAX] {
            assert_eq!(after(&history, unknown), [109], "{unknown}");
        }
        assert_eq!(after(&history, 46).len(), KEPT - 1);
    }

    #[test]
    fn a_later_daemon_counts_on_from_where_no_earlier_one_came_to() {
        let (publisher, ..) = channel();
        (0..1000).for_each(|_| publisher.state(State::Stopping));
        let first = publisher.status().revision - 1000;
        assert!(first_revision(publisher.status().since + std::time::Duration::from_secs(2)) > first + 1000);
        assert!(first < 1 << 53, "{first}");
    }
}
