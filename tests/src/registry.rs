//! Debian's docker-registry on the loopback network, and a wire before it that can be cut.

use std::{
    fs,
    io::{Read as _, Write as _},
    net::{Shutdown, TcpListener, TcpStream},
    path::Path,
    process::Command,
    sync::{
        Arc, Condvar, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
        mpsc,
    },
    thread,
};

use anyhow::{Context as _, Result, ensure};

use crate::command::{self, Done, Watched};

/// Who may enter a registry that is locked.
pub const USER: &str = "cove";
/// With what.
pub const PASSWORD: &str = "secret";
/// The same for the registry: the password as bcrypt has it.
const HTPASSWD: &str = "cove:$2y$05$r6mT2EDf4Vfed2XL1mslou19qUJLdHNBuIFuZEG5holWM/S2gwJaO\n";

/// A registry. It ends when it is dropped, and its images with it.
#[derive(Debug)]
pub struct Registry {
    folder: tempfile::TempDir,
    /// "127.0.0.1:5000".
    pub address: String,
    running: Option<Watched>,
}

impl Registry {
    /// One that lets everybody in, without TLS.
    ///
    /// # Errors
    /// If docker-registry is not installed or does not start.
    pub fn open() -> Result<Self> {
        Self::start("")
    }

    /// One with TLS, of a certificate that nobody vouches for, and a password.
    ///
    /// # Errors
    /// If openssl or docker-registry is not installed or does not start.
    pub fn locked() -> Result<Self> {
        Self::start("locked")
    }

    fn start(how: &str) -> Result<Self> {
        let folder = tempfile::Builder::new().prefix("cove-registry").tempdir_in("/tmp")?;
        if how == "locked" {
            fs::write(folder.path().join("htpasswd"), HTPASSWD)?;
            certificate(folder.path())?;
        }
        let mut registry = Self { folder, address: "127.0.0.1:0".to_owned(), running: None };
        registry.run()?;
        Ok(registry)
    }

    /// Runs it, after it was killed at the same address.
    ///
    /// # Errors
    /// If it does not start.
    pub fn run(&mut self) -> Result<()> {
        let (here, config) = (self.folder.path(), self.folder.path().join("config.yml"));
        let place = here.display();
        let mut text = format!(
            "version: 0.1\nlog: {{level: info}}\nstorage: {{filesystem: {{rootdirectory: {place}/data}}, delete: {{enabled: \
             true}}}}\nhttp:\n  addr: {}\n",
            self.address
        );
        if here.join("htpasswd").exists() {
            text += &format!("  tls: {{certificate: {place}/tls.crt, key: {place}/tls.key}}\n");
            text += &format!("auth: {{htpasswd: {{realm: test, path: {place}/htpasswd}}}}\n");
        }
        fs::write(&config, text)?;
        let mut serve = Command::new("docker-registry");
        serve.arg("serve").arg(&config);
        let mut running =
            Watched::start(serve).context("no docker-registry on this computer; run: tests/ci/setup.sh checks")?;
        let line = running.line("listening on ")?;
        let at = line.split("listening on ").nth(1).and_then(|rest| rest.split(['"', ',', ' ']).next());
        self.address = at.context("no address")?.to_owned();
        self.running = Some(running);
        Ok(())
    }

    /// What it was asked so far, such as "GET /v2/", in order.
    ///
    /// # Errors
    /// If it does not run.
    pub fn requests(&mut self) -> Result<Vec<String>> {
        let running = self.running.as_mut().context("it does not run")?;
        // What is logged after all others.
        let mut last = TcpStream::connect(&self.address)?;
        last.write_all(b"GET /v2/cove-last/tags/list HTTP/1.0\r\n\r\n")?;
        last.read_to_end(&mut Vec::new())?;
        running.line("\"GET /v2/cove-last/")?;
        let asked = |line: &String| Some(line.split_once('"')?.1.split_once(" HTTP/")?.0.to_owned());
        Ok(running.lines().iter().filter_map(asked).collect())
    }

    /// Ends it at once; what it has stays.
    pub fn kill(&mut self) {
        self.running = None;
    }

    /// The name of an image in it.
    #[must_use]
    pub fn name(&self, rest: &str) -> String {
        format!("{}/{rest}", self.address)
    }

    /// Runs skopeo, which knows nothing of Cove.
    ///
    /// # Errors
    /// If it is not installed or fails.
    pub fn skopeo(&self, arguments: &[&str]) -> Result<Done> {
        let mut skopeo = Command::new("skopeo");
        skopeo.args(["--insecure-policy"]).args(arguments);
        command::run(skopeo, &[]).context("no skopeo on this computer; run: tests/ci/setup.sh checks")?.ok()
    }

