//! Shapes beside those that dockerd 28.5.2 answered for the same containers and images.

use serde_json::{Value, json};

use crate::client::Client;

fn recorded(text: &str) -> Value {
    serde_json::from_str(text).unwrap()
}

/// Puts ours in the place of what an engine decides for itself. The member must be there on both sides.
fn take_over(theirs: &mut Value, ours: &Value, pointers: &[&str]) {
    for pointer in pointers {
        let place = theirs.pointer_mut(pointer).unwrap_or_else(|| panic!("dockerd has no {pointer}"));
        *place = ours.pointer(pointer).unwrap_or_else(|| panic!("we have no {pointer}")).clone();
    }
}

/// Compares with the order of the members.
fn assert_same(ours: &Value, theirs: &Value) {
    let text = |value| serde_json::to_string_pretty(value).unwrap();
    assert!(text(ours) == text(theirs), "ours:\n{}\ndockerd's:\n{}", text(ours), text(theirs));
}

/// What differs between any two engines.
const CONTAINER: [&str; 7] = [
    "/ResolvConfPath",
    "/HostnamePath",
    "/HostsPath",
    "/LogPath",
    "/HostConfig/CgroupnsMode",
    "/HostConfig/Runtime",
    "/NetworkSettings/Networks",
];

#[tokio::test]
async fn an_inspected_container_is_as_dockerd_shows_it() {
    let mut client = Client::new();
    let ours = client.call("GET", "/v1.51/containers/c2/json").await.json();
    let mut theirs = recorded(include_str!("../data/inspect_running.json"));
    take_over(&mut theirs, &ours, &CONTAINER);
    take_over(&mut theirs, &ours, &["/NetworkSettings/SandboxID", "/NetworkSettings/SandboxKey"]);
    assert_same(&ours, &theirs);
}

#[tokio::test]
async fn limits_and_sizes_are_as_dockerd_shows_them() {
    let mut client = Client::new();
    let ours = client.call("GET", "/v1.51/containers/c6/json?size=1").await.json();
    let mut theirs = recorded(include_str!("../data/inspect_limits.json"));
    take_over(&mut theirs, &ours, &CONTAINER);
    assert_same(&ours, &theirs);
}

#[tokio::test]
async fn the_list_is_as_dockerd_shows_it() {
    let mut client = Client::new();
    let mut ours = client.call("GET", "/v1.51/containers/json?all=1").await.json();
    let mut theirs = recorded(include_str!("../data/list.json"));
    for row in [&mut ours, &mut theirs].into_iter().flat_map(|list| list.as_array_mut().unwrap()) {
        // Time goes on, and networks have no endpoints here.
        let status = row["Status"].as_str().unwrap();
        row["Status"] = json!(status.split(' ').next());
        for endpoint in row["NetworkSettings"]["Networks"].as_object_mut().unwrap().values_mut() {
            endpoint["NetworkID"] = json!("");
            endpoint["EndpointID"] = json!("");
        }
    }
    assert_same(&ours, &theirs);
}

#[tokio::test]
async fn images_are_as_dockerd_shows_them() {
    let mut client = Client::new();
    let ours = client.call("GET", "/v1.51/images/json").await.json();
    assert_same(&ours, &recorded(include_str!("../data/images.json")));
    let ours = client.call("GET", "/v1.51/images/bb:1/json").await.json();
    assert_same(&ours, &recorded(include_str!("../data/image.json")));
    let ours = client.call("GET", "/v1.51/images/bb:1/history").await.json();
    assert_same(&ours, &recorded(include_str!("../data/history.json")));
    let before = client.call("GET", "/v1.50/images/json").await.json();
    assert_eq!(before[0]["Containers"], -1, "containers are counted since 1.51");
}

#[tokio::test]
async fn version_and_info_have_dockerds_members() {
    let mut client = Client::new();
    let names = |value: &Value| value.as_object().unwrap().keys().cloned().collect::<Vec<_>>();
    let ours = client.call("GET", "/version").await.json();
    let theirs = recorded(include_str!("../data/version.json"));
    assert_eq!(names(&ours), names(&theirs));
    assert_eq!(names(&ours["Components"][0]["Details"]), names(&theirs["Components"][0]["Details"]));
    let ours = names(&client.call("GET", "/info").await.json());
    let theirs: Vec<String> = serde_json::from_str(include_str!("../data/info_keys.json")).unwrap();
    // Of cgroup v1, of bridges, and of containerd: none of them is here.
    let absent = ["KernelMemoryTCP", "FirewallBackend", "Containerd"];
    assert_eq!(ours, theirs.into_iter().filter(|name| !absent.contains(&name.as_str())).collect::<Vec<_>>());
}

#[tokio::test]
async fn processes_are_as_ps_shows_them() {
    let mut client = Client::new();
    let top = client.call("GET", "/v1.51/containers/c2/top").await.json();
    assert_eq!(
        top,
        json!({
            "Processes": [["root", "25149", "25123", "0", "1970", "?", "00:00:00", "sleep 1000"]],
            "Titles": ["UID", "PID", "PPID", "C", "STIME", "TTY", "TIME", "CMD"],
        })
    );
}

#[tokio::test]
async fn an_exec_is_as_dockerd_shows_it() {
    let mut client = Client::new();
    let exec = client.call("GET", "/v1.51/exec/missing/json").await.json();
    assert_same(
        &exec,
        &json!({
            "ID": "missing",
            "Running": false,
            "ExitCode": 127,
            "ProcessConfig": {"tty": false, "entrypoint": "sleep", "arguments": ["1"], "privileged": false},
            "OpenStdin": false,
            "OpenStderr": true,
            "OpenStdout": true,
            "CanRemove": false,
            "ContainerID": "c",
            "DetachKeys": "",
            "Pid": 0,
        }),
    );
}

#[tokio::test]
async fn health_and_restarts_are_as_dockerd_shows_them() {
    let mut client = Client::new();
    let seen = client.call("GET", "/v1.51/containers/checked/json").await.json();
    let log = |start: &str, end: &str, code: i32, output: &str| json!({"Start": start, "End": end, "ExitCode": code, "Output": output});
    let health = json!({"Status": "unhealthy", "FailingStreak": 1, "Log": [log(
        "2026-11-24T08:20:28.081755262Z",
        "2026-11-24T08:20:29.171671899Z",
        -1,
        "Health check exceeded timeout (1s): before\n",
    )]});
    assert_same(&seen["State"]["Health"], &health);
    assert_same(
        &seen["Config"]["Healthcheck"],
        &json!({"Test": ["CMD-SHELL", "echo before; sleep 100"], "Interval": 1_000_000_000, "Timeout": 1_000_000_000, "Retries": 1}),
    );
    assert_same(&seen["HostConfig"]["RestartPolicy"], &json!({"Name": "on-failure", "MaximumRetryCount": 2}));
    let names: Vec<&String> = seen["Config"].as_object().unwrap().keys().collect();
    let at = names.iter().position(|name| *name == "Healthcheck").unwrap();
    assert_eq!((names[at - 1].as_str(), names[at + 1].as_str()), ("Cmd", "Image"));
}
