//! Networks, as containers get them. There are three, and dockerd's names for them: `bridge`, in which containers reach
//! one another, `host`, which is the guest's own, and `none`, which is loopback alone.
//!
//! ```text
//!            the keeper makes it           a start takes it             the run ends
//!  address: free ──────────► ready ─────────────────────► leased ──────────────────► leaving ──► free
//!                                      none is ready: made then and there            the keeper cuts its link
//! ```
//!
//! A namespace is made before anybody asks ([`keeper`]), since the kernel takes longer for it than for all the rest of a
//! container, and its link is cut when nobody waits any more. What a container has is written down in memory that lasts
//! as long as the boot ([`leases`]): an agent that starts again takes over the containers with their addresses. The
//! namespaces that were ready die with the agent that held them.
//!
//! * What there is: [`builtin`]; [`addresses`] — who has which, pure; [`leases`].
//! * What is done: [`attach`] — for a start, and at its end; [`keeper`] — off the request path; [`list`] — looking.
//! * The kernel, behind the seam [`wires::Wires`]: [`wires`], [`namespace`] (one container's end), [`bridge`] (the
//!   guest's end), [`netlink`] (the messages).
//!
//! All calls block; callers on the runtime use `spawn_blocking`.

mod addresses;
mod attach;
mod bridge;
mod builtin;
mod error;
#[cfg(test)]
pub(crate) mod fake;
mod filters;
mod keeper;
mod leases;
mod list;
mod namespace;
mod netlink;
#[cfg(test)]
mod tests;
pub mod wires;

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    net::Ipv4Addr,
    path::PathBuf,
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
};

use self::{
    addresses::Addresses,
    leases::Leases,
    wires::{Ready, Wires},
};
pub use self::{
    addresses::{GATEWAY, PREFIX_LENGTH, SUBNET, mac},
    attach::Attached,
    builtin::{BuiltIn, Facts},
    error::{FilterError, NetworksError},
    leases::{Lease, Place},
    list::Seen,
};
use crate::state::Database;

/// All networks; clones share them.
#[derive(Clone)]
pub struct Networks(Arc<Handle>);

/// Ends the keeper when the last clone goes.
struct Handle(Arc<Shared>);

/// What the keeper and the callers share.
struct Shared {
    wires: Box<dyn Wires>,
    facts: BTreeMap<BuiltIn, Facts>,
    files: Leases,
    state: Mutex<State>,
    /// Tells the keeper that there is something to do.
    work: Condvar,
}

#[derive(Default)]
struct State {
    /// Every address that is not free.
    taken: Addresses,
    ready: BTreeMap<Ipv4Addr, Ready>,
    leases: HashMap<String, Lease>,
    /// What the keeper has to cut.
    leaving: Vec<Place>,
    /// Whether the keeper has been woken since it looked.
    woken: bool,
    /// Whether the keeper is to end.
    closing: bool,
}

impl std::fmt::Debug for Networks {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Networks(..)")
    }
}

impl Networks {
    /// Takes over what the containers that run have, and begins to make namespaces ready. `folder` is where leases are
    /// written down, in memory; `running` are the ids of the containers that PID 1 holds.
    ///
    /// # Errors
    /// If the folder or the database cannot be used.
    pub fn open(
        folder: PathBuf,
        database: &Database,
        running: &HashSet<String>,
        wires: Box<dyn Wires>,
    ) -> Result<Self, NetworksError> {
        let files = Leases::open(folder)?;
        let facts = builtin::facts(database)?;
        let mut state = State { woken: true, ..State::default() };
        for (id, lease) in files.all()? {
            if let Some(place) = &lease.place {
                state.taken.take(place.address);
            }
            if running.contains(&id) {
                state.leases.insert(id, lease);
            } else {
                files.remove(&id);
                state.leaving.extend(lease.place);
            }
        }
        let shared = Arc::new(Shared { wires, facts, files, state: Mutex::new(state), work: Condvar::new() });
        keeper::start(Arc::clone(&shared))?;
        Ok(Self(Arc::new(Handle(shared))))
    }

    fn shared(&self) -> &Shared {
        &self.0.0
    }
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wake(&self, mut state: MutexGuard<'_, State>) {
        state.woken = true;
        drop(state);
        self.work.notify_all();
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        let mut state = self.0.state();
        state.closing = true;
        self.0.wake(state);
    }
}
