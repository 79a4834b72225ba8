//! What `docker login` has left: `config.json`, and the programs that keep the secrets it names
//! (`docker-credential-*`, whose protocol is that of docker-credential-helpers).

use std::{
    collections::HashMap,
    io,
    path::{Path, PathBuf},
    process::Stdio,
    time::Duration,
};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde::Deserialize;
use tokio::{io::AsyncWriteExt as _, process::Command};

use super::Credentials;
use crate::error::RegistryError;

/// Docker Hub's name in that file.
const HUB_SERVER: &str = "https://index.docker.io/v1/";
/// A helper may ask its user to unlock a keychain.
const PATIENCE: Duration = Duration::from_secs(120);
/// What a helper says of a server that it does not know.
const NOT_FOUND: &str = "credentials not found in native keychain";
/// The user name that says that the secret is an identity token.
const TOKEN_USER: &str = "<token>";

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct File {
    auths: HashMap<String, Entry>,
    creds_store: String,
    cred_helpers: HashMap<String, String>,
}

#[derive(Debug, Default, Clone, Deserialize)]
#[serde(default, rename_all = "lowercase")]
struct Entry {
    auth: String,
    username: String,
    password: String,
    identitytoken: String,
    registrytoken: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Kept {
    username: String,
    secret: String,
}

/// The credentials for a registry, "docker.io" or "host:5000"; anonymous ones if nobody has logged in.
///
/// # Errors
/// If the file or a helper cannot be used.
pub async fn credentials(folder: &Path, registry: &str) -> Result<Credentials, RegistryError> {
    let path = folder.join("config.json");
    let text = match tokio::fs::read(&path).await {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Credentials::default()),
        Err(error) => return Err(RegistryError::file("read", &path, &error)),
    };
    let file: File =
        serde_json::from_slice(&text).map_err(|error| RegistryError::file("understand", &path, &error.into()))?;
    let server = if registry == cove_names::HUB { HUB_SERVER } else { registry };
    let helper = file.cred_helpers.get(server).or_else(|| file.cred_helpers.get(registry));
    let helper = helper.or(Some(&file.creds_store)).filter(|helper| !helper.is_empty());
    match helper {
        Some(helper) => asked(helper, server).await,
        None => written(&file, server, &path),
    }
}

/// What the file itself says.
fn written(file: &File, server: &str, path: &Path) -> Result<Credentials, RegistryError> {
    let exact = file.auths.get(server);
    let entry = exact.or_else(|| {
        let same = |(key, _): &(&String, &Entry)| hostname(key) == hostname(server);
        file.auths.iter().find(same).map(|(_, entry)| entry)
    });
    let Some(entry) = entry.cloned() else { return Ok(Credentials::default()) };
    let mut found = Credentials {
        username: entry.username,
        password: entry.password,
        identity_token: entry.identitytoken,
        registry_token: entry.registrytoken,
    };
    if !entry.auth.is_empty() {
        let torn = || RegistryError::File {
            what: "understand",
            path: PathBuf::from(path),
            words: format!("the credentials for {server} are not readable"),
        };
        let decoded = STANDARD.decode(entry.auth.trim()).map_err(|_| torn())?;
        let decoded = String::from_utf8(decoded).map_err(|_| torn())?;
        let (username, password) = decoded.split_once(':').ok_or_else(torn)?;
        (found.username, found.password) = (username.to_owned(), password.trim_matches('\0').to_owned());
    }
    Ok(found)
}

/// docker's ConvertToHostname: old entries are whole addresses.
fn hostname(server: &str) -> &str {
    let rest = server.strip_prefix("https://").or_else(|| server.strip_prefix("http://")).unwrap_or(server);
    rest.split('/').next().unwrap_or(rest)
}

/// What a helper says.
async fn asked(helper: &str, server: &str) -> Result<Credentials, RegistryError> {
    let failed = |words: String| RegistryError::Helper { helper: helper.to_owned(), words };
    let said = match tokio::time::timeout(PATIENCE, run(helper, server)).await {
        Ok(said) => said.map_err(|error| failed(error.to_string()))?,
        Err(_) => return Err(failed(format!("no answer within {} s", PATIENCE.as_secs()))),
    };
    let text = String::from_utf8_lossy(&said.stdout).trim().to_owned();
    if !said.status.success() {
        return if text == NOT_FOUND { Ok(Credentials::default()) } else { Err(failed(text)) };
    }
    let kept: Kept = serde_json::from_str(&text).map_err(|error| failed(error.to_string()))?;
    Ok(if kept.username == TOKEN_USER {
        Credentials { identity_token: kept.secret, ..Credentials::default() }
    } else {
        Credentials { username: kept.username, password: kept.secret, ..Credentials::default() }
    })
}

async fn run(helper: &str, server: &str) -> io::Result<std::process::Output> {
    // A name with a path in it would run another program than docker runs.
    if helper.contains(['/', '\\']) {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "its name has a slash"));
    }
    let mut child = Command::new(format!("docker-credential-{helper}"))
        .arg("get")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .spawn()?;
    if let Some(mut input) = child.stdin.take() {
        match input.write_all(server.as_bytes()).await {
            // One that has no need of its input ends before.
            Err(error) if error.kind() != io::ErrorKind::BrokenPipe => return Err(error),
            _ => {}
        }
    }
    child.wait_with_output().await
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn found(config: &str, registry: &str) -> Result<Credentials, RegistryError> {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("config.json"), config).unwrap();
        credentials(folder.path(), registry).await
    }

    fn of(username: &str, password: &str) -> Credentials {
        Credentials { username: username.into(), password: password.into(), ..Credentials::default() }
    }

    #[tokio::test]
    async fn what_docker_login_wrote_is_found_by_host_and_by_address() {
        let config = r#"{"auths": {
            "https://index.docker.io/v1/": {"auth": "YTpiOmM="},
            "host:5000": {"auth": "dXNlcjpwYXNz"},
            "http://old.example/v2/": {"username": "u", "password": "p"},
            "token.example": {"identitytoken": "t"},
            "torn.example": {"auth": "!"}
        }, "HttpHeaders": {"x": "y"}}"#;
        assert_eq!(found(config, "docker.io").await.unwrap(), of("a", "b:c"));
        assert_eq!(found(config, "host:5000").await.unwrap(), of("user", "pass"));
        assert_eq!(found(config, "old.example").await.unwrap(), of("u", "p"));
        assert_eq!(found(config, "token.example").await.unwrap().identity_token, "t");
        assert!(found(config, "stranger").await.unwrap().is_anonymous());
        assert!(found(config, "torn.example").await.is_err());
        assert!(found("{", "x").await.unwrap_err().to_string().contains("config.json"));
        let empty = tempfile::tempdir().unwrap();
        assert!(credentials(empty.path(), "x").await.unwrap().is_anonymous());
    }

    #[tokio::test]
    async fn a_helper_that_is_not_there_is_named() {
        let said = found(r#"{"credsStore": "cove-none"}"#, "x").await.unwrap_err().to_string();
        assert!(said.contains("docker-credential-cove-none"), "{said}");
        let said = found(r#"{"credHelpers": {"x": "../evil"}}"#, "x").await.unwrap_err().to_string();
        assert!(said.contains("slash"), "{said}");
        assert!(found(r#"{"credHelpers": {"x": "cove-none"}}"#, "y").await.unwrap().is_anonymous());
    }

    #[test]
    fn secrets_are_not_shown() {
        let shown = format!("{:?}", of("me", "hunter2"));
        assert!(shown.contains("me") && !shown.contains("hunter2"), "{shown}");
    }
}
