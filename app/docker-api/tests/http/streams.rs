//! Answers that take their time: wait and logs; and what clients that leave them cause.

use crate::client::Client;

#[tokio::test]
async fn wait_sends_its_head_before_the_container_starts() {
    let mut waiting = Client::new();
    waiting.send("POST /v1.51/containers/c1/wait?condition=next-exit HTTP/1.1\r\nHost: d\r\n\r\n").await;
    let head = waiting.read_head().await;
    assert!(head.starts_with("HTTP/1.1 200 OK\r\n") && head.contains("Transfer-Encoding: chunked\r\n"), "{head}");
    assert_eq!(waiting.fake.asked(), ["wait WAIT_CONDITION_NEXT_EXIT"]);
    waiting.fake.started.notify_one();
    assert_eq!(waiting.chunk().await, b"{\"StatusCode\":3}\n");
    assert_eq!(waiting.chunk().await, b"");
}

#[tokio::test]
async fn a_wait_that_fails_says_why() {
    let mut client = Client::new();
    let lost = client.call("POST", "/v1.51/containers/lost/wait").await;
    assert_eq!(lost.body, "{\"Error\":{\"Message\":\"the machine stopped\"},\"StatusCode\":-1}\n");
    let vanished = client.call("POST", "/v1.51/containers/vanished/wait").await;
    assert_eq!(vanished.body, "{\"Error\":{\"Message\":\"no such file\"},\"StatusCode\":0}\n");
    let unstartable = client.call("POST", "/v1.51/containers/unstartable/wait").await;
    assert_eq!(unstartable.body, "{\"StatusCode\":127}\n", "docker run would print an error twice");
}

#[tokio::test]
async fn a_client_that_leaves_a_wait_cancels_it() {
    let mut client = Client::new();
    client.send("POST /v1.51/containers/forever/wait HTTP/1.1\r\nHost: d\r\n\r\n").await;
    client.read_head().await;
    drop(client.stream);
    client.fake.cancelled.notified().await;
    client.served.await.unwrap();
}

#[tokio::test]
async fn a_client_that_leaves_followed_logs_cancels_them() {
    let mut client = Client::new();
    client.send("GET /v1.51/containers/follow/logs?stdout=1&follow=1 HTTP/1.1\r\nHost: d\r\n\r\n").await;
    client.read_head().await;
    assert_eq!(client.chunk().await, b"\x01\0\0\0\0\0\0\x03out", "what is there is sent at once");
    drop(client.stream);
    client.fake.cancelled.notified().await;
    client.served.await.unwrap();
}

#[tokio::test]
async fn logs_have_frames_and_say_so_since_1_42() {
    let mut client = Client::new();
    for (version, content_type) in
        [("v1.42", "application/vnd.docker.multiplexed-stream"), ("v1.41", "application/vnd.docker.raw-stream")]
    {
        let logs = client.call("GET", &format!("/{version}/containers/c2/logs?stdout=1&stderr=1")).await;
        assert_eq!(logs.header("Content-Type"), Some(content_type));
        assert_eq!(logs.body, "\x01\0\0\0\0\0\0\x03out\x01\0\0\0\0\0\0\x04put\n\x02\0\0\0\0\0\0\x04err\n");
    }
}

#[tokio::test]
async fn logs_of_a_terminal_are_raw_and_each_line_has_one_prefix() {
    let mut client = Client::new();
    let logs = client.call("GET", "/containers/tty/logs?stdout=1&timestamps=1&details=1&tail=5&since=17.5").await;
    assert_eq!(logs.body, "2026-11-24T02:29:10.000000005Z  output\n2026-11-24T02:29:10.000000007Z  err\n");
    assert_eq!(client.fake.asked(), ["logs tail=Some(5) since=Some(17)"]);
    client.call("GET", "/containers/tty/logs?stdout=1&tail=all").await;
    client.call("GET", "/containers/tty/logs?stdout=1&tail=-1").await;
    assert_eq!(client.fake.asked()[1..], ["logs tail=None since=None", "logs tail=None since=None"]);
}

#[tokio::test]
async fn details_are_said_before_the_line_in_order_and_escaped() {
    let mut client = Client::new();
    let logs = client.call("GET", "/containers/labelled/logs?stdout=1&details=1").await;
    assert_eq!(logs.body, "\x01\0\0\0\0\0\0\x13app=x,team=a+b out\n");
}

