//! The one place where the state that others see is written.

use std::{sync::Arc, time::SystemTime};

use tokio::sync::watch;

use crate::{
    State, Status,
    hypervisor::{Exit, Vm},
};

/// The writing ends. Only the machine's task, and the start that it waits for, have it.
#[derive(Clone)]
pub(super) struct Publisher {
    status: Arc<watch::Sender<Status>>,
    vm: Arc<watch::Sender<Option<Arc<dyn Vm>>>>,
}

type Ends = (Publisher, watch::Receiver<Status>, watch::Receiver<Option<Arc<dyn Vm>>>);

/// A stopped machine.
pub(super) fn channel() -> Ends {
    let (status, status_seen) = watch::channel(Status {
        state: State::Stopped,
        since: SystemTime::now(),
        revision: 1,
        last_exit: None,
        warnings: Vec::new(),
        platform: None,
    });
    let (vm, vm_seen) = watch::channel(None);
    (Publisher { status: Arc::new(status), vm: Arc::new(vm) }, status_seen, vm_seen)
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
        });
    }
}
