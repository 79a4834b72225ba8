//! Events: their lines, their parameters, and clients that leave.

use crate::client::Client;

/// As dockerd 28.5.2 wrote them, but for ids and times.
const LINES: [&str; 4] = [
    r#"{"status":"tag","id":"sha256:c1","Type":"image","Action":"tag","Actor":{"ID":"sha256:c1","Attributes":{"name":"bb:latest"}},"scope":"local","time":1795508392,"timeNano":1795508392403266385}"#,
    r#"{"status":"die","id":"9bb8","from":"bb","Type":"container","Action":"die","Actor":{"ID":"9bb8","Attributes":{"execDuration":"0","exitCode":"3","image":"bb","k":"v"}},"scope":"local","time":1795508392,"timeNano":1795508392403266385}"#,
    r#"{"status":"prune","Type":"container","Action":"prune","Actor":{"ID":"","Attributes":{"reclaimed":"0"}},"scope":"local","time":1795508392,"timeNano":1795508392403266385}"#,
    r#"{"Type":"volume","Action":"create","Actor":{"ID":"v1","Attributes":{"driver":"local"}},"scope":"local","time":1795508392,"timeNano":1795508392403266385}"#,
];

#[tokio::test]
async fn events_are_lines_with_the_members_of_old_and_new_clients() {
    let mut client = Client::new();
    let told = client.call("GET", "/v1.51/events?since=17.5&until=18&filters=%7B%22type%22:%5B%22image%22%5D%7D").await;
    assert_eq!((told.status, told.header("Content-Type")), (200, Some("application/json")));
    assert_eq!(told.body.lines().collect::<Vec<_>>(), LINES);
    assert_eq!(client.fake.asked(), ["events since=Some(17) until=Some(18) type=image"]);
}

#[tokio::test]
async fn what_makes_no_sense_is_refused_in_dockerds_words() {
    let mut client = Client::new();
    for (query, status, message) in [
        ("since=18&until=17", 400, "`since` time (18) cannot be after `until` time (17)"),
        ("since=xx", 500, "strconv.ParseInt: parsing \"xx\": invalid syntax"),
        ("filters=x", 400, "invalid filter"),
        ("filters=%7B%22foo%22:%5B%22x%22%5D%7D", 400, "invalid filter 'foo'"),
    ] {
        let answer = client.call("GET", &format!("/events?{query}")).await;
        assert_eq!((answer.status, answer.message().as_str()), (status, message), "{query}");
    }
}

#[tokio::test]
async fn a_client_that_leaves_the_events_cancels_them() {
    let mut client = Client::new();
    client.send("GET /v1.51/events HTTP/1.1\r\nHost: d\r\n\r\n").await;
    let head = client.read_head().await;
    assert!(head.starts_with("HTTP/1.1 200 OK\r\n") && head.contains("Transfer-Encoding: chunked\r\n"), "{head}");
    let first = String::from_utf8(client.chunk().await).unwrap();
    assert_eq!(first.trim_end(), LINES[0], "each event is sent at once, by itself");
    drop(client.stream);
    client.fake.cancelled.notified().await;
    client.served.await.unwrap();
}
