//! What is done when nobody waits: links are cut, and namespaces made ready for the next to come. One thread, for all of
//! it blocks, and the kernel lets one at a time change links anyway.

use std::{mem, net::Ipv4Addr, sync::Arc};

use super::{NetworksError, Place, Shared, State};

/// As many are ready when nothing happens: a project of this size starts at once.
const ENOUGH: usize = 4;
/// More than this are not kept: what many containers leave at once is made ready only as far as this.
const MOST: usize = 8;

/// Starts the thread; it ends when the networks are closed.
pub(super) fn start(shared: Arc<Shared>) -> Result<(), NetworksError> {
    let thread = std::thread::Builder::new().name("networks".to_owned());
    thread.spawn(move || keep(&shared)).map(drop).map_err(NetworksError::Thread)
}

fn keep(shared: &Shared) {
    if let Err(error) = shared.wires.prepare() {
        tracing::error!(error = &error as &dyn std::error::Error, "there is no bridge for containers");
    }
    while let Some(leaving) = next(shared) {
        for place in leaving {
            cut(shared, place);
        }
        fill(shared);
    }
}

/// Waits until there is something to do; `None` at the end.
fn next(shared: &Shared) -> Option<Vec<Place>> {
    let waits = |state: &mut State| !state.woken && !state.closing;
    let mut state = shared.work.wait_while(shared.state(), waits).unwrap_or_else(std::sync::PoisonError::into_inner);
    state.woken = false;
    (!state.closing).then(|| mem::take(&mut state.leaving))
}

/// Cuts a link, and only then lets somebody else have its address. A namespace goes by itself with its last process, and
/// its link with it; but another container may share it, and then the link is what would answer to the address.
fn cut(shared: &Shared, place: Place) {
    if let Err(error) = shared.wires.cut(&place.link) {
        // The address stays taken: two that have the same one are worse than one that nobody has.
        tracing::warn!(error = &error as &dyn std::error::Error, "an ended container leaves something behind");
        return;
    }
    shared.state().taken.give_back(place.address);
}

/// Makes ready what is missing.
fn fill(shared: &Shared) {
    // Not asked for in the loop's head, where the lock would be held for all of its body.
    let next = || wanted(&mut shared.state());
    while let Some(address) = next() {
        match shared.wires.make(address) {
            Ok(ready) => {
                let mut state = shared.state();
                state.ready.insert(address, ready);
                let surplus = (state.ready.len() > MOST).then(|| state.ready.pop_last()).flatten();
                drop(state);
                if let Some((address, ready)) = surplus {
                    cut(shared, Place { address, link: ready.link });
                }
            }
            Err(error) => {
                shared.state().taken.give_back(address);
                // It is tried again after the next start or end of a container, and a start tries for itself.
                tracing::warn!(error = &error as &dyn std::error::Error, "no network namespace is made ready");
                return;
            }
        }
    }
}

/// The address that is to be made ready next: there are too few, or it is lower than one that is ready and so comes first.
fn wanted(state: &mut State) -> Option<Ipv4Addr> {
    if state.closing {
        return None;
    }
    let lowest = state.taken.lowest_free()?;
    let highest = state.ready.last_key_value().map(|(address, _)| *address);
    let wanted = state.ready.len() < ENOUGH || highest.is_some_and(|highest| lowest < highest);
    if !wanted {
        return None;
    }
    state.taken.take(lowest);
    Some(lowest)
}
