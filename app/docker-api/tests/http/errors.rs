//! What goes wrong, in dockerd's words and with its statuses.

use crate::client::{Client, post};

#[tokio::test]
async fn errors_of_the_engine_keep_their_words() {
    let mut client = Client::new();
    for (method, path, status, message) in [
        ("GET", "/containers/nope/json", 404, "No such container: nope"),
        ("POST", "/containers/nope/start", 404, "No such container: nope"),
        ("POST", "/containers/broken/start", 400, "exec: \"x\": executable file not found in $PATH"),
        ("POST", "/containers/stopped/kill", 409, "cannot kill container: stopped: container abc is not running"),
        ("GET", "/containers/nope/logs?stdout=1", 404, "No such container: nope"),
        ("GET", "/containers/c2/logs", 400, "Bad parameters: you must choose at least one stream"),
        ("GET", "/containers/c2/logs?stdout=1&since=zz", 500, "strconv.ParseInt: parsing \"zz\": invalid syntax"),
        ("POST", "/containers/c2/wait?condition=foo", 400, "invalid condition: \"foo\""),
        ("POST", "/containers/nope/wait", 404, "No such container: nope"),
        ("POST", "/containers/c2/stop?t=x", 500, "strconv.Atoi: parsing \"x\": invalid syntax"),
        ("POST", "/containers/c2/resize", 400, "invalid resize height \"\": invalid syntax"),
        ("POST", "/containers/c2/resize?h=1&w=x", 400, "invalid resize width \"x\": invalid syntax"),
        ("POST", "/containers/c2/rename?name=", 400, "Neither old nor new names may be empty"),
        ("GET", "/containers/json?filters=x", 400, "invalid filter"),
        ("GET", "/containers/json?filters=%7B%22foo%22:[%22a%22]%7D", 400, "invalid filter 'foo'"),
        ("GET", "/containers/json?limit=x", 500, "strconv.Atoi: parsing \"x\": invalid syntax"),
        ("GET", "/images/nope/json", 404, "No such image: nope:latest"),
        ("GET", "/images/nope/get", 404, "No such image: nope"),
        ("GET", "/images/get", 400, "invalid reference format"),
        ("GET", "/exec/nope/json", 404, "No such exec instance: nope"),
        ("GET", "/networks/nope", 404, "network nope not found"),
        ("GET", "/volumes/nope", 404, "get nope: no such volume"),
        ("GET", "/plugins/a/b/json", 404, "plugin \"a/b\" not found"),
        ("POST", "/containers/nope/pause", 404, "No such container: nope"),
        ("POST", "/containers/paused/pause", 409, "Container paused is already paused"),
        ("POST", "/containers/running/unpause", 500, "Container running is not paused"),
        ("POST", "/containers/nope/update", 404, "No such container: nope"),
        ("POST", "/build", 501, "docker build is not supported by this version of Cove yet"),
        (
            "POST",
            "/images/create?fromSrc=http://x",
            501,
            "importing from a URL is not supported by this version of Cove yet",
        ),
        ("GET", "/images/search?term=x&limit=-1", 400, "limit -1 is outside the range of [1, 100]"),
    ] {
        let answer = client.call(method, path).await;
        assert_eq!((answer.status, answer.message().as_str()), (status, message), "{method} {path}");
        assert_eq!(answer.header("Content-Type"), Some("application/json"));
    }
}

#[tokio::test]
async fn bodies_are_checked_as_dockerd_does() {
    let mut client = Client::new();
    client.send(post("/containers/create", "application/x-www-form-urlencoded", "x")).await;
    assert_eq!(
        client.response("POST").await.message(),
        "unsupported Content-Type header (application/x-www-form-urlencoded): must be 'application/json'"
    );
    for (body, status, message) in [
        ("", 400, "invalid JSON: got EOF while reading request body"),
        ("{}", 400, "config cannot be empty in order to create a container"),
        (r#"{"Image":"nope"}"#, 404, "No such image: nope:latest"),
        (r#"{"Image":"x"} {}"#, 400, "unexpected content after JSON"),
    ] {
        let answer = client.post("/containers/create", body).await;
        assert_eq!((answer.status, answer.message().as_str()), (status, message), "{body}");
    }
    assert!(client.post("/containers/create", "x").await.message().starts_with("invalid JSON: "));
    let taken = client.post("/containers/create?name=taken", r#"{"Image":"x"}"#).await;
    assert_eq!(taken.status, 409);
    assert_eq!(client.post("/containers/c2/exec", "{}").await.message(), "No exec command specified");
}

#[tokio::test]
async fn a_folder_of_the_host_that_is_not_granted_makes_no_container() {
    let mut client = Client::new();
    let missing = "invalid mount config for type \"bind\": bind source path does not exist: /missing";
    for (host, status, message) in [
        (r#"{"Binds":["/etc:/x"]}"#, 403, "the path /etc is not shared from this computer"),
        (r#"{"Mounts":[{"Type":"bind","Source":"/missing","Target":"/x"}]}"#, 400, missing),
    ] {
        let body = format!(r#"{{"Image":"x","HostConfig":{host}}}"#);
        let refused = client.post("/v1.50/containers/create", &body).await;
        assert_eq!((refused.status, refused.message().as_str()), (status, message));
    }
    assert!(client.fake.created.lock().unwrap().is_none());
    let body = r#"{"Image":"x","HostConfig":{"Binds":["/missing:/x:ro"]}}"#;
    assert_eq!(client.post("/v1.50/containers/create", body).await.status, 201);
    assert!(client.fake.asked().contains(&"grant /missing true true".to_owned()));
    let created = client.fake.created.lock().unwrap().clone().unwrap().spec.unwrap();
    assert_eq!(created.mounts[0].share_id, "id of /missing");
}

#[tokio::test]
async fn an_image_of_another_platform_is_not_found() {
    let mut client = Client::new();
    let body = r#"{"Image":"bb:1"}"#;
    assert_eq!(client.post("/containers/create?platform=linux/amd64", body).await.status, 201);
    let other = client.post("/containers/create?platform=linux/arm64", body).await;
    assert_eq!(other.status, 404);
    assert_eq!(
        other.message(),
        "image with reference bb:1 was found but its platform (linux/amd64) does not match the specified platform \
         (linux/arm64)"
    );
    let nonsense = client.post("/containers/create?platform=foo", body).await;
    assert_eq!(nonsense.message(), "\"foo\": unknown operating system or architecture: invalid argument");
}
