//! `cove.v1.Networks` with canned networks: "bridge" with the container `c7` on it, and "none".

use cove_proto::v1::{self, networks_server::Networks};
use tonic::{Request, Response, Status};

use super::{Shared, canned};

fn bridge() -> v1::Network {
    let options = [
        ("com.docker.network.bridge.default_bridge", "true"),
        ("com.docker.network.bridge.enable_icc", "true"),
        ("com.docker.network.bridge.enable_ip_masquerade", "true"),
        ("com.docker.network.bridge.host_binding_ipv4", "0.0.0.0"),
        ("com.docker.network.bridge.name", "docker0"),
        ("com.docker.network.driver.mtu", "1500"),
    ];
    v1::Network {
        id: canned::BRIDGE_ID.into(),
        name: "bridge".into(),
        created_at: Some(prost_types::Timestamp { seconds: 1_795_487_461, nanos: 863_039_388 }),
        driver: "bridge".into(),
        subnets: vec![v1::NetworkSubnet { subnet: "172.17.0.0/16".into(), gateway: "172.17.0.1".into() }],
        options: options.map(|(name, value)| (name.to_owned(), value.to_owned())).into(),
        members: vec![v1::NetworkMember {
            container_id: "c7".into(),
            container_name: "web".into(),
            endpoint: Some(canned::endpoint()),
        }],
    }
}

fn none() -> v1::Network {
    v1::Network {
        id: "879e80b344bf8626d63df51d4a7f685be77dd87d65257f5c15936a91f8e273e3".into(),
        name: "none".into(),
        created_at: Some(prost_types::Timestamp { seconds: 1_795_487_271, nanos: 885_644_579 }),
        driver: "null".into(),
        ..Default::default()
    }
}

#[tonic::async_trait]
impl Networks for Shared {
    async fn list_networks(
        &self,
        request: Request<v1::ListNetworksRequest>,
    ) -> Result<Response<v1::ListNetworksResponse>, Status> {
        self.note(format!("networks {}", super::sorted(&request.into_inner().filters)));
        Ok(Response::new(v1::ListNetworksResponse { networks: vec![none(), bridge()] }))
    }

    async fn get_network(
        &self,
        request: Request<v1::GetNetworkRequest>,
    ) -> Result<Response<v1::GetNetworkResponse>, Status> {
        let network = match request.into_inner().network.as_str() {
            "bridge" => bridge(),
            "none" => none(),
            other => return Err(Status::not_found(format!("network {other} not found"))),
        };
        Ok(Response::new(v1::GetNetworkResponse { network: Some(network) }))
    }
}