#[tokio::test]
async fn verbs_pass_their_parameters_on() {
    let mut client = Client::new();
    for (method, path, status, asked) in [
        ("GET", "/containers/json?limit=-1", 200, "list all=false limit=0 "),
        ("GET", "/containers/json?all=1&limit=2", 200, "list all=true limit=2 "),
        (
            "GET",
            "/containers/json?filters=%7B%22label%22:%7B%22a=b%22:true%7D,%22status%22:[%22exited%22]%7D",
            200,
            "list all=false limit=0 label=a=b status=exited",
        ),
        ("POST", "/containers/c/stop?t=5&signal=SIGINT", 204, "stop Some(5) \"SIGINT\""),
        ("POST", "/containers/stopped/stop", 304, "stop None \"\""),
        ("POST", "/containers/c/restart?t=0", 204, "restart Some(0)"),
        ("POST", "/containers/c/kill?signal=HUP", 204, "kill HUP"),
        ("POST", "/containers/c/rename?name=/new", 204, "rename new"),
        ("POST", "/containers/c/resize?h=24&w=80", 200, "resize 24x80"),
        ("POST", "/exec/e/resize?h=24&w=80", 200, "resize 24x80"),
        ("POST", "/containers/c/pause", 204, "pause"),
        ("POST", "/containers/c/unpause", 204, "unpause"),
        ("POST", "/containers/c/update", 200, "update memory=0 pids=0 policy=None"),
        ("DELETE", "/containers/c?force=1&v=true", 204, "remove force=true volumes=true"),
        ("POST", "/images/a/b:1/tag?repo=127.0.0.1%3A5000%2Fx%2Fy&tag=1", 201, "tag a/b:1 127.0.0.1:5000/x/y:1"),
    ] {
        assert_eq!(client.call(method, path).await.status, status, "{path}");
        assert_eq!(client.fake.asked().last().map(String::as_str), Some(asked), "{path}");
    }
    assert_eq!(client.call("POST", "/containers/running/start").await.status, 304);
    let body = r#"{"Cmd":["a"],"Tty":true,"AttachStdin":true,"ConsoleSize":[24,80]}"#;
    assert_eq!(client.post("/containers/c/exec", body).await.json()["Id"], "e1");
    assert_eq!(
        client.fake.asked().last().map(String::as_str),
        Some("exec [\"a\"] tty=true in=true size=Some((24, 80))")
    );
}

#[tokio::test]
async fn create_passes_name_and_specification_on() {
    let mut client = Client::new();
    let created = client.post("/v1.50/containers/create?name=/web", include_str!("../data/create.json")).await;
    assert_eq!((created.status, created.body.as_str()), (201, "{\"Id\":\"abc\",\"Warnings\":[]}\n"));
    let request = client.fake.created.lock().unwrap().take().unwrap();
    assert_eq!(request.name, "web");
    assert_eq!(request.spec.unwrap().image, "busybox");
}

#[tokio::test]
async fn an_update_and_a_prune_answer_as_dockerd_does() {
    let mut client = Client::new();
    let body = r#"{"Memory":67108864,"PidsLimit":-1,"RestartPolicy":{"Name":"always"},"OomKillDisable":true}"#;
    let updated = client.post("/containers/c/update", body).await;
    let warning = "Your kernel does not support OomKillDisable. OomKillDisable discarded.";
    assert_eq!(updated.body, format!("{{\"Warnings\":[\"{warning}\"]}}\n"));
    assert_eq!(client.post("/containers/c/update", "{}").await.body, "{\"Warnings\":null}\n");
    let policy = "Some(\"RESTART_POLICY_KIND_ALWAYS\")";
    assert_eq!(client.fake.asked()[0], format!("update memory=67108864 pids=-1 policy={policy}"));
    let pruned = client.call("POST", "/containers/prune").await;
    assert_eq!(pruned.body, "{\"ContainersDeleted\":[\"c1\",\"c2\"],\"SpaceReclaimed\":7}\n");
    let pruned = client.call("POST", "/containers/prune?filters=%7B%22label!%22:%5B%22a%22%5D%7D").await;
    assert_eq!(pruned.body, "{\"ContainersDeleted\":null,\"SpaceReclaimed\":0}\n");
    assert_eq!(client.fake.asked().last().map(String::as_str), Some("prune label!"));
}
