//! A registry on the loopback interface: Debian's docker-registry, in a folder and on a port of its own.
//!
//! Everybody may read and write who knows [`USER`] and [`PASSWORD`]. Dropping it ends it and removes what it holds.

use std::{
    fs,
    net::{Ipv4Addr, TcpListener},
    process::{Child, Command, Stdio},
};

use anyhow::{Context as _, Result};

use crate::command::{self, Done};

/// Who may read and write.
pub const USER: &str = "bollard";
/// The password.
pub const PASSWORD: &str = "of-the-tests";
/// USER and the bcrypt of PASSWORD, as `htpasswd -B` writes them: the one form that docker-registry reads.
const HTPASSWD: &str = "bollard:$2b$05$HmPRL3eXe0J9iUqnJeQPQefIcMkeK6vbPBn3mysBBSSxLpql3j0MW\n";

/// A registry that runs.
#[derive(Debug)]
pub struct Registry {
    server: Child,
    port: u16,
    folder: tempfile::TempDir,
}

impl Registry {
    /// Starts an empty one.
    ///
    /// # Errors
    /// If docker-registry is not installed or does not come up.
    pub fn start() -> Result<Self> {
        let folder = tempfile::Builder::new().prefix("cove-registry").tempdir()?;
        let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port();
        let path = folder.path().display();
        fs::write(folder.path().join("htpasswd"), HTPASSWD)?;
        let config = format!(
            "version: 0.1\nlog: {{ accesslog: {{ disabled: true }} }}\n\
             storage: {{ filesystem: {{ rootdirectory: {path}/data }}, delete: {{ enabled: true }} }}\n\
             http: {{ addr: 127.0.0.1:{port} }}\n\
             auth: {{ htpasswd: {{ realm: cove, path: {path}/htpasswd }} }}\n"
        );
        fs::write(folder.path().join("config.yml"), config)?;
        let log = fs::File::create(folder.path().join("log"))?;
        let server = Command::new("docker-registry")
            .arg("serve")
            .arg(folder.path().join("config.yml"))
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            .spawn()
            .context("start docker-registry; if it is missing: tests/ci/setup.sh checks")?;
        let registry = Self { server, port, folder };
        registry.answers().with_context(|| registry.words())?;
        Ok(registry)
    }

    /// "localhost:PORT".
    #[must_use]
    pub fn address(&self) -> String {
        format!("localhost:{}", self.port)
    }

    /// Pushes the one image of a docker-archive with a tool that is not ours.
    ///
    /// # Errors
    /// With what it said.
    pub fn push(&self, name: &str, archive: &[u8]) -> Result<()> {
        let file = tempfile::NamedTempFile::new_in(self.folder.path())?;
        fs::write(file.path(), archive)?;
        let mut skopeo = Command::new("skopeo");
        skopeo
            .args(["copy", "--quiet", "--insecure-policy", "--dest-tls-verify=false", "--dest-creds"])
            .arg(format!("{USER}:{PASSWORD}"))
            .arg(format!("docker-archive:{}", file.path().display()))
            .arg(format!("docker://{}/{name}", self.address()));
        command::run(skopeo, &[]).and_then(Done::ok)?;
        Ok(())
    }

    /// What it said.
    #[must_use]
    pub fn words(&self) -> String {
        fs::read_to_string(self.folder.path().join("log")).unwrap_or_default()
    }

    /// Waits until it takes connections.
    fn answers(&self) -> Result<()> {
        let mut curl = Command::new("curl");
        curl.args(["--silent", "--output", "/dev/null", "--retry", "60", "--retry-delay", "1", "--retry-connrefused"])
            .arg(format!("http://{}/v2/", self.address()));
        command::run(curl, &[]).and_then(Done::ok)?;
        Ok(())
    }
}

impl Drop for Registry {
    fn drop(&mut self) {
        // It may have ended meanwhile.
        let _ = self.server.kill();
        let _ = self.server.wait();
    }
}
