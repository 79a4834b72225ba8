//! `cove.v1.Networks`.

use tonic::{Request, Response, Status};

use cove_proto::v1::{
    self, GetNetworkRequest, GetNetworkResponse, ListNetworksRequest, ListNetworksResponse, NetworkEndpoint,
};

use crate::{
    containers::{Containers, fill_endpoint, timestamp},
    networks::{Lease, Networks, Seen},
};

/// `cove.v1.Networks`.
#[derive(Debug, Clone)]
pub struct NetworksService {
    networks: Networks,
    containers: Containers,
}

impl NetworksService {
    /// The service of these networks, with the names of these containers.
    #[must_use]
    pub fn new(networks: Networks, containers: Containers) -> Self {
        Self { networks, containers }
    }

    fn shown(&self, seen: Seen) -> v1::Network {
        let subnet = seen.network.subnet().map(|(subnet, gateway)| v1::NetworkSubnet { subnet, gateway });
        let members = seen.leases.iter().filter_map(|(id, lease)| self.member(&seen, id, lease)).collect();
        v1::Network {
            id: seen.facts.id,
            name: seen.network.name().to_owned(),
            created_at: timestamp(seen.facts.created_at),
            driver: seen.network.driver().to_owned(),
            subnets: subnet.into_iter().collect(),
            options: seen.network.options().into_iter().collect(),
            members,
        }
    }

    /// One that goes at this moment is no member any more.
    fn member(&self, seen: &Seen, id: &str, lease: &Lease) -> Option<v1::NetworkMember> {
        let name = self.containers.find(id).ok()?.now().record.name.clone();
        let (network, network_id) = (seen.network.name().to_owned(), seen.facts.id.clone());
        let mut endpoint = NetworkEndpoint { network, network_id, ..Default::default() };
        fill_endpoint(&mut endpoint, lease);
        Some(v1::NetworkMember { container_id: id.to_owned(), container_name: name, endpoint: Some(endpoint) })
    }
}

#[tonic::async_trait]
impl v1::networks_server::Networks for NetworksService {
    async fn list_networks(
        &self,
        request: Request<ListNetworksRequest>,
    ) -> Result<Response<ListNetworksResponse>, Status> {
        let found = self.networks.list(&request.into_inner().filters)?;
        Ok(Response::new(ListNetworksResponse { networks: found.into_iter().map(|seen| self.shown(seen)).collect() }))
    }

    async fn get_network(&self, request: Request<GetNetworkRequest>) -> Result<Response<GetNetworkResponse>, Status> {
        let seen = self.networks.get(&request.into_inner().network)?;
        Ok(Response::new(GetNetworkResponse { network: Some(self.shown(seen)) }))
    }
}
