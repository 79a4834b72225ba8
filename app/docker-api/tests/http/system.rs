//! Ping, version, info and the negotiation of versions.

use crate::client::{Client, post};

#[tokio::test]
async fn ping_has_all_headers_and_asks_nobody() {
    let mut client = Client::new();
    for (method, body) in [("HEAD", ""), ("GET", "OK")] {
        let pong = client.call(method, "/_ping").await;
        assert_eq!((pong.status, pong.body.as_str()), (200, body));
        for (header, value) in [
            ("Api-Version", "1.51"),
            ("Builder-Version", "1"),
            ("Cache-Control", "no-cache, no-store, must-revalidate"),
            ("Content-Type", "text/plain; charset=utf-8"),
            ("Docker-Experimental", "false"),
            ("Ostype", "linux"),
            ("Pragma", "no-cache"),
            ("Server", "Cove/0.1.0 (linux)"),
            ("Swarm", "inactive"),
        ] {
            assert_eq!(pong.header(header), Some(value), "{method} {header}: {}", pong.head);
        }
    }
    assert!(client.fake.asked().is_empty());
}

#[tokio::test]
async fn version_asks_the_daemon_only() {
    let mut client = Client::new();
    let version = client.call("GET", "/version").await.json();
    assert_eq!(client.fake.asked(), ["machine"]);
    assert_eq!(version["Platform"]["Name"], "Cove");
    assert_eq!(version["Version"], "0.1.0");
    assert_eq!((&version["Os"], &version["Arch"]), (&"linux".into(), &"arm64".into()));
    assert_eq!(version["KernelVersion"], "6.12.48");
    let machine = version["Components"].as_array().unwrap().iter().find(|part| part["Name"] == "machine").unwrap();
    assert_eq!(machine["Version"], "QEMU 10.0.2");
    assert_eq!(machine["Details"]["Accelerator"], "tcg");
    assert!(machine["Details"].get("Transport").is_none(), "what is not known is not there: {machine}");
}

#[tokio::test]
async fn info_counts_and_warns() {
    let mut client = Client::new();
    let info = client.call("GET", "/v1.51/info").await.json();
    assert_eq!((&info["Containers"], &info["ContainersRunning"], &info["Images"]), (&3.into(), &1.into(), &4.into()));
    assert_eq!(info["Architecture"], "aarch64");
    assert_eq!(info["Warnings"][0], "WARNING: no hardware acceleration");
    assert_eq!(info["Swarm"]["LocalNodeState"], "inactive");
}

#[tokio::test]
async fn versions_are_negotiated_by_the_path() {
    let mut client = Client::new();
    for (path, status, body) in [
        ("/v1.24/_ping", 200, "OK"),
        ("/v1.51/_ping", 200, "OK"),
        (
            "/v1.99/info",
            400,
            "{\"message\":\"client version 1.99 is too new. Maximum supported API version is 1.51\"}\n",
        ),
        (
            "/v1.23/info",
            400,
            "client version 1.23 is too old. Minimum supported API version is 1.24, please upgrade your client to a \
             newer version\n",
        ),
        ("/v1.51/nope", 404, "{\"message\":\"page not found\"}\n"),
        ("/v1.51", 404, "{\"message\":\"page not found\"}\n"),
    ] {
        let answer = client.call("GET", path).await;
        assert_eq!((answer.status, answer.body.as_str()), (status, body), "{path}");
    }
}

#[tokio::test]
async fn an_unknown_path_lacks_the_usual_headers() {
    let mut client = Client::new();
    let missing = client.call("GET", "/nope").await;
    assert_eq!((missing.header("Api-Version"), missing.header("Server")), (None, None), "{}", missing.head);
    let options = client.call("OPTIONS", "/v1.51/info").await;
    assert_eq!((options.status, options.header("Api-Version")), (200, Some("1.51")));
}

#[tokio::test]
async fn a_connection_serves_one_request_after_the_other() {
    let mut client = Client::new();
    client.send("HEAD /_ping HTTP/1.1\r\nHost: d\r\n\r\n").await;
    client.send(post("/v1.51/containers/c1/start", "text/plain", "")).await;
    assert_eq!(client.response("HEAD").await.status, 200);
    assert_eq!(client.response("POST").await.status, 204);
}
