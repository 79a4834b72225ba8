//! `cove.v1.Networks` with the networks that are always there and "own"; one container is on the bridge.

use cove_proto::v1::{self, networks_server::Networks};
use tonic::{Request, Response, Status};

use super::Shared;

fn network(name: &str, driver: &str) -> v1::Network {
    v1::Network {
        name: name.into(),
        id: format!("{name:f<64}"),
        driver: driver.into(),
        created_at: Some(prost_types::Timestamp { seconds: 1_795_488_095, nanos: 123 }),
        ipv4: true,
        ..Default::default()
    }
}

fn own() -> v1::Network {
    let pool = v1::AddressPool {
        subnet: "10.77.0.0/24".into(),
        range: "10.77.0.128/25".into(),
        gateway: "10.77.0.5".into(),
        reserved: [("h".to_owned(), "10.77.0.130".to_owned())].into(),
    };
    let option = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    v1::Network {
        pools: vec![pool],
        internal: true,
        attachable: true,
        labels: [option("a", "b")].into(),
        options: [
            option("com.docker.network.driver.mtu", "1400"),
            option("com.docker.network.bridge.enable_icc", "false"),
            option("com.docker.network.bridge.name", "unbr0"),
        ]
        .into(),
        ..network("own", "bridge")
    }
}

fn bridge() -> v1::Network {
    v1::Network {
        ipv4_subnet: "172.17.0.0/16".into(),
        ipv4_gateway: "172.17.0.1".into(),
        device: "docker0".into(),
        pools: vec![v1::AddressPool {
            subnet: "172.17.0.0/16".into(),
            gateway: "172.17.0.1".into(),
            ..Default::default()
        }],
        options: [("com.docker.network.bridge.name".to_owned(), "docker0".to_owned())].into(),
        containers: vec![v1::NetworkContainer {
            id: "c1".into(),
            name: "web".into(),
            endpoint_id: "e1".into(),
            mac_address: "02:42:ac:11:00:02".into(),
            ipv4_address: "172.17.0.2/16".into(),
            ipv6_address: String::new(),
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
            "own" => Ok(Response::new(v1::GetNetworkResponse { network: Some(own()) })),
            other => Err(Status::not_found(format!("network {other} not found"))),
        }
    }

    async fn create_network(
        &self,
        request: Request<v1::CreateNetworkRequest>,
    ) -> Result<Response<v1::CreateNetworkResponse>, Status> {
        let asked = request.into_inner();
        if asked.name == "own" {
            return Err(Status::already_exists("network with name own already exists"));
        }
        let pools: Vec<String> = asked
            .pools
            .iter()
            .map(|pool| format!("{} {} {} {:?}", pool.subnet, pool.range, pool.gateway, pool.reserved))
            .collect();
        self.note(format!("create network {} {} ipv4={:?} {}", asked.name, asked.driver, asked.ipv4, pools.join(",")));
        Ok(Response::new(v1::CreateNetworkResponse { id: "n1".into() }))
    }

    async fn remove_network(
        &self,
        request: Request<v1::RemoveNetworkRequest>,
    ) -> Result<Response<v1::RemoveNetworkResponse>, Status> {
        match request.into_inner().network.as_str() {
            "own" => Ok(Response::new(v1::RemoveNetworkResponse {})),
            other => Err(Status::permission_denied(format!("{other} is a pre-defined network and cannot be removed"))),
        }
    }

    async fn connect_network(
        &self,
        request: Request<v1::ConnectNetworkRequest>,
    ) -> Result<Response<v1::ConnectNetworkResponse>, Status> {
        let v1::ConnectNetworkRequest { container, attachment } = request.into_inner();
        let asked = attachment.unwrap_or_default();
        self.note(format!("connect {container} to {} as {:?} at {}", asked.network, asked.aliases, asked.ipv4_address));
        Ok(Response::new(v1::ConnectNetworkResponse {}))
    }

    async fn disconnect_network(
        &self,
        request: Request<v1::DisconnectNetworkRequest>,
    ) -> Result<Response<v1::DisconnectNetworkResponse>, Status> {
        let v1::DisconnectNetworkRequest { network, container, force } = request.into_inner();
        self.note(format!("disconnect {container} from {network} force={force}"));
        Ok(Response::new(v1::DisconnectNetworkResponse {}))
    }

    async fn prune_networks(
        &self,
        request: Request<v1::PruneNetworksRequest>,
    ) -> Result<Response<v1::PruneNetworksResponse>, Status> {
        let names: Vec<String> = request.into_inner().filters.into_keys().collect();
        self.note(format!("prune networks {}", names.join(" ")));
        Ok(Response::new(v1::PruneNetworksResponse { names: vec!["own".into()] }))
    }
}
