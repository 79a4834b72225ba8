//! Networks.

use serde_json::json;

use crate::client::Client;

#[tokio::test]
async fn the_networks_that_are_always_there_are_listed_and_filtered() {
    let mut client = Client::new();
    let names = |answer: crate::client::Response| -> Vec<String> {
        let list = answer.json();
        list.as_array().unwrap().iter().map(|one| one["Name"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(names(client.call("GET", "/networks").await), ["bridge", "host", "none"]);
    let filtered = client.call("GET", "/networks?filters=%7B%22driver%22:[%22null%22]%7D").await;
    assert_eq!(names(filtered), ["none"]);
    let unknown = client.call("GET", "/networks?filters=%7B%22foo%22:[%22a%22]%7D").await;
    assert_eq!((unknown.status, unknown.message().as_str()), (400, "invalid filter 'foo'"));
}

#[tokio::test]
async fn an_inspected_network_says_who_is_on_it_and_a_listed_one_does_not() {
    let mut client = Client::new();
    let bridge = client.call("GET", "/networks/bridge").await.json();
    assert_eq!(bridge["IPAM"]["Config"], json!([{"Subnet": "172.17.0.0/16", "Gateway": "172.17.0.1"}]));
    assert_eq!(bridge["Options"]["com.docker.network.bridge.name"], "docker0");
    let on_it = json!({"c1": {"Name": "web", "EndpointID": "e1", "MacAddress": "02:42:ac:11:00:02",
        "IPv4Address": "172.17.0.2/16", "IPv6Address": ""}});
    assert_eq!(bridge["Containers"], on_it);
    let list = client.call("GET", "/networks").await.json();
    assert_eq!((&list[0]["Containers"], &list[1]["IPAM"]["Config"]), (&json!({}), &json!(null)));
}

#[tokio::test]
async fn a_network_of_ones_own_is_shown_as_dockerd_shows_it() {
    let recorded = r#""EnableIPv4":true,"EnableIPv6":false,"IPAM":{"Driver":"default","Options":{},"Config":[{"Subnet":"10.77.0.0/24","IPRange":"10.77.0.128/25","Gateway":"10.77.0.5","AuxiliaryAddresses":{"h":"10.77.0.130"}}]},"Internal":true,"Attachable":true,"Ingress":false,"ConfigFrom":{"Network":""},"ConfigOnly":false,"Containers":{},"Options":{"com.docker.network.bridge.enable_icc":"false","com.docker.network.bridge.name":"unbr0","com.docker.network.driver.mtu":"1400"},"Labels":{"a":"b"}}"#;
    let own = Client::new().call("GET", "/networks/own").await.json().to_string();
    assert!(own.ends_with(recorded), "{own}");
}

#[tokio::test]
async fn networks_are_made_joined_left_and_removed() {
    let mut client = Client::new();
    let body = json!({"Name": "n", "Driver": "bridge", "EnableIPv4": false, "IPAM": {"Driver": "default", "Config": [
        {"Subnet": "10.0.0.0/8", "IPRange": "10.1.0.0/16", "Gateway": "10.0.0.9", "AuxiliaryAddresses": {"a": "10.0.0.3"}}]}});
    let made = client.post("/networks/create", &body.to_string()).await;
    assert_eq!((made.status, made.json().to_string().as_str()), (201, r#"{"Id":"n1","Warning":""}"#));
    let body = r#"{"Container":"c1","EndpointConfig":{"Aliases":["x"],"IPAMConfig":{"IPv4Address":"10.0.0.7"}}}"#;
    assert_eq!(client.post("/networks/own/connect", body).await.status, 200);
    let body = r#"{"Container":"c1","Force":true}"#;
    assert_eq!(client.post("/networks/own/disconnect", body).await.status, 200);
    assert_eq!(client.call("DELETE", "/networks/own").await.status, 204);
    assert_eq!(client.call("POST", "/networks/prune").await.json(), json!({"NetworksDeleted": ["own"]}));
    assert_eq!(
        client.fake.asked(),
        [
            r#"create network n bridge ipv4=Some(false) 10.0.0.0/8 10.1.0.0/16 10.0.0.9 {"a": "10.0.0.3"}"#,
            r#"connect c1 to own as ["x"] at 10.0.0.7"#,
            "disconnect c1 from own force=true",
            "prune networks ",
        ]
    );
}

#[tokio::test]
async fn what_dockerd_refuses_of_networks_is_refused_in_its_words() {
    let mut client = Client::new();
    for (body, status, words) in [
        (json!({"Name": "own"}), 409, "network with name own already exists"),
        (json!({"Name": "n", "Scope": "swarm"}), 403, "cannot create a swarm scoped network when swarm is not active"),
        (json!({"Name": "n", "Ingress": true}), 403, "Ingress network can only be global scope network"),
        (json!({"Name": "n", "IPAM": {"Driver": "nosuch"}}), 404, "plugin \"nosuch\" not found"),
        (json!({"Name": "n", "ConfigOnly": true}), 501, "--config-only is not supported by this version of Cove yet"),
    ] {
        let answer = client.post("/networks/create", &body.to_string()).await;
        assert_eq!((answer.status, answer.message().as_str()), (status, words), "{body}");
    }
    let answer = client.call("DELETE", "/networks/bridge").await;
    assert_eq!(
        (answer.status, answer.message().as_str()),
        (403, "bridge is a pre-defined network and cannot be removed")
    );
    let answer = client.post("/networks/own/connect", "{}").await;
    assert_eq!((answer.status, answer.message().as_str()), (400, "invalid name or ID supplied: \"\""));
}
