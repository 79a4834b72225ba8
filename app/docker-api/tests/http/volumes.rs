//! Volumes, with dockerd's statuses and shapes.

use serde_json::json;

use crate::client::Client;

#[tokio::test]
async fn a_volume_is_shown_as_dockerd_shows_it() {
    let mut client = Client::new();
    let recorded = r#"{"CreatedAt":"2026-11-24T02:41:35Z","Driver":"local","Labels":null,"Mountpoint":"/volumes/v1/_data","Name":"v1","Options":null,"Scope":"local"}"#;
    let answer = client.post("/v1.50/volumes/create", r#"{"Driver":"local","Name":"v1"}"#).await;
    assert_eq!((answer.status, answer.json().to_string().as_str()), (201, recorded));
    let answer = client.call("GET", "/v1.50/volumes/v1").await;
    assert_eq!((answer.status, answer.json().to_string().as_str()), (200, recorded));
    let answer = client.call("GET", "/v1.50/volumes").await;
    assert_eq!(answer.json().to_string(), format!(r#"{{"Volumes":[{recorded}],"Warnings":null}}"#));
}

#[tokio::test]
async fn labels_and_options_get_through() {
    let mut client = Client::new();
    let body = json!({"Name": "v1", "DriverOpts": {"type": "tmpfs"}, "Labels": {"b": "2", "a": "1"}}).to_string();
    let made = client.post("/volumes/create", &body).await.json();
    assert_eq!(made["Labels"].to_string(), r#"{"a":"1","b":"2"}"#);
    assert_eq!(made["Options"], json!({"type": "tmpfs"}));
    let body = r#"{"Name":"v1","Driver":"nosuch"}"#;
    assert_eq!(client.post("/volumes/create", body).await.status, 404);
    assert_eq!(client.post("/volumes/create", r#"{"ClusterVolumeSpec":{}}"#).await.status, 503);
}

#[tokio::test]
async fn removals_and_prunes_say_what_they_did() {
    let mut client = Client::new();
    assert_eq!(client.call("DELETE", "/volumes/v1?force=1").await.status, 204);
    let answer = client.call("DELETE", "/volumes/used").await;
    assert_eq!((answer.status, answer.message().as_str()), (409, "remove used: volume is in use - [abc]"));
    let answer = client.call("POST", "/v1.51/volumes/prune?filters=%7B%22label%22%3A%5B%22a%22%5D%7D").await;
    assert_eq!(answer.json().to_string(), r#"{"VolumesDeleted":["v1"],"SpaceReclaimed":7}"#);
    client.call("POST", "/v1.41/volumes/prune").await;
    client.call("GET", "/volumes?filters=%7B%22dangling%22%3A%7B%22true%22%3Atrue%7D%7D").await;
    assert_eq!(
        client.fake.asked(),
        [
            "remove volume v1 force=true",
            "remove volume used force=false",
            "prune volumes label=a",
            "prune volumes all=true",
            "volumes dangling=true",
        ]
    );
}
