//! Saying all about a container.

use prost_types::Timestamp;

use cove_proto::v1;

use super::{Containers, ContainersError, Entry, View, blocking, folder, launch, mounts, namespaces};
use crate::networks::{self, Networks, Sandbox};

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
        let sandbox = self.0.networks.sandbox(&record.id).unwrap_or_default();
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
            networks: networks(&self.0.networks, view, &sandbox),
            sandbox_id: sandbox.id.clone(),
            ports: sandbox.ports.iter().map(networks::Port::told).collect(),
        })
    }
}

/// The networks that it is on, and its places there as long as it runs.
fn networks(networks: &Networks, view: &View, sandbox: &Sandbox) -> Vec<v1::NetworkEndpoint> {
    let record = &view.record;
    let has_run = view.program.is_some() || record.state.started_at != 0;
    let shown = |attachment: &v1::NetworkAttachment| {
        let found = networks.find(&attachment.network).ok().filter(|_| has_run);
        let known = found.as_ref().map(|found| found.id.clone()).unwrap_or_default();
        let network_id = if attachment.network_id.is_empty() { known } else { attachment.network_id.clone() };
        let shown = v1::NetworkEndpoint {
            network: attachment.network.clone(),
            dns_names: names(record, attachment).filter(|_| has_run).unwrap_or_default(),
            attachment: Some(attachment.clone()),
            network_id,
            ..Default::default()
        };
        let endpoint = sandbox.endpoints.iter().find(|endpoint| endpoint.network == shown.network_id);
        endpoint.zip(found).map_or_else(|| shown.clone(), |(endpoint, found)| place(shown.clone(), endpoint, &found))
    };
    namespaces::attachments(&record.spec).iter().map(shown).collect()
}

fn names(record: &super::Record, attachment: &v1::NetworkAttachment) -> Option<Vec<String>> {
    let owner = super::start::owner(record);
    networks::is_user_defined(&attachment.network).then(|| networks::dns_names(owner, &attachment.aliases))
}

/// What it has on a network now.
fn place(shown: v1::NetworkEndpoint, endpoint: &networks::Endpoint, network: &networks::Record) -> v1::NetworkEndpoint {
    let prefix = |is_ipv4| network.pool(is_ipv4).map_or(0, |pool| pool.subnet.prefix.into());
    let gateway = |is_ipv4| networks::gateway(network, is_ipv4).map(|it| it.to_string()).unwrap_or_default();
    v1::NetworkEndpoint {
        endpoint_id: endpoint.id.clone(),
        mac_address: endpoint.hardware_text(),
        ipv4_address: endpoint.ipv4.map(|address| address.to_string()).unwrap_or_default(),
        ipv4_prefix_length: endpoint.ipv4.map_or(0, |_| prefix(true)),
        ipv4_gateway: endpoint.ipv4.map(|_| gateway(true)).unwrap_or_default(),
        ipv6_address: endpoint.ipv6.map(|address| address.to_string()).unwrap_or_default(),
        ipv6_prefix_length: endpoint.ipv6.map_or(0, |_| prefix(false)),
        ipv6_gateway: endpoint.ipv6.map(|_| gateway(false)).unwrap_or_default(),
        ..shown
    }
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
