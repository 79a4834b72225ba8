//! `cove.v1.Networks`.

use std::sync::Arc;

use tonic::{Request, Response, Status};

use cove_proto::v1::{
    self, ConnectNetworkRequest, ConnectNetworkResponse, CreateNetworkRequest, CreateNetworkResponse,
    DisconnectNetworkRequest, DisconnectNetworkResponse, GetNetworkRequest, GetNetworkResponse, ListNetworksRequest,
    ListNetworksResponse, PruneNetworksRequest, PruneNetworksResponse, RemoveNetworkRequest, RemoveNetworkResponse,
};

use super::error::missing;
use crate::{
    containers::{Containers, timestamp},
    networks::{Endpoint, Networks, Pool, Record},
};

/// `cove.v1.Networks`.
#[derive(Clone)]
pub struct NetworksService {
    networks: Networks,
    containers: Containers,
}

impl NetworksService {
    /// The service of these networks.
    #[must_use]
    pub fn new(networks: Networks, containers: Containers) -> Self {
        Self { networks, containers }
    }

    /// Does what blocks where it blocks nobody. What was begun is finished although the caller may leave.
    async fn ask<T: Send + 'static, E: Into<Status> + Send + 'static>(
        &self,
        work: impl FnOnce(&Networks) -> Result<T, E> + Send + 'static,
    ) -> Result<T, Status> {
        let networks = self.networks.clone();
        let done = tokio::task::spawn_blocking(move || work(&networks)).await;
        done.map_err(|_| Status::unavailable("the agent is shutting down"))?.map_err(Into::into)
    }

    fn shown(&self, record: &Arc<Record>) -> v1::Network {
        let pool = |pool: &&Pool| pool.subnet.is_ipv4();
        let ipv4 = record.pools.iter().find(pool);
        v1::Network {
            name: record.name.clone(),
            id: record.id.clone(),
            driver: record.driver.clone(),
            ipv4_subnet: ipv4.map(|pool| pool.subnet.to_string()).unwrap_or_default(),
            ipv4_gateway: ipv4.map(|pool| pool.gateway().to_string()).unwrap_or_default(),
            device: record.device(),
            containers: self.on(record),
            created_at: timestamp(record.created_at),
            pools: record.pools.iter().map(shown_pool).collect(),
            options: record.options.clone().into_iter().collect(),
            labels: record.labels.clone().into_iter().collect(),
            internal: record.internal,
            attachable: record.attachable,
            ipv4: record.ipv4,
            ipv6: record.ipv6,
            address_options: record.address_options.clone().into_iter().collect(),
        }
    }

    fn on(&self, record: &Record) -> Vec<v1::NetworkContainer> {
        let shown = |(id, endpoint): (String, Endpoint)| {
            // One that is just being removed is on no network any more.
            let name = self.containers.find(&id).ok()?.now().record.name.clone();
            let prefixed = |is_ipv4| {
                let address = endpoint.addresses().find(|address| address.is_ipv4() == is_ipv4);
                let pool = record.pool(is_ipv4);
                address.zip(pool).map(|(address, pool)| format!("{address}/{}", pool.subnet.prefix)).unwrap_or_default()
            };
            Some(v1::NetworkContainer {
                id,
                name,
                mac_address: endpoint.hardware_text(),
                ipv4_address: prefixed(true),
                ipv6_address: prefixed(false),
                endpoint_id: endpoint.id,
            })
        };
        let mut containers: Vec<_> = self.networks.endpoints_on(&record.id).into_iter().filter_map(shown).collect();
        containers.sort_by(|one, other| one.name.cmp(&other.name));
        containers
    }
}

/// As asked for: what nobody chose is not said.
fn shown_pool(pool: &Pool) -> v1::AddressPool {
    v1::AddressPool {
        subnet: pool.subnet.to_string(),
        range: pool.range.map(|range| range.to_string()).unwrap_or_default(),
        gateway: pool.gateway.map(|gateway| gateway.to_string()).unwrap_or_default(),
        reserved: pool.reserved.iter().map(|(name, address)| (name.clone(), address.to_string())).collect(),
    }
}

#[tonic::async_trait]
impl v1::networks_server::Networks for NetworksService {
    async fn create_network(
        &self,
        request: Request<CreateNetworkRequest>,
    ) -> Result<Response<CreateNetworkResponse>, Status> {
        let asked = request.into_inner();
        let host = self.networks.host_routes().await;
        let id = self.ask(move |networks| networks.create(asked, &host)).await?;
        Ok(Response::new(CreateNetworkResponse { id }))
    }

    async fn list_networks(
        &self,
        _request: Request<ListNetworksRequest>,
    ) -> Result<Response<ListNetworksResponse>, Status> {
        let networks = self.networks.all().iter().map(|record| self.shown(record)).collect();
        Ok(Response::new(ListNetworksResponse { networks }))
    }

    async fn get_network(&self, request: Request<GetNetworkRequest>) -> Result<Response<GetNetworkResponse>, Status> {
        let record = self.networks.find(&request.into_inner().network)?;
        Ok(Response::new(GetNetworkResponse { network: Some(self.shown(&record)) }))
    }

    async fn remove_network(
        &self,
        request: Request<RemoveNetworkRequest>,
    ) -> Result<Response<RemoveNetworkResponse>, Status> {
        let network = request.into_inner().network;
        self.ask(move |networks| networks.remove(&network)).await?;
        Ok(Response::new(RemoveNetworkResponse {}))
    }

    async fn connect_network(
        &self,
        request: Request<ConnectNetworkRequest>,
    ) -> Result<Response<ConnectNetworkResponse>, Status> {
        let ConnectNetworkRequest { container, attachment } = request.into_inner();
        self.containers.connect(&container, attachment.ok_or_else(|| missing("the network"))?).await?;
        Ok(Response::new(ConnectNetworkResponse {}))
    }

    async fn disconnect_network(
        &self,
        request: Request<DisconnectNetworkRequest>,
    ) -> Result<Response<DisconnectNetworkResponse>, Status> {
        let DisconnectNetworkRequest { network, container, force } = request.into_inner();
        self.containers.disconnect(&container, &network, force).await?;
        Ok(Response::new(DisconnectNetworkResponse {}))
    }

    async fn prune_networks(
        &self,
        request: Request<PruneNetworksRequest>,
    ) -> Result<Response<PruneNetworksResponse>, Status> {
        let filters = request.into_inner().filters;
        let names = self.ask(move |networks| networks.prune(filters)).await?;
        Ok(Response::new(PruneNetworksResponse { names }))
    }
}
