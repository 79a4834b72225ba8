//! Making a container: its folder first, then one record that makes it exist. A folder without a record is swept up when
//! the agent starts.

use std::sync::{Arc, atomic::Ordering};

use cove_proto::v1::ContainerSpec;

use super::{
    Containers, ContainersError, Engine,
    actor::Actor,
    blocking, detached, launch, links, log, merge, mounts, namespaces,
    record::{CONTAINERS, Record, State},
    spec, user_namespaces,
};
use crate::{clock, logs::Log, names};

impl Containers {
    /// Makes a container, and says its id. It gets a name if none is asked for.
    ///
    /// # Errors
    /// If what is asked for makes no sense, the name is in use, or there is no such image.
    pub async fn create(&self, name: &str, spec: ContainerSpec) -> Result<String, ContainersError> {
        if self.0.shutting_down.load(Ordering::SeqCst) {
            return Err(ContainersError::ShuttingDown);
        }
        let name = name.strip_prefix('/').unwrap_or(name);
        if !name.is_empty() && !names::is_valid(name) {
            return Err(ContainersError::InvalidName { name: name.to_owned() });
        }
        spec::check(&spec, self.0.cpus)?;
        let reservation = Reservation::of(&self.0, name).await?;
        detached(make(Arc::clone(&self.0), reservation, spec)).await
    }
}

async fn make(engine: Arc<Engine>, reservation: Reservation, spec: ContainerSpec) -> Result<String, ContainersError> {
    let (on_disk, id, name) = (Arc::clone(&engine), reservation.id.clone(), reservation.name.clone());
    let made = blocking(move || {
        let made = make_on_disk(&on_disk, &id, name, spec);
        if made.is_err() {
            undo(&on_disk, &id);
        }
        made
    });
    let (record, log) = made.await?;
    let (actor, entry) = Actor::new(&engine, record, log, None);
    engine.index().insert(entry);
    engine.changed();
    actor.tell("create");
    tokio::spawn(actor.run());
    Ok(reservation.keep())
}

fn make_on_disk(
    engine: &Engine,
    id: &str,
    name: String,
    spec: ContainerSpec,
) -> Result<(Record, Log), ContainersError> {
    let image = engine.images.hold(&spec.image, id)?;
    let mut spec = merge::merge(spec, &image.config);
    spec::check(&spec, engine.cpus)?;
    user_namespaces::check(&spec, engine.user_namespaces)?;
    namespaces::fill_in(engine, &mut spec)?;
    namespaces::fill_in_networks(engine, &mut spec);
    links::fill_in(engine, &mut spec)?;
    namespaces::check_networks(engine, &spec)?;
    launch::fill_in_defaults(&mut spec, id);
    mounts::resolve(engine, id, &mut spec)?;
    mounts::fill(engine, &spec, &image.layers)?;
    let (path, args) = merge::command(&spec)?;
    engine.folders.create(id)?;
    let record = Record {
        id: id.to_owned(),
        name,
        created_at: clock::now_nanos(),
        image_id: image.id,
        spec,
        path,
        args,
        restart_count: 0,
        state: State::default(),
    };
    let log = log::open(engine, &record)?;
    engine.database.write_blocking(|changes| CONTAINERS.put(changes, id, &record))?;
    engine.volumes.settle(id);
    Ok((record, log))
}

/// Takes back what a failed creation has made. What cannot be taken back now is when the agent starts next.
fn undo(engine: &Engine, id: &str) {
    let undone = [mounts::abandon(engine, id), engine.folders.discard(id).and_then(|()| engine.folders.free(id))];
    for error in undone.into_iter().filter_map(Result::err) {
        tracing::warn!(container = id, error = &error as &dyn std::error::Error, "a failed creation leaves something");
    }
}

/// An id and a name that nobody else gets; given back unless the container comes to be.
struct Reservation {
    engine: Arc<Engine>,
    id: String,
    name: String,
    kept: bool,
}

impl Reservation {
    /// Whose the name is while his container is being made, others are told that there is none. So a conflict is not said
    /// before it is there: who hears of one finds the other.
    async fn of(engine: &Arc<Engine>, name: &str) -> Result<Self, ContainersError> {
        let mut changes = engine.changes.subscribe();
        loop {
            match Self::new(engine, name) {
                Err(ContainersError::NameInUse { by, .. }) if !engine.index().is_there(&by) => {
                    // The engine, which has the other end, is there.
                    let _ = changes.changed().await;
                }
                settled => return settled,
            }
        }
    }

    fn new(engine: &Arc<Engine>, name: &str) -> Result<Self, ContainersError> {
        let id = names::new_id()?;
        let mut index = engine.index();
        let name = match name {
            "" => names::generate(|name| index.is_taken(name))?,
            name => name.to_owned(),
        };
        index.reserve(&name, &id)?;
        drop(index);
        Ok(Self { engine: Arc::clone(engine), id, name, kept: false })
    }

    fn keep(mut self) -> String {
        self.kept = true;
        std::mem::take(&mut self.id)
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        if !self.kept {
            self.engine.index().give_back(&self.name);
            self.engine.changed();
        }
    }
}
