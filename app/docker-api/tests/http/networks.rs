//! Networks, and what an inspected container says of its own, in dockerd's shapes.

use serde_json::{Value, json};

use crate::client::Client;

/// A row of the list of dockerd 28.5.2.
const BRIDGE: &str = r#"{"Name":"bridge","Id":"6b8f09531e90f56f109b4e9637e77217b9ade692b772475f0e3d3560f0856cd8","Created":"2026-11-24T02:31:01.863039388Z","Scope":"local","Driver":"bridge","EnableIPv4":true,"EnableIPv6":false,"IPAM":{"Driver":"default","Options":null,"Config":[{"Subnet":"172.17.0.0/16","Gateway":"172.17.0.1"}]},"Internal":false,"Attachable":false,"Ingress":false,"ConfigFrom":{"Network":""},"ConfigOnly":false,"Containers":{},"Options":{"com.docker.network.bridge.default_bridge":"true","com.docker.network.bridge.enable_icc":"true","com.docker.network.bridge.enable_ip_masquerade":"true","com.docker.network.bridge.host_binding_ipv4":"0.0.0.0","com.docker.network.bridge.name":"docker0","com.docker.network.driver.mtu":"1500"},"Labels":{}}"#;
const NONE: &str = r#"{"Name":"none","Id":"879e80b344bf8626d63df51d4a7f685be77dd87d65257f5c15936a91f8e273e3","Created":"2026-11-24T02:27:51.885644579Z","Scope":"local","Driver":"null","EnableIPv4":true,"EnableIPv6":false,"IPAM":{"Driver":"default","Options":null,"Config":null},"Internal":false,"Attachable":false,"Ingress":false,"ConfigFrom":{"Network":""},"ConfigOnly":false,"Containers":{},"Options":{},"Labels":{}}"#;

#[tokio::test]
async fn networks_are_shown_as_dockerd_shows_them() {
    let mut client = Client::new();
    let list = client.call("GET", "/v1.51/networks?filters=%7B%22driver%22%3A%7B%22bridge%22%3Atrue%7D%7D").await;
    assert_eq!((list.status, list.json().to_string()), (200, format!("[{NONE},{BRIDGE}]")));
    assert_eq!(client.fake.asked(), ["networks driver=bridge"]);
    assert_eq!(client.call("GET", "/v1.51/networks/none").await.json().to_string(), NONE);
    let mut bridge: Value = serde_json::from_str(BRIDGE).unwrap();
    bridge["Containers"] = json!({"c7": {
        "Name": "web",
        "EndpointID": "b5ad115d89b32d285acbb6bf2a67abc67924a44d7de06eccf0c8183a4d289c67",
        "MacAddress": "02:42:ac:11:00:02",
        "IPv4Address": "172.17.0.2/16",
        "IPv6Address": "",
    }});
    assert_eq!(client.call("GET", "/v1.51/networks/bridge").await.json().to_string(), bridge.to_string());
}

#[tokio::test]
async fn what_would_change_a_network_is_refused_by_name() {
    let mut client = Client::new();
    let mut said = async |method: &str, path: &str| {
        let answer = client.call(method, path).await;
        (answer.status, answer.message())
    };
    let refused = (403, "bridge is a pre-defined network and cannot be removed".to_owned());
    assert_eq!(said("DELETE", "/networks/bridge").await, refused);
    assert_eq!(said("DELETE", "/networks/nope").await, (404, "network nope not found".to_owned()));
    for (path, what) in [
        ("/networks/bridge/connect", "docker network connect"),
        ("/networks/bridge/disconnect", "docker network disconnect"),
        ("/networks/create", "docker network"),
        ("/networks/prune", "docker network"),
    ] {
        let refused = (501, format!("{what} is not supported by this version of Cove yet"));
        assert_eq!(said("POST", path).await, refused);
    }
    assert_eq!(said("POST", "/networks/nope/connect").await, (404, "network nope not found".to_owned()));
}

#[tokio::test]
async fn a_container_says_where_it_is() {
    let mut client = Client::new();
    let inspected = client.call("GET", "/v1.51/containers/web/json").await.json();
    // As dockerd 28.5.2 answers for a container on its default bridge, but for ports and ids.
    let recorded = r#"{"Bridge":"","SandboxID":"ba31926687c8d3473daf60bbc5d8703241441dd91c6e0cfd9852b1088010ad03","SandboxKey":"/var/run/docker/netns/ba31926687c8","Ports":{},"HairpinMode":false,"LinkLocalIPv6Address":"","LinkLocalIPv6PrefixLen":0,"SecondaryIPAddresses":null,"SecondaryIPv6Addresses":null,"EndpointID":"b5ad115d89b32d285acbb6bf2a67abc67924a44d7de06eccf0c8183a4d289c67","Gateway":"172.17.0.1","GlobalIPv6Address":"","GlobalIPv6PrefixLen":0,"IPAddress":"172.17.0.2","IPPrefixLen":16,"IPv6Gateway":"","MacAddress":"02:42:ac:11:00:02","Networks":{"bridge":{"IPAMConfig":null,"Links":null,"Aliases":null,"MacAddress":"02:42:ac:11:00:02","DriverOpts":null,"GwPriority":0,"NetworkID":"6b8f09531e90f56f109b4e9637e77217b9ade692b772475f0e3d3560f0856cd8","EndpointID":"b5ad115d89b32d285acbb6bf2a67abc67924a44d7de06eccf0c8183a4d289c67","Gateway":"172.17.0.1","IPAddress":"172.17.0.2","IPPrefixLen":16,"IPv6Gateway":"","GlobalIPv6Address":"","GlobalIPv6PrefixLen":0,"DNSNames":null}}}"#;
    assert_eq!(inspected["NetworkSettings"].to_string(), recorded);
}
