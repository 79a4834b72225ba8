//! `cove.v1.Networks` with the networks that are always there; one container is on the bridge.

use cove_proto::v1::{self, networks_server::Networks};
use tonic::{Request, Response, Status};

use super::Shared;

fn network(name: &str, driver: &str) -> v1::Network {
    v1::Network {
        name: name.into(),
        id: format!("{name:f<64}"),
        driver: driver.into(),
        created_at: Some(prost_types::Timestamp { seconds: 1_795_488_095, nanos: 123 }),
        ..Default::default()
    }
}

fn bridge() -> v1::Network {
    v1::Network {
        ipv4_subnet: "172.17.0.0/16".into(),
        ipv4_gateway: "172.17.0.1".into(),
        device: "docker0".into(),
        containers: vec![v1::NetworkContainer {
            id: "c1".into(),
            name: "web".into(),
            endpoint_id: "e1".into(),
            mac_address: "02:42:ac:11:00:02".into(),
            ipv4_address: "172.17.0.2/16".into(),
        }],
        ..network("bridge", "bridge")
    }
}

#[tonic::async_trait]
impl Networks for Shared {
    async fn list_networks(
        &self,
        _request: Request<v1::ListNetworksRequest>,
    ) -> Result<Response<v1::ListNetworksResponse>, Status> {
        let networks = vec![bridge(), network("host", "host"), network("none", "null")];
        Ok(Response::new(v1::ListNetworksResponse { networks }))
    }

    async fn get_network(
        &self,
        request: Request<v1::GetNetworkRequest>,
    ) -> Result<Response<v1::GetNetworkResponse>, Status> {
        match request.into_inner().network.as_str() {
            "bridge" => Ok(Response::new(v1::GetNetworkResponse { network: Some(bridge()) })),
            other => Err(Status::not_found(format!("network {other} not found"))),
        }
    }
}
