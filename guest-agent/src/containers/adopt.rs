//! Making the database true when the agent starts: what PID 1 holds runs, nothing else does.

use std::{
    collections::{HashMap, HashSet},
    sync::{Arc, Mutex, atomic::AtomicBool},
};

use super::{
    Containers, ContainersError, Engine, Ground,
    actor::Actor,
    blocking,
    folder::Folders,
    index::Index,
    log, mounts, namespaces,
    program::Program,
    record::{CONTAINERS, Phase, Record},
    restart_policy,
};
use crate::{clock, state::Records};

/// The boot of the machine that containers were last made true in.
const BOOTS: Records<String> = Records::new("boots");

/// dockerd's exit code for a run whose end nobody saw.
const UNSEEN_END: i32 = 255;

impl Containers {
    /// Opens the containers of a data disk. `held` are the first processes that PID 1 holds, by container.
    ///
    /// # Errors
    /// If the disk or the database cannot be used.
    pub async fn open(ground: Ground, held: HashMap<String, Arc<dyn Program>>) -> Result<Self, ContainersError> {
        let Ground { root, database, images, volumes, networks, shares, launcher, boot, cpus, user_namespaces, events } =
            ground;
        let folders = blocking(move || Folders::open(&root)).await?;
        let (index, shutting_down) = (Mutex::new(Index::default()), AtomicBool::new(false));
        let pruning = AtomicBool::new(false);
        // From the present time in milliseconds: beyond what an earlier agent counted to, whose watchers come back to this
        // one. Never 0, which a watcher says that knows nothing.
        let first = u64::try_from(clock::now_nanos() / 1_000_000).unwrap_or(0).max(1);
        let changes = tokio::sync::watch::Sender::new(first);
        let engine = Engine {
            database,
            images,
            volumes,
            networks,
            shares,
            launcher,
            folders,
            boot,
            cpus,
            user_namespaces,
            events,
            index,
            changes,
            pruning,
            shutting_down,
        };
        let engine = Arc::new(engine);
        let alive: HashSet<String> = held.keys().cloned().collect();
        let known = Arc::clone(&engine);
        let (records, boots) = blocking(move || Ok((restore(&known, &alive)?, note_boot(&known)?))).await?;
        let containers = Self(engine);
        let mut held = held;
        for record in records {
            let program = held.remove(&record.id);
            containers.adopt(record, program, boots).await?;
        }
        // A start that the earlier agent did not finish, or a look into a container.
        containers.0.shares.close_unused();
        for (id, program) in held {
            tracing::warn!(container = %id, "a program of no container is ended");
            tokio::spawn(end_stray(program));
        }
        Ok(containers)
    }

    /// Makes the task of a container. If the machine `boots`, it may be one to start.
    async fn adopt(
        &self,
        mut record: Record,
        program: Option<Arc<dyn Program>>,
        boots: bool,
    ) -> Result<(), ContainersError> {
        let engine = &self.0;
        let (on_disk, of) = (Arc::clone(engine), record.clone());
        let log = blocking(move || log::open(&on_disk, &of)).await?;
        if let Some(program) = &program {
            record.state.phase = Phase::Running { boot: engine.boot.clone() };
            record.state.started_at = program.started_at_nanos();
            record.state.finished_at = 0;
            engine.images.set_running(&record.id, true);
            mounts::adopted(engine, &record);
        }
        let leaves = record.spec.auto_remove && program.is_none() && record.state.finished_at != 0;
        let starts = program.is_none()
            && (record.state.phase == Phase::Restarting || (boots && restart_policy::starts_at_boot(&record)));
        let (mut actor, entry) = Actor::new(engine, record, log, program);
        engine.index().insert(entry);
        if starts {
            actor.restart_at_once();
        } else if actor.running.is_some() {
            actor.reset_health();
            actor.watch_for_oom();
        }
        if leaves {
            if let Err(error) = actor.remove(true).await {
                tracing::warn!(error = &error as &dyn std::error::Error, "an ended container cannot be removed");
            } else {
                return Ok(());
            }
        }
        tokio::spawn(actor.run());
        Ok(())
    }
}

