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
