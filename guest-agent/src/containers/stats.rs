//! What a container uses, once or again and again.

use std::{path::Path, sync::Arc};

use futures::{Stream, stream};
use tokio::time::{Duration, Interval, MissedTickBehavior, interval};

use cove_proto::v1::GetContainerStatsResponse;

use super::{Containers, ContainersError, Entry, View, blocking, inspect::timestamp, program::Program};
use crate::{cgroups, clock, stats::Meter};

/// Between two looks, as with dockerd.
const EACH: Duration = Duration::from_secs(1);

impl Containers {
    /// What a container uses: once, or each second until it is removed. Of one that does not run all numbers are 0.
    ///
    /// # Errors
    /// If there is no such container.
    pub fn stats(
        &self,
        container: &str,
        once: bool,
    ) -> Result<impl Stream<Item = Result<GetContainerStatsResponse, ContainersError>> + Send + use<>, ContainersError>
    {
        let entry = self.find(container)?;
        let mut ticks = interval(EACH);
        // A look that came late must not be followed by another at once.
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let looking = Looking { entry, ticks, once, meter: None, over: false };
        Ok(stream::try_unfold(looking, Looking::next))
    }
}

struct Looking {
    entry: Arc<Entry>,
    ticks: Interval,
    once: bool,
    /// Of which run, and the files of it.
    meter: Option<(Arc<dyn Program>, Arc<Meter>)>,
    over: bool,
}

impl Looking {
    async fn next(mut self) -> Result<Option<(GetContainerStatsResponse, Self)>, ContainersError> {
        if self.over || !self.wait().await {
            return Ok(None);
        }
        self.over = self.once;
        let view = self.entry.now();
        let seen = self.look(&view).await?;
        Ok(Some((seen, self)))
    }

    /// Waits until it is time; says whether there is still a container.
    async fn wait(&mut self) -> bool {
        let mut views = self.entry.watch();
        tokio::select! {
            biased;
            // An error means that its task is gone, and it with it.
            _gone = views.wait_for(|view| view.gone) => false,
            _ = self.ticks.tick() => true,
        }
    }

    async fn look(&mut self, view: &View) -> Result<GetContainerStatsResponse, ContainersError> {
        let record = &view.record;
        let nothing =
            GetContainerStatsResponse { id: record.id.clone(), name: record.name.clone(), ..Default::default() };
        let Some(program) = view.program.clone() else {
            self.meter = None;
            return Ok(nothing);
        };
        let kept = self.meter.take().filter(|(of, _)| Arc::ptr_eq(of, &program)).map(|(_, meter)| meter);
        let (id, pid) = (record.id.clone(), program.pid());
        let own_network = record.spec.network_mode != "host";
        let looked = blocking(move || {
            let meter = match kept {
                Some(meter) => meter,
                None => Arc::new(open(&id, pid, own_network)?),
            };
            let sample = meter.read().map_err(ContainersError::Stats)?;
            Ok((meter, sample, clock::now_nanos()))
        });
        let (meter, sample, now) = match looked.await {
            Ok(looked) => looked,
            // It has ended meanwhile, and its cgroup with it.
            Err(_) if program.exited().is_some() => return Ok(nothing),
            Err(error) => return Err(error),
        };
        self.meter = Some((program, meter));
        Ok(GetContainerStatsResponse {
            time: timestamp(now),
            running: true,
            cpu: Some(sample.cpu),
            memory: Some(sample.memory),
            io: sample.io,
            pids: sample.pids,
            pids_limit: sample.pids_limit,
            networks: sample.networks.into_iter().collect(),
            ..nothing
        })
    }
}

fn open(id: &str, pid: u32, own_network: bool) -> Result<Meter, ContainersError> {
    let cgroup = cgroups::open(id).map_err(|error| ContainersError::Stats(std::io::Error::other(error)))?;
    Meter::open(&cgroup, Path::new("/proc"), pid, own_network).map_err(ContainersError::Stats)
}

#[cfg(test)]
mod tests {
    use cove_proto::v1::ContainerSpec;
    use futures::StreamExt;

    use super::*;
    use crate::containers::{
        Kind,
        fake::{IMAGE, World},
    };

    #[tokio::test]
    async fn a_container_that_does_not_run_uses_nothing_and_its_removal_ends_the_stream() {
        let world = World::new().await;
        let spec = ContainerSpec { image: IMAGE.to_owned(), ..ContainerSpec::default() };
        let id = world.containers.create("web", spec).await.unwrap();
        let mut stats = Box::pin(world.containers.stats("web", false).unwrap());
        let first = stats.next().await.unwrap().unwrap();
        assert_eq!(first, GetContainerStatsResponse { id, name: "web".into(), ..Default::default() });
        let end = tokio::spawn(async move { while stats.next().await.is_some() {} });
        world.containers.remove("web", false, false).await.unwrap();
        end.await.unwrap();
        assert_eq!(world.containers.stats("web", true).err().unwrap().kind(), Kind::NotFound);
    }

    #[tokio::test]
    async fn once_is_once() {
        let world = World::new().await;
        let spec = ContainerSpec { image: IMAGE.to_owned(), ..ContainerSpec::default() };
        world.containers.create("web", spec).await.unwrap();
        assert_eq!(world.containers.stats("web", true).unwrap().count().await, 1);
    }
}
