//! `cove.v1.Networks`.

use tonic::{Request, Response, Status};

use cove_proto::v1::{self, GetNetworkRequest, GetNetworkResponse, ListNetworksRequest, ListNetworksResponse};

use crate::{
    containers::{Containers, timestamp},
    networks::{self, BRIDGE, DEVICE, Kept, Networks, SUBNET},
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

    fn shown(&self, name: &str, kept: &Kept) -> v1::Network {
        let network = v1::Network {
            name: name.to_owned(),
            id: kept.id.clone(),
            driver: networks::driver(name).to_owned(),
            created_at: timestamp(kept.created_at),
            ..v1::Network::default()
        };
        if name != BRIDGE {
            return network;
        }
        v1::Network {
            ipv4_subnet: format!("{}/{}", SUBNET.base, SUBNET.prefix),
            ipv4_gateway: SUBNET.gateway().to_string(),
            device: DEVICE.to_owned(),
            containers: self.on_bridge(),
            ..network
        }
    }

    fn on_bridge(&self) -> Vec<v1::NetworkContainer> {
        let shown = |(id, endpoint): (String, networks::Endpoint)| {
            // One that is just being removed is on no network any more.
            let name = self.containers.find(&id).ok()?.now().record.name.clone();
            Some(v1::NetworkContainer {
                id,
                name,
                mac_address: endpoint.hardware_text(),
                ipv4_address: format!("{}/{}", endpoint.address, SUBNET.prefix),
                endpoint_id: endpoint.id,
            })
        };
        let mut containers: Vec<_> = self.networks.endpoints().into_iter().filter_map(shown).collect();
        containers.sort_by(|one, other| one.name.cmp(&other.name));
        containers
    }
}

#[tonic::async_trait]
impl v1::networks_server::Networks for NetworksService {
    async fn list_networks(
        &self,
        _request: Request<ListNetworksRequest>,
    ) -> Result<Response<ListNetworksResponse>, Status> {
        let networks = self.networks.all().map(|(name, kept)| self.shown(name, kept)).collect();
        Ok(Response::new(ListNetworksResponse { networks }))
    }

    async fn get_network(&self, request: Request<GetNetworkRequest>) -> Result<Response<GetNetworkResponse>, Status> {
        let asked = request.into_inner().network;
        let found = self.networks.find(&asked);
        let (name, kept) = found.ok_or_else(|| Status::not_found(format!("network {asked} not found")))?;
        Ok(Response::new(GetNetworkResponse { network: Some(self.shown(name, kept)) }))
    }
}
