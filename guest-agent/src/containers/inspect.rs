//! Saying all about a container.

use prost_types::Timestamp;

use cove_proto::v1;

use super::{Containers, ContainersError, Entry, View, blocking, folder, launch, mounts, namespaces};
use crate::networks::{Networks, SUBNET};

impl Containers {
    /// Says all about a container.
    ///
    /// # Errors
    /// If there is none, or a size cannot be found out.
    pub async fn inspect(&self, container: &str, sizes: bool) -> Result<v1::Container, ContainersError> {
        let entry = self.find(container)?;
        self.describe(&entry, &entry.now(), sizes).await
    }

    pub(super) async fn describe(
        &self,
        entry: &Entry,
        view: &View,
        sizes: bool,
    ) -> Result<v1::Container, ContainersError> {
        let record = &view.record;
        let folder = self.0.folders.of(&record.id);
        let (mut writable_bytes, mut rootfs_bytes) = (None, None);
        if sizes {
            let (upper, this, image) = (folder.upper(), self.clone(), record.image_id.clone());
            let (own, of_image) = blocking(move || {
                // The image may have been removed by force; then nobody knows its size.
                Ok((folder::size_of(&upper)?, this.0.images.find(&image).map_or(0, |(_, bytes)| bytes)))
            })
            .await?;
            (writable_bytes, rootfs_bytes) = (Some(own), Some(own + of_image));
        }
        Ok(v1::Container {
            id: record.id.clone(),
            name: record.name.clone(),
            created_at: timestamp(record.created_at),
            spec: Some(record.spec.clone()),
            image_id: record.image_id.clone(),
            path: record.path.clone(),
            args: record.args.clone(),
            state: Some(state(view)),
            restart_count: record.restart_count,
            exec_ids: entry.exec_ids(),
            files: Some(launch::files(&folder)),
            writable_bytes,
            rootfs_bytes,
            mounts: mounts::points(&self.0.volumes, record),
            networks: networks(&self.0.networks, view),
        })
    }
}

/// The network that it is or was on itself, and its place there as long as it runs.
fn networks(networks: &Networks, view: &View) -> Vec<v1::NetworkEndpoint> {
    let record = &view.record;
    let has_run = view.program.is_some() || record.state.started_at != 0;
    let Some(name) = namespaces::network_name(&record.spec).filter(|_| has_run) else {
        return Vec::new();
    };
    let mut shown = v1::NetworkEndpoint {
        network: name.to_owned(),
        network_id: networks.id(name).to_owned(),
        ..Default::default()
    };
    if let Some(endpoint) = networks.endpoint(&record.id) {
        shown.endpoint_id.clone_from(&endpoint.id);
        shown.mac_address = endpoint.hardware_text();
        shown.ipv4_address = endpoint.address.to_string();
        shown.ipv4_prefix_length = SUBNET.prefix.into();
        shown.ipv4_gateway = SUBNET.gateway().to_string();
    }
    vec![shown]
}

fn state(view: &View) -> v1::ContainerState {
    let state = &view.record.state;
    v1::ContainerState {
        status: view.status().into(),
        pid: view.program.as_ref().map_or(0, |program| program.pid()),
        exit_code: state.exit_code,
        oom_killed: state.oom_killed || view.program.as_ref().is_some_and(|program| program.oom_killed()),
        error: state.error.clone(),
        started_at: timestamp(state.started_at),
        finished_at: timestamp(state.finished_at),
        health: view.health.clone(),
        restarting: view.is_restarting(),
    }
}

/// A time of the API; none for 0.
#[must_use]
pub(crate) fn timestamp(nanos: i64) -> Option<Timestamp> {
    (nanos != 0).then(|| Timestamp {
        seconds: nanos.div_euclid(1_000_000_000),
        nanos: i32::try_from(nanos.rem_euclid(1_000_000_000)).unwrap_or(0),
    })
}

/// Nanoseconds since 1970 of a time of the API; the nearest that there is.
#[must_use]
pub(crate) fn nanos(time: &Timestamp) -> i64 {
    time.seconds.saturating_mul(1_000_000_000).saturating_add(i64::from(time.nanos))
}