    /// Puts an image there: an archive as `docker load` takes it, in OCI's form or Docker's.
    ///
    /// # Errors
    /// If skopeo fails.
    pub fn put(&self, archive: &[u8], name: &str, format: &str) -> Result<()> {
        self.copy_to(archive, name, &["--format", format])
    }

    /// The same with layers that are compressed so: "zstd".
    ///
    /// # Errors
    /// If skopeo fails.
    pub fn put_packed(&self, archive: &[u8], name: &str, compression: &str) -> Result<()> {
        self.copy_to(archive, name, &["--format", "oci", "--dest-compress-format", compression])
    }

    fn copy_to(&self, archive: &[u8], name: &str, options: &[&str]) -> Result<()> {
        let file = self.folder.path().join("put.tar");
        fs::write(&file, archive)?;
        let (from, to) = (format!("docker-archive:{}", file.display()), format!("docker://{}", self.name(name)));
        self.skopeo(&[&["copy", "--dest-tls-verify=false"], options, &[&from, &to]].concat())?;
        Ok(())
    }

    /// The digest of an image there.
    ///
    /// # Errors
    /// If skopeo fails.
    pub fn digest(&self, name: &str) -> Result<String> {
        let manifest =
            self.skopeo(&["inspect", "--raw", "--tls-verify=false", &format!("docker://{}", self.name(name))])?;
        Ok(format!("sha256:{}", crate::image::digest(&manifest.bytes)))
    }

    /// The digest of the image for an architecture in an index there.
    ///
    /// # Errors
    /// If skopeo fails, or the index has none.
    pub fn digest_for(&self, name: &str, architecture: &str) -> Result<String> {
        let address = format!("docker://{}", self.name(name));
        let index = self.skopeo(&["inspect", "--raw", "--tls-verify=false", &address])?.json()?;
        let entries = index["manifests"].as_array().context("no index")?;
        let entry = entries.iter().find(|entry| entry["platform"]["architecture"] == architecture);
        entry.and_then(|entry| entry["digest"].as_str()).map(str::to_owned).context("none for the architecture")
    }
}

fn certificate(folder: &Path) -> Result<()> {
    let mut openssl = Command::new("openssl");
    openssl.current_dir(folder).args(["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2"]);
    openssl.args(["-keyout", "tls.key", "-out", "tls.crt", "-subj", "/CN=127.0.0.1"]);
    openssl.args(["-addext", "subjectAltName=IP:127.0.0.1"]);
    command::run(openssl, &[])?.ok()?;
    Ok(())
}

/// A wire to a registry to which something happens once, as soon as so many bytes have come over it, or gone.
#[derive(Debug)]
pub struct Wire {
    /// "127.0.0.1:4000".
    pub address: String,
    fate: Arc<Fate>,
    met: mpsc::Receiver<()>,
}

/// What happens.
#[derive(Debug)]
struct Fate {
    /// Bytes until then.
    left: AtomicU64,
    /// Whether nothing comes over it from then on; else the connection breaks that it happens to.
    jams: bool,
    /// Whether bytes to the registry are counted, and not those from it.
    counts_sent: bool,
    jammed: Mutex<bool>,
    mended: Condvar,
}

impl Wire {
    /// One to this address, of which one connection breaks.
    ///
    /// # Errors
    /// If there is no port.
    pub fn that_breaks(address: &str, after: u64) -> Result<Self> {
        Self::to(address, after, false, false)
    }

    /// One to this address of which one connection breaks when so many bytes have gone.
    ///
    /// # Errors
    /// If there is no port.
    pub fn that_breaks_sending(address: &str, after: u64) -> Result<Self> {
        Self::to(address, after, false, true)
    }

    /// One to this address over which nothing comes then until it is mended.
    ///
    /// # Errors
    /// If there is no port.
    pub fn that_jams(address: &str, after: u64) -> Result<Self> {
        Self::to(address, after, true, false)
    }

    fn to(address: &str, after: u64, jams: bool, counts_sent: bool) -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let here = listener.local_addr()?.to_string();
        let (told, met) = mpsc::channel();
        let (left, jammed) = (AtomicU64::new(after), Mutex::new(false));
        let fate = Arc::new(Fate { left, jams, counts_sent, jammed, mended: Condvar::new() });
        let (there, carried) = (address.to_owned(), Arc::clone(&fate));
        thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let (there, fate, told) = (there.clone(), Arc::clone(&carried), told.clone());
                // A registry that is down hangs up.
                thread::spawn(move || TcpStream::connect(there).and_then(|to| carry(&stream, &to, fate, told)));
            }
        });
        Ok(Self { address: here, fate, met })
    }

    /// Waits until it has happened.
    ///
    /// # Errors
    /// If it has not for [`command::DEADLINE`].
    pub fn has_met_its_fate(&self) -> Result<()> {
        self.met.recv_timeout(command::DEADLINE).context("too little came over the wire")
    }

    /// Lets everything come again.
    pub fn mend(&self) {
        *self.fate.jammed.lock().unwrap_or_else(PoisonError::into_inner) = false;
        self.fate.mended.notify_all();
    }
}

