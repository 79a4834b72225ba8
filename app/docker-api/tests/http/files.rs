//! Files of containers: cp, export, diff, commit; and what takes how much of the disk.

use serde_json::{Value, json};

use crate::client::{Client, post};

/// Of a link, as dockerd answers it.
const STAT: &str = "eyJuYW1lIjoic2giLCJzaXplIjo3LCJtb2RlIjoxMzQyMTgyMzksIm10aW1lIjoiMTk3MC0wMS0wMVQwMDowMDowMFoiLCJsaW5rVGFyZ2V0IjoiL2Jpbi9idXN5Ym94In0=";

#[tokio::test]
async fn what_a_file_is_is_told_in_a_header() {
    let mut client = Client::new();
    let said = client.call("HEAD", "/v1.51/containers/c/archive?path=/bin/sh").await;
    assert_eq!((said.status, said.header("X-Docker-Container-Path-Stat")), (200, Some(STAT)));
    assert_eq!(client.fake.asked(), ["stat /bin/sh"]);
    let read = client.call("GET", "/v1.51/containers/c/archive?path=/bin/sh").await;
    assert_eq!((read.status, read.header("Content-Type")), (200, Some("application/x-tar")));
    assert_eq!((read.header("X-Docker-Container-Path-Stat"), read.body.as_str()), (Some(STAT), "/bin/sh"));
}

#[tokio::test]
async fn an_archive_is_written_as_asked() {
    let mut client = Client::new();
    let path = "/v1.51/containers/c/archive?path=/tmp&noOverwriteDirNonDir=true&copyUIDGID=1";
    client.send(post(path, "application/x-tar", "archive").replacen("POST", "PUT", 1)).await;
    let done = client.response("PUT").await;
    assert_eq!((done.status, done.body.as_str()), (200, ""));
    assert_eq!(client.fake.asked(), ["write /tmp true true", "7 bytes"]);
}

#[tokio::test]
async fn errors_are_dockerds() {
    let mut client = Client::new();
    for (method, path, status, message) in [
        ("GET", "/v1.51/containers/c/archive", 400, "bad parameter: pathcannot be empty"),
        ("GET", "/v1.51/containers/nope/archive?path=/", 404, "No such container: nope"),
        ("GET", "/v1.51/containers/nope/export", 404, "No such container: nope"),
        ("GET", "/v1.51/containers/nope/changes", 404, "No such container: nope"),
        ("GET", "/v1.51/system/df?type=foo", 400, "unknown object type: foo"),
    ] {
        let said = client.call(method, path).await;
        assert_eq!((said.status, said.message().as_str()), (status, message), "{path}");
    }
}

#[tokio::test]
async fn changes_are_numbered_and_none_are_null() {
    let mut client = Client::new();
    let changes = client.call("GET", "/v1.51/containers/c/changes").await.json();
    assert_eq!(
        changes,
        json!([{"Path": "/etc", "Kind": 0}, {"Path": "/etc/group", "Kind": 2}, {"Path": "/etc/new", "Kind": 1}])
    );
    assert_eq!(client.call("GET", "/v1.51/containers/same/changes").await.json(), Value::Null);
    let export = client.call("GET", "/v1.51/containers/c/export").await;
    assert_eq!((export.header("Content-Type"), export.body.as_str()), (Some("application/octet-stream"), "tar"));
}

#[tokio::test]
async fn a_commit_is_asked_for_in_full() {
    let mut client = Client::new();
    let path = "/v1.51/commit?container=c&repo=r&tag=1&author=a&comment=m&changes=CMD+x&changes=ENV+A%3Db&pause=0";
    let made = client.post(path, "null").await;
    assert_eq!((made.status, made.json()), (201, json!({"Id": "sha256:c0"})));
    client.post("/v1.51/commit?container=c", "{\"User\":\"u\"}").await;
    // The command line sends no body.
    assert_eq!(client.call("POST", "/v1.51/commit?container=c").await.status, 201);
    assert_eq!(
        client.fake.asked(),
        [
            "commit c as \"r:1\" by \"a\" because \"m\" with [\"CMD x\", \"ENV A=b\"] and , paused: false",
            "commit c as \"\" by \"\" because \"\" with [] and {\"User\":\"u\"}, paused: true",
            "commit c as \"\" by \"\" because \"\" with [] and , paused: true",
        ]
    );
}

#[tokio::test]
async fn what_takes_the_disk_is_told_by_kind() {
    let mut client = Client::new();
    let all = client.call("GET", "/v1.51/system/df").await.json();
    assert_eq!(all["LayersSize"], 1_982_305);
    // Two images of the same layer.
    assert_eq!(
        (&all["Images"][0]["SharedSize"], &all["Images"][1]["SharedSize"]),
        (&json!(1_982_305), &json!(1_982_305))
    );
    assert_eq!(all["Images"][0]["RepoDigests"], Value::Null);
    assert!(all["Containers"].is_array() && all["Volumes"][0]["UsageData"].is_object(), "{all}");
    assert_eq!(all["BuildCache"], json!([]));
    let one = client.call("GET", "/v1.51/system/df?type=build-cache").await.json();
    assert_eq!(one, json!({"LayersSize": 0, "Images": null, "Containers": null, "Volumes": null, "BuildCache": []}));
    let pruned = client.post("/v1.51/images/prune?filters=%7B%22dangling%22%3A%5B%22false%22%5D%7D", "").await.json();
    assert_eq!(pruned, json!({"ImagesDeleted": [{"Deleted": "sha256:1"}], "SpaceReclaimed": 7}));
    assert_eq!(client.fake.asked().last().unwrap(), "prune [\"dangling\"]");
}
