//! Pulls and pushes, line by line, and what else is asked of registries.

use serde_json::json;

use crate::client::{Client, post};

fn lines(body: &str) -> Vec<&str> {
    assert!(body.ends_with("\r\n"), "{body:?}");
    body.trim_end().split("\r\n").collect()
}

async fn created(client: &mut Client, query: &str) -> crate::client::Response {
    client.send(post(&format!("/v1.51/images/create?{query}"), "text/plain", "")).await;
    client.response("POST").await
}

#[tokio::test]
async fn a_pull_says_what_dockerd_says() {
    let mut client = Client::new();
    let pulled = created(&mut client, "fromImage=docker.io%2Flibrary%2Falpine&tag=3").await;
    assert_eq!((pulled.status, pulled.header("Content-Type")), (200, Some("application/json")));
    assert_eq!(
        lines(&pulled.body),
        [
            r#"{"status":"Pulling from library/alpine","id":"3"}"#,
            r#"{"status":"Pulling fs layer","progressDetail":{},"id":"0123456789ab"}"#,
            r#"{"status":"Waiting","progressDetail":{},"id":"0123456789ab"}"#,
            r#"{"status":"Downloading","progressDetail":{"current":5,"total":10},"progress":"[=========================>                         ]       5B/10B","id":"0123456789ab"}"#,
            r#"{"status":"Verifying Checksum","progressDetail":{},"id":"0123456789ab"}"#,
            r#"{"status":"Download complete","progressDetail":{},"id":"0123456789ab"}"#,
            r#"{"status":"Extracting","progressDetail":{"current":10,"total":10},"progress":"[==================================================>]      10B/10B","id":"0123456789ab"}"#,
            r#"{"status":"Pull complete","progressDetail":{},"id":"0123456789ab"}"#,
            r#"{"status":"Digest: sha256:d"}"#,
            r#"{"status":"Status: Downloaded newer image for alpine:3"}"#,
        ]
    );
    assert_eq!(client.fake.asked(), [r#"pull docker.io/library/alpine:3 all=false "" """#]);
}

#[tokio::test]
async fn a_pull_of_what_is_here_and_one_of_all_tags_end_with_one_verdict() {
    let mut client = Client::new();
    let same = created(&mut client, "fromImage=same&tag=1").await;
    assert_eq!(
        lines(&same.body)[2..],
        [r#"{"status":"Status: Image is up to date for same:1"}"#, r#"{"status":"WARNING: another platform"}"#]
    );
    let all = created(&mut client, "fromImage=alpine").await;
    assert_eq!(
        lines(&all.body)[1..],
        [
            r#"{"status":"Digest: sha256:d"}"#,
            r#"{"status":"Pulling from library/alpine","id":"2"}"#,
            r#"{"status":"Digest: sha256:d"}"#,
            r#"{"status":"Status: Downloaded newer image for alpine"}"#,
        ]
    );
    let by_digest = format!("fromImage=alpine&tag=sha256:{}&platform=linux%2Farm64", "0".repeat(64));
    created(&mut client, &by_digest).await;
    let digest = "0".repeat(64);
    assert_eq!(
        client.fake.asked()[1..],
        [
            r#"pull alpine all=true "" """#.to_owned(),
            format!(r#"pull alpine@sha256:{digest} all=false "linux/arm64" """#)
        ]
    );
}

#[tokio::test]
async fn what_fails_before_the_first_line_is_an_answer_and_after_it_a_line() {
    let mut client = Client::new();
    let absent = created(&mut client, "fromImage=nope").await;
    assert_eq!(
        (absent.status, absent.message().as_str()),
        (404, "manifest for nope:latest not found: manifest unknown: manifest unknown")
    );
    let down = created(&mut client, "fromImage=down").await;
    assert_eq!((down.status, down.message().as_str()), (500, "Get \"http://down/v2/\": connection refused"));
    let broken = created(&mut client, "fromImage=breaks&tag=1").await;
    assert_eq!(broken.status, 200);
    assert_eq!(lines(&broken.body)[2..], [r#"{"errorDetail":{"message":"torn"},"error":"torn"}"#]);
}

#[tokio::test]
async fn a_client_that_goes_away_ends_its_pull() {
    let mut client = Client::new();
    client.send(post("/v1.51/images/create?fromImage=waits&tag=1", "text/plain", "")).await;
    client.read_head().await;
    let fake = client.fake.clone();
    drop(client.stream);
    fake.cancelled.notified().await;
}

#[tokio::test]
async fn a_push_says_what_dockerd_says() {
    let mut client = Client::new();
    client.send(post("/v1.51/images/host:5000/a/push?tag=1", "text/plain", "")).await;
    let pushed = client.response("POST").await;
    assert_eq!(
        lines(&pushed.body),
        [
            r#"{"status":"The push refers to repository [host:5000/a]"}"#,
            r#"{"status":"Preparing","progressDetail":{},"id":"0123456789ab"}"#,
            r#"{"status":"Layer already exists","progressDetail":{},"id":"0123456789ab"}"#,
            r#"{"status":"Mounted from library/a","progressDetail":{},"id":"0123456789ab"}"#,
            r#"{"status":"Pushed","progressDetail":{},"id":"0123456789ab"}"#,
            r#"{"status":"1: digest: sha256:d size: 527"}"#,
            r#"{"progressDetail":{},"aux":{"Tag":"1","Digest":"sha256:d","Size":527}}"#,
        ]
    );
    client.send(post("/v1.51/images/nope/push?tag=1", "text/plain", "")).await;
    let absent = client.response("POST").await;
    let words = "An image does not exist locally with the tag: nope";
    assert_eq!(lines(&absent.body)[1], format!(r#"{{"errorDetail":{{"message":"{words}"}},"error":"{words}"}}"#));
    client.send(post("/v1.51/images/host:5000/a/push", "text/plain", "")).await;
    client.response("POST").await;
    assert_eq!(
        client.fake.asked(),
        ["push host:5000/a:1 all=false", "push nope:1 all=false", "push host:5000/a all=true"]
    );
}

#[tokio::test]
async fn a_login_is_checked() {
    let mut client = Client::new();
    let body = r#"{"username":"me","password":"secret","serveraddress":"host:5000"}"#;
    client.send(post("/v1.51/auth", "application/json", body)).await;
    let known = client.response("POST").await;
    assert_eq!(known.json(), json!({"IdentityToken": "", "Status": "Login Succeeded"}));
    assert_eq!(client.fake.asked(), ["login me at host:5000"]);
    client.send(post("/v1.51/auth", "application/json", r#"{"username":"me","password":"no"}"#)).await;
    let refused = client.response("POST").await;
    assert_eq!(
        (refused.status, refused.message().as_str()),
        (500, "login attempt to http://x/v2/ failed with status: 401 Unauthorized")
    );
}

#[tokio::test]
async fn a_search_is_filtered_and_a_reference_is_looked_at() {
    let mut client = Client::new();
    let found = client.call("GET", "/v1.51/images/search?term=a&limit=7").await.json();
    assert_eq!(
        found[0],
        json!({"star_count": 3, "is_official": true, "name": "a", "is_automated": false, "description": "d"})
    );
    let few = client.call("GET", "/v1.51/images/search?term=a&filters=%7B%22stars%22:%5B%222%22%5D%7D").await.json();
    assert_eq!(few.as_array().unwrap().len(), 1);
    let wrong = client.call("GET", "/v1.51/images/search?term=a&filters=%7B%22x%22:%5B%222%22%5D%7D").await;
    assert_eq!((wrong.status, wrong.message().as_str()), (400, "invalid filter 'x'"));
    let seen = client.call("GET", "/v1.51/distribution/host:5000/a:1/json").await.json();
    assert_eq!(
        seen,
        json!({
            "Descriptor": {"mediaType": "m", "digest": "sha256:d", "size": 527},
            "Platforms": [{"architecture": "arm", "os": "linux"}, {"architecture": "arm", "os": "linux", "variant": "v7"}],
        })
    );
    assert_eq!(client.fake.asked(), ["search a 7", "search a 0", "distribution host:5000/a:1"]);
}

#[tokio::test]
async fn info_says_how_registries_are_asked() {
    let mut client = Client::new();
    let config = client.call("GET", "/v1.51/info").await.json()["RegistryConfig"].take();
    let mirrors = json!(["http://mirror:5000/"]);
    assert_eq!(
        config,
        json!({
            "IndexConfigs": {
                "host:5000": {"Mirrors": [], "Name": "host:5000", "Official": false, "Secure": false},
                "docker.io": {"Mirrors": mirrors, "Name": "docker.io", "Official": true, "Secure": true},
            },
            "InsecureRegistryCIDRs": ["::1/128", "127.0.0.0/8", "10.0.0.0/8"],
            "Mirrors": mirrors,
        })
    );
}
