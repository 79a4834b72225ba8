//! Archives for tests: built in memory, entry by entry, with nothing put right.

use std::io::Write;
use std::sync::Arc;

use serde_json::{Value, json};
use tempfile::TempDir;

use super::{Digest, ImageStore, Limits, Privilege, StoreConfig};

/// An entry of a tar.
#[derive(Clone)]
pub(crate) struct TarEntry {
    name: Vec<u8>,
    link: Vec<u8>,
    kind: u8,
    mode: u32,
    owner: (u32, u32),
    mtime: u64,
    data: Vec<u8>,
    device: (u32, u32),
    pax: Vec<(Vec<u8>, Vec<u8>)>,
    /// Size in the header, if it lies.
    header_size: Option<u64>,
    /// Size of the file and its runs, as the old form of GNU tar has them.
    holes: Option<(u64, Vec<(u64, u64)>)>,
}

impl TarEntry {
    pub(crate) fn new(kind: u8, name: impl AsRef<[u8]>) -> Self {
        Self {
            name: name.as_ref().to_vec(),
            link: Vec::new(),
            kind,
            mode: 0o644,
            owner: (0, 0),
            mtime: 1_700_000_000,
            data: Vec::new(),
            device: (0, 0),
            pax: Vec::new(),
            header_size: None,
            holes: None,
        }
    }

    pub(crate) fn file(name: impl AsRef<[u8]>, data: impl AsRef<[u8]>) -> Self {
        Self { data: data.as_ref().to_vec(), ..Self::new(b'0', name) }
    }

    pub(crate) fn folder(name: impl AsRef<[u8]>) -> Self {
        Self { mode: 0o755, ..Self::new(b'5', name) }
    }

    pub(crate) fn symlink(name: impl AsRef<[u8]>, target: impl AsRef<[u8]>) -> Self {
        Self { link: target.as_ref().to_vec(), mode: 0o777, ..Self::new(b'2', name) }
    }

    pub(crate) fn hard_link(name: impl AsRef<[u8]>, target: impl AsRef<[u8]>) -> Self {
        Self { link: target.as_ref().to_vec(), ..Self::new(b'1', name) }
    }

    pub(crate) fn whiteout(name: impl AsRef<[u8]>) -> Self {
        Self::new(b'0', name)
    }

    pub(crate) fn kind(mut self, kind: u8) -> Self {
        self.kind = kind;
        self
    }

    pub(crate) fn mode(mut self, mode: u32) -> Self {
        self.mode = mode;
        self
    }

    pub(crate) fn owner(mut self, uid: u32, gid: u32) -> Self {
        self.owner = (uid, gid);
        self
    }

    pub(crate) fn mtime(mut self, mtime: u64) -> Self {
        self.mtime = mtime;
        self
    }

    pub(crate) fn device(mut self, major: u32, minor: u32) -> Self {
        self.device = (major, minor);
        self
    }

    pub(crate) fn pax(mut self, key: impl AsRef<[u8]>, value: impl AsRef<[u8]>) -> Self {
        self.pax.push((key.as_ref().to_vec(), value.as_ref().to_vec()));
        self
    }

    pub(crate) fn header_size(mut self, size: u64) -> Self {
        self.header_size = Some(size);
        self
    }

    pub(crate) fn holes(mut self, size: u64, runs: &[(u64, u64)]) -> Self {
        self.kind = b'S';
        self.holes = Some((size, runs.to_vec()));
        self
    }

    /// The entry's blocks, with what a long name or attributes need before it.
    pub(crate) fn blocks(&self) -> Vec<u8> {
        let mut out = Vec::new();
        if !self.pax.is_empty() {
            let mut records = Vec::new();
            for (key, value) in &self.pax {
                records.extend(pax_record(key, value));
            }
            out.extend(TarEntry { data: records, ..Self::new(b'x', "pax") }.blocks());
        }
        for (kind, text) in [(b'L', &self.name), (b'K', &self.link)] {
            if text.len() > 100 {
                out.extend(TarEntry { data: [text, &b"\0"[..]].concat(), ..Self::new(kind, "././@LongLink") }.blocks());
            }
        }
        let mut header = tar::Header::new_gnu();
        {
            let raw = header.as_old_mut();
            put(&mut raw.name, &self.name);
            put(&mut raw.linkname, &self.link);
            raw.linkflag = [self.kind];
        }
        header.set_mode(self.mode);
        header.set_uid(self.owner.0.into());
        header.set_gid(self.owner.1.into());
        header.set_mtime(self.mtime);
        header.set_size(self.header_size.unwrap_or(self.data.len() as u64));
        header.set_device_major(self.device.0).unwrap();
        header.set_device_minor(self.device.1).unwrap();
        let mut more = Vec::new();
        if let Some((size, runs)) = &self.holes {
            let slots: Vec<u8> =
                runs.iter().flat_map(|(at, bytes)| format!("{at:011o}\0{bytes:011o}\0").into_bytes()).collect();
            let (first, rest) = slots.split_at(slots.len().min(96));
            let raw = header.as_mut_bytes();
            raw[386..386 + first.len()].copy_from_slice(first);
            raw[482] = u8::from(!rest.is_empty());
            raw[483..495].copy_from_slice(format!("{size:011o}\0").as_bytes());
            let blocks = rest.chunks(504).count();
            for (index, slots) in rest.chunks(504).enumerate() {
                more.extend_from_slice(slots);
                more.resize(index * 512 + 504, 0);
                more.push(u8::from(index + 1 < blocks));
                more.resize((index + 1) * 512, 0);
            }
        }
        header.set_cksum();
        out.extend_from_slice(header.as_bytes());
        out.extend_from_slice(&more);
        out.extend_from_slice(&self.data);
        out.resize(out.len().next_multiple_of(512), 0);
        out
    }
}