/// Finishes what an earlier agent began, and says what there is. Names are taken from here on.
fn restore(engine: &Engine, alive: &HashSet<String>) -> Result<Vec<Record>, ContainersError> {
    let (present, removed) = engine.folders.list()?;
    let removed: HashSet<String> = removed.into_iter().collect();
    let mut records: Vec<Record> = CONTAINERS.all(&engine.database)?.into_iter().map(|(_, record)| record).collect();
    let gone: Vec<String> = records.iter().map(|r| r.id.clone()).filter(|id| removed.contains(id)).collect();
    records.retain(|record| !removed.contains(&record.id));
    let changed: Vec<&Record> = records
        .iter_mut()
        .filter(|record| !alive.contains(&record.id))
        .filter_map(|record| roll_back(record, &engine.boot).then_some(&*record))
        .collect();
    if !gone.is_empty() || !changed.is_empty() {
        engine.database.write_blocking(|changes| {
            gone.iter().try_for_each(|id| CONTAINERS.delete(changes, id).map(drop))?;
            changed.iter().try_for_each(|record| CONTAINERS.put(changes, &record.id, record))
        })?;
    }
    for record in records.iter_mut().filter(|record| record.spec.networks.is_none()) {
        namespaces::fill_in_networks(engine, &mut record.spec);
    }
    let known: HashSet<&str> = records.iter().map(|record| record.id.as_str()).collect();
    for id in present.iter().filter(|id| !known.contains(id.as_str())) {
        engine.folders.discard(id)?;
        engine.folders.free(id)?;
    }
    removed.iter().try_for_each(|id| engine.folders.free(id))?;
    // A record is on the disk when its container is created, its folder some seconds later: what a power cut took of it is
    // made anew, with all that a program has synced in it still there.
    known.iter().try_for_each(|id| engine.folders.create(id).map(drop))?;
    engine.images.retain(&|hold| known.contains(mounts::container_of(hold)))?;
    records.iter().for_each(|record| mounts::restored(engine, record));
    let mut index = engine.index();
    records.iter().try_for_each(|record| index.reserve(&record.name, &record.id))?;
    drop(index);
    Ok(records)
}

/// Notes which boot of the machine this is; says whether this is the first agent of it.
fn note_boot(engine: &Engine) -> Result<bool, ContainersError> {
    const KEY: &str = "last";
    let is_new = BOOTS.get(&engine.database, KEY)?.as_ref() != Some(&engine.boot);
    if is_new {
        engine.database.write_blocking(|changes| BOOTS.put(changes, KEY, &engine.boot))?;
    }
    Ok(is_new)
}

/// Corrects a record of what does not run; says whether it had to be corrected.
fn roll_back(record: &mut Record, present_boot: &str) -> bool {
    let state = &mut record.state;
    match std::mem::take(&mut state.phase) {
        // What was to be started again in a moment is, when it is looked at ([`restart_policy`]).
        phase @ (Phase::Idle | Phase::Stopped | Phase::Restarting) => {
            state.phase = phase;
            return false;
        }
        // Never written, but if it were, this is what it would mean.
        Phase::Removing | Phase::Dead => state.phase = Phase::Dead,
        Phase::Starting { boot } if boot == present_boot => {
            "the agent ended while the container was being started".clone_into(&mut state.error);
            state.exit_code = 128;
        }
        Phase::Starting { .. } | Phase::Running { .. } => {
            let now = clock::now_nanos();
            // The start was written down before its time was known.
            state.started_at = if state.started_at > state.finished_at { state.started_at } else { now };
            (state.exit_code, state.oom_killed, state.finished_at) = (UNSEEN_END, false, now);
        }
    }
    true
}

async fn end_stray(program: Arc<dyn Program>) {
    program.kill_all();
    program.wait().await;
    if let Err(error) = program.release().await {
        tracing::warn!(%error, "a program of no container leaves something behind");
    }
}
