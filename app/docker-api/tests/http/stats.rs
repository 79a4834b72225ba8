//! `docker stats`: in a stream, once, at once, and of what does not run.

use serde_json::{Value, json};

use crate::client::Client;

fn cpu(n: u64) -> Value {
    json!({
        "cpu_usage": {"total_usage": 100 * n, "usage_in_kernelmode": 30 * n, "usage_in_usermode": 70 * n},
        "system_cpu_usage": 10_000 * n,
        "online_cpus": 2,
        "throttling_data": {"periods": 0, "throttled_periods": 0, "throttled_time": 0},
    })
}

#[tokio::test]
async fn a_stream_says_with_each_look_what_the_one_before_said_of_the_cpu() {
    let mut client = Client::new();
    let answer = client.call("GET", "/v1.51/containers/c2/stats").await;
    assert_eq!((answer.status, answer.header("Content-Type")), (200, Some("application/json")));
    let looks: Vec<Value> = answer.body.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(client.fake.asked(), ["stats once=false"]);
    assert_eq!(looks.len(), 2);
    assert_eq!((&looks[0]["preread"], &looks[1]["preread"]), (&json!("0001-01-01T00:00:00Z"), &looks[0]["read"]));
    assert_eq!(looks[0]["precpu_stats"]["cpu_usage"]["total_usage"], 0);
    assert_eq!((&looks[1]["precpu_stats"], &looks[1]["cpu_stats"]), (&cpu(1), &cpu(2)));
    assert_eq!(
        looks[0]["memory_stats"],
        json!({"usage": 700_416, "stats": {"inactive_file": 4096}, "limit": 67_108_864})
    );
    assert_eq!(
        looks[0]["blkio_stats"]["io_service_bytes_recursive"],
        json!([{"major": 254, "minor": 0, "op": "read", "value": 4096}, {"major": 254, "minor": 0, "op": "write", "value": 8192}])
    );
    assert_eq!((&looks[0]["pids_stats"], &looks[0]["name"]), (&json!({"current": 2}), &json!("/c2")));
    assert_eq!(looks[0]["networks"]["eth0"]["rx_bytes"], 1485);
}

#[tokio::test]
async fn once_is_two_looks_and_at_once_is_one() {
    let mut client = Client::new();
    let twice = client.call("GET", "/v1.51/containers/c2/stats?stream=0").await.json();
    assert_eq!(twice["precpu_stats"], cpu(1));
    assert_eq!(client.fake.asked(), ["stats once=true", "stats once=true"]);
    let one = client.call("GET", "/v1.51/containers/c2/stats?stream=false&one-shot=1").await.json();
    assert_eq!(one["precpu_stats"]["cpu_usage"]["total_usage"], 0);
    assert_eq!(one["precpu_stats"].get("system_cpu_usage"), None, "what is 0 is left out, as dockerd does");
    let both = client.call("GET", "/v1.51/containers/c2/stats?stream=1&one-shot=1").await;
    assert_eq!((both.status, both.message().as_str()), (400, "cannot have stream=true and one-shot=true"));
    let missing = client.call("GET", "/v1.51/containers/nope/stats?stream=0").await;
    assert_eq!((missing.status, missing.message().as_str()), (404, "No such container: nope"));
}

#[tokio::test]
async fn what_does_not_run_uses_nothing() {
    let mut client = Client::new();
    let nothing = client.call("GET", "/v1.51/containers/stopped/stats?stream=0").await.json();
    assert_eq!(client.fake.asked().len(), 1, "nothing can be reckoned, so nothing is waited for");
    assert_eq!((&nothing["read"], &nothing["memory_stats"]), (&json!("0001-01-01T00:00:00Z"), &json!({})));
    assert_eq!((&nothing["pids_stats"], nothing.get("networks")), (&json!({}), None));
}
