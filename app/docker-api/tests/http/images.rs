//! Archives in both directions, and what breaks on the way.

use serde_json::json;

use crate::client::{Client, post};

#[tokio::test]
async fn load_names_what_was_loaded() {
    let mut client = Client::new();
    client.send(post("/v1.51/images/load?quiet=1", "application/x-tar", "archive")).await;
    let loaded = client.response("POST").await;
    assert_eq!(loaded.header("Content-Type"), Some("application/json"));
    assert_eq!(
        loaded.body,
        "{\"stream\":\"Loaded image: alpine:latest\\n\"}\r\n{\"stream\":\"Loaded image ID: sha256:2\\n\"}\r\n"
    );
    assert_eq!(client.fake.asked(), ["loaded 7 bytes"]);
}

#[tokio::test]
async fn a_refused_archive_is_read_to_its_end() {
    let mut client = Client::new();
    let big = format!("corrupt{}", "x".repeat(1 << 20));
    client.send(post("/v1.51/images/load", "application/x-tar", &big)).await;
    let refused = client.response("POST").await;
    assert_eq!(refused.status, 200);
    assert_eq!(refused.body, "{\"errorDetail\":{\"message\":\"not an archive\"},\"error\":\"not an archive\"}\r\n");
}

#[tokio::test]
async fn an_archive_that_breaks_off_is_not_loaded() {
    let mut client = Client::new();
    client.send("POST /v1.51/images/load HTTP/1.1\r\nHost: d\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n").await;
    drop(client.stream);
    client.served.await.unwrap();
    assert!(client.fake.asked().is_empty(), "{:?}", client.fake.asked());
}

#[tokio::test]
async fn save_sends_the_archive_of_all_names() {
    let mut client = Client::new();
    let saved = client.call("GET", "/v1.51/images/get?names=a%3A1&names=b").await;
    assert_eq!((saved.header("Content-Type"), saved.body.as_str()), (Some("application/x-tar"), "a:1,b"));
    let saved = client.call("GET", "/v1.51/images/a/b:1/get").await;
    assert_eq!(saved.body, "a/b:1");
}

#[tokio::test]
async fn an_archive_that_cannot_be_finished_breaks_off() {
    let mut client = Client::new();
    client.send("GET /v1.51/images/late/get HTTP/1.1\r\nHost: d\r\n\r\n").await;
    let answer = client.read_to_end().await;
    assert!(!answer.ends_with(b"0\r\n\r\n"), "the client must not take it for whole");
}

#[tokio::test]
async fn import_makes_an_image() {
    let mut client = Client::new();
    let path = "/v1.51/images/create?fromSrc=-&repo=imp:1&message=m&changes=CMD+sh&changes=USER+a";
    client.send(post(path, "text/plain", "archive")).await;
    let imported = client.response("POST").await;
    assert_eq!(imported.json()["status"], crate::engine::IMAGE_ID);
    assert!(imported.body.ends_with("\r\n"));
    assert_eq!(client.fake.asked(), ["import imp:1 \"m\" [\"CMD sh\", \"USER a\"]"]);
    client.send(post("/images/create?fromSrc=-&repo=a", "text/plain", "x")).await;
    let refused = client.response("POST").await;
    assert_eq!((refused.status, refused.message().as_str()), (400, "not a tar"));
    assert_eq!(client.fake.asked()[1..], ["import a \"Imported from -\" []"]);
}

#[tokio::test]
async fn removal_tells_its_steps() {
    let mut client = Client::new();
    let removed = client.call("DELETE", "/v1.51/images/a/b:1?force=1").await.json();
    assert_eq!(removed, json!([{"Untagged": "a/b:1"}, {"Deleted": "sha256:1"}]));
}