impl Drop for Wire {
    fn drop(&mut self) {
        self.mend();
    }
}

impl Fate {
    /// So many bytes have come. Whether it happens now.
    fn is_met(&self, bytes: u64) -> bool {
        let less = |left: u64| (left > 0).then(|| left.saturating_sub(bytes));
        let met = self.left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, less).is_ok_and(|before| before <= bytes);
        if met && self.jams {
            *self.jammed.lock().unwrap_or_else(PoisonError::into_inner) = true;
        }
        met
    }

    fn wait_while_jammed(&self) {
        let jammed = self.jammed.lock().unwrap_or_else(PoisonError::into_inner);
        drop(self.mended.wait_while(jammed, |jammed| *jammed).unwrap_or_else(PoisonError::into_inner));
    }
}

fn carry(from: &TcpStream, to: &TcpStream, fate: Arc<Fate>, told: mpsc::Sender<()>) -> std::io::Result<()> {
    let (asking, asked) = (from.try_clone()?, to.try_clone()?);
    let (its_fate, its_told) = (Arc::clone(&fate), told.clone());
    thread::spawn(move || {
        pass(&asking, &asked, its_fate.counts_sent.then_some(&*its_fate), &its_told).ok();
        asked.shutdown(Shutdown::Write).ok();
    });
    pass(to, from, (!fate.counts_sent).then_some(&*fate), &told)?;
    from.shutdown(Shutdown::Both)
}

/// Bytes one way, to their end or until fate is met.
fn pass(mut from: &TcpStream, mut to: &TcpStream, fate: Option<&Fate>, told: &mpsc::Sender<()>) -> std::io::Result<()> {
    let mut piece = [0; 16 * 1024];
    loop {
        let count = from.read(&mut piece)?;
        if count == 0 {
            return Ok(());
        }
        if let Some(fate) = fate {
            fate.wait_while_jammed();
        }
        to.write_all(&piece[..count])?;
        if let Some(fate) = fate.filter(|fate| fate.is_met(count as u64)) {
            told.send(()).ok();
            if !fate.jams {
                to.shutdown(Shutdown::Both)?;
                return from.shutdown(Shutdown::Both);
            }
        }
    }
}

/// A layout of one index with an image for each of two platforms, as skopeo copies it.
///
/// # Errors
/// If skopeo fails or the layout is not what it should be.
pub fn two_platforms(registry: &Registry, archives: &[(&str, Vec<u8>)], name: &str) -> Result<()> {
    let layout = registry.folder.path().join("layout");
    let mut entries = Vec::new();
    for (architecture, archive) in archives {
        let file = registry.folder.path().join("part.tar");
        fs::write(&file, archive)?;
        let (from, to) =
            (format!("docker-archive:{}", file.display()), format!("oci:{}:{architecture}", layout.display()));
        registry.skopeo(&["copy", &from, &to])?;
        let index: serde_json::Value = serde_json::from_slice(&fs::read(layout.join("index.json"))?)?;
        let mut entry = index["manifests"].as_array().and_then(|all| all.last()).context("no manifest")?.clone();
        entry.as_object_mut().context("no descriptor")?.remove("annotations");
        entry["platform"] = serde_json::json!({"architecture": architecture, "os": "linux"});
        entries.push(entry);
    }
    let kind = "application/vnd.oci.image.index.v1+json";
    let index = serde_json::to_vec(&serde_json::json!({"schemaVersion": 2, "mediaType": kind, "manifests": entries}))?;
    let digest = crate::image::digest(&index);
    fs::write(layout.join("blobs/sha256").join(&digest), &index)?;
    let entry = serde_json::json!({
        "mediaType": kind,
        "digest": format!("sha256:{digest}"),
        "size": index.len(),
        "annotations": {"org.opencontainers.image.ref.name": "both"},
    });
    let top = serde_json::json!({"schemaVersion": 2, "manifests": [entry]});
    fs::write(layout.join("index.json"), serde_json::to_vec(&top)?)?;
    let (from, to) = (format!("oci:{}:both", layout.display()), format!("docker://{}", registry.name(name)));
    registry.skopeo(&["copy", "--all", "--dest-tls-verify=false", &from, &to])?;
    ensure!(registry.digest(name)? == format!("sha256:{digest}"), "skopeo changed the index");
    Ok(())
}