fn put(field: &mut [u8; 100], text: &[u8]) {
    let length = text.len().min(100);
    field[..length].copy_from_slice(&text[..length]);
}

fn pax_record(key: &[u8], value: &[u8]) -> Vec<u8> {
    let rest = key.len() + value.len() + 3;
    let mut length = rest;
    while length != rest + length.to_string().len() {
        length = rest + length.to_string().len();
    }
    [length.to_string().as_bytes(), b" ", key, b"=", value, b"\n"].concat()
}

/// A tar of these entries.
pub(crate) fn tar(entries: &[TarEntry]) -> Vec<u8> {
    let mut out: Vec<u8> = entries.iter().flat_map(TarEntry::blocks).collect();
    out.resize(out.len() + 1024, 0);
    out
}

pub(crate) fn gzip(data: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(data).unwrap();
    encoder.finish().unwrap()
}

pub(crate) fn zstd(data: &[u8]) -> Vec<u8> {
    ruzstd::encoding::compress_to_vec(data, ruzstd::encoding::CompressionLevel::Fastest)
}

/// An image to write.
#[derive(Clone)]
pub(crate) struct TestImage {
    pub(crate) tags: Vec<&'static str>,
    pub(crate) layers: Vec<Vec<u8>>,
    pub(crate) created: &'static str,
    pub(crate) labels: Value,
}

impl TestImage {
    pub(crate) fn new(tags: &[&'static str], layers: &[Vec<u8>]) -> Self {
        Self { tags: tags.to_vec(), layers: layers.to_vec(), created: "2026-01-02T03:04:05Z", labels: json!({}) }
    }

    pub(crate) fn config(&self) -> Vec<u8> {
        json!({
            "architecture": "amd64",
            "os": "linux",
            "created": self.created,
            "config": { "Cmd": ["/hello"], "Labels": self.labels },
            "rootfs": { "type": "layers", "diff_ids": self.layers.iter().map(|l| Digest::of(l).to_string()).collect::<Vec<_>>() },
        })
        .to_string()
        .into_bytes()
    }

    pub(crate) fn id(&self) -> String {
        Digest::of(&self.config()).to_string()
    }
}

/// A docker-archive as old versions wrote it, the manifest last.
pub(crate) fn docker_archive(images: &[TestImage]) -> Vec<u8> {
    docker_archive_with(images, <[u8]>::to_vec)
}

/// The same with layers that are `packed`.
pub(crate) fn docker_archive_with(images: &[TestImage], packed: impl Fn(&[u8]) -> Vec<u8>) -> Vec<u8> {
    let mut entries = Vec::new();
    let mut manifest = Vec::new();
    for image in images {
        let config_name = format!("{}.json", &image.id()[7..]);
        entries.push(TarEntry::file(&config_name, image.config()));
        let mut names = Vec::new();
        for layer in &image.layers {
            let name = format!("{}/layer.tar", &Digest::of(layer).to_string()[7..]);
            entries.push(TarEntry::file(&name, packed(layer)));
            names.push(name);
        }
        manifest.push(json!({ "Config": config_name, "RepoTags": image.tags, "Layers": names }));
    }
    entries.push(TarEntry::file("manifest.json", Value::from(manifest).to_string()));
    tar(&entries)
}

/// A blob of an OCI layout, and its descriptor.
pub(crate) fn blob(entries: &mut Vec<TarEntry>, bytes: &[u8]) -> Value {
    let digest = Digest::of(bytes);
    entries.push(TarEntry::file(format!("blobs/sha256/{}", &digest.to_string()[7..]), bytes));
    json!({ "mediaType": "application/octet-stream", "digest": digest.to_string(), "size": bytes.len() })
}

/// A store in a folder of its own that goes when it is dropped.
pub(crate) struct TestStore {
    pub(crate) store: ImageStore,
    pub(crate) config: StoreConfig,
    pub(crate) folder: TempDir,
}

impl TestStore {
    /// Any user can run it.
    pub(crate) fn new() -> Self {
        Self::with(|_| ())
    }

    pub(crate) fn with(change: impl FnOnce(&mut StoreConfig)) -> Self {
        let folder = TempDir::new().unwrap();
        let mut config = StoreConfig::new(folder.path().join("store"));
        config.privilege = Privilege::None;
        config.arch = "amd64".to_owned();
        config.limits = Limits { reserved_bytes: 0, ..Limits::default() };
        change(&mut config);
        let store = Self::open(&folder, &config);
        Self { store, config, folder }
    }

    fn open(folder: &TempDir, config: &StoreConfig) -> ImageStore {
        let database = redb::Database::create(folder.path().join("state.redb")).unwrap();
        ImageStore::open(config.clone(), Arc::new(database)).unwrap()
    }

    /// As after a restart of the agent.
    pub(crate) fn reopen(self) -> Self {
        let Self { store, config, folder } = self;
        drop(store);
        Self { store: Self::open(&folder, &config), config, folder }
    }

    /// Names below `layers/` and `images/`.
    pub(crate) fn on_disk(&self) -> Vec<String> {
        let mut names = Vec::new();
        for folder in ["layers", "images"] {
            for entry in std::fs::read_dir(self.config.root.join(folder)).unwrap() {
                names.push(format!("{folder}/{}", entry.unwrap().file_name().to_string_lossy()));
            }
        }
        names.sort();
        names
    }
}
