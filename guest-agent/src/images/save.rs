//! Writes archives: a docker-archive and an OCI layout at once, as dockerd does since 25. The same images give the same
//! bytes.

use std::collections::BTreeMap;
use std::io::{self, Read, Write};

use serde_json::{Value, json};

use super::catalogue::View;
use super::config::Document;
use super::digest::{Digest, HashingReader};
use super::layers::Replay;
use super::lookup::find;
use super::reference::{Reference, Wanted, parse_wanted};
use super::store::Pin;
use super::{ImageStore, ImagesError};

const MANIFEST_TYPE: &str = "application/vnd.oci.image.manifest.v1+json";
const CONFIG_TYPE: &str = "application/vnd.oci.image.config.v1+json";
const LAYER_TYPE: &str = "application/vnd.oci.image.layer.v1.tar";
const INDEX_TYPE: &str = "application/vnd.oci.image.index.v1+json";

/// What goes into `blobs/sha256`.
enum Blob {
    Bytes(Vec<u8>),
    Layer { chain: String, tar_bytes: u64 },
}

/// An archive, planned.
#[derive(Default)]
struct Archive {
    blobs: BTreeMap<String, (Digest, Blob)>,
    /// `index.json`'s descriptors.
    index: Vec<Value>,
    /// `manifest.json`'s items.
    items: Vec<Value>,
}

impl ImageStore {
    /// Writes an archive of the images that are named. A name without a tag stands for all its tags; an id saves the image
    /// without names.
    ///
    /// # Errors
    /// There is no such image (before anything is written); `out` fails; or a layer on the disk is damaged.
    pub fn save(&self, images: &[String], out: &mut impl Write) -> Result<(), ImagesError> {
        let view = self.0.catalogue.read()?;
        let mut archive = Archive::default();
        let mut pins: Vec<Pin> = Vec::new();
        let selected = select(&view, images)?;
        let ids: Vec<String> = selected.iter().map(|(id, _)| id.clone()).collect();
        for (id, references) in selected {
            let record = view.image(&id)?.ok_or_else(|| ImagesError::NotFound(id.clone()))?;
            let config = view.config(&id)?.ok_or_else(|| ImagesError::NotFound(id.clone()))?;
            pins.push(self.pin(record.layers.clone()));
            let mut layers = Vec::new();
            for chain in &record.layers {
                let layer = view.layer(chain)?.ok_or_else(|| ImagesError::NotFound(id.clone()))?;
                layers.push((layer.diff_id, chain.clone(), layer.tar_bytes));
            }
            archive.add(config, layers, &references)?;
        }
        drop(view);
        archive.write(self, out)?;
        ids.iter().for_each(|id| self.tell("save", id, id));
        Ok(())
    }
}

/// The images that are named, each once, with the references that were asked for.
fn select(view: &View, images: &[String]) -> Result<Vec<(String, Vec<Reference>)>, ImagesError> {
    let mut selected: Vec<(String, Vec<Reference>)> = Vec::new();
    let mut add = |id: String, reference: Option<Reference>| {
        let at = selected.iter().position(|(known, _)| *known == id).unwrap_or_else(|| {
            selected.push((id, Vec::new()));
            selected.len() - 1
        });
        if let (Some(reference), Some((_, references))) = (reference, selected.get_mut(at))
            && !references.contains(&reference)
        {
            references.push(reference);
        }
    };
    for image in images {
        let Wanted::Name(name) = parse_wanted(image)? else {
            add(find(view, image)?, None);
            continue;
        };
        let mut all = Vec::new();
        if name.is_name_only() {
            for (reference, id) in view.references()? {
                let reference = Reference::parse(&reference)?;
                if reference.name() == name.name() && !reference.has_digest() {
                    all.push((id, reference));
                }
            }
        }
        if all.is_empty() {
            let id = find(view, image)?;
            let named = name.or_latest();
            let is_name = view.id_of(&named.canonical())?.is_some() && !named.has_digest();
            add(id, is_name.then_some(named));
        }
        all.into_iter().for_each(|(id, reference)| add(id, Some(reference)));
    }
    Ok(selected)
}

impl Archive {
    fn add(
        &mut self,
        config: Vec<u8>,
        layers: Vec<(Digest, String, u64)>,
        references: &[Reference],
    ) -> Result<(), ImagesError> {
        let document = Document::parse(&config)?;
        let config_id = Digest::of(&config);
        let manifest = json!({
            "schemaVersion": 2,
            "mediaType": MANIFEST_TYPE,
            "config": descriptor(CONFIG_TYPE, &config_id, config.len() as u64),
            "layers": layers.iter().map(|(id, _, size)| descriptor(LAYER_TYPE, id, *size)).collect::<Vec<_>>(),
        });
        let manifest = manifest.to_string().into_bytes();
        let manifest_id = Digest::of(&manifest);
        self.items.push(json!({
            "Config": member(&config_id),
            "RepoTags": references.iter().map(Reference::familiar).collect::<Vec<_>>(),
            "Layers": layers.iter().map(|(id, _, _)| member(id)).collect::<Vec<_>>(),
        }));
        let mut described = descriptor(MANIFEST_TYPE, &manifest_id, manifest.len() as u64);
        described["platform"] = json!({ "architecture": document.architecture, "os": document.os });
        if !document.variant.is_empty() {
            described["platform"]["variant"] = Value::from(document.variant);
        }
        if references.is_empty() {
            self.index.push(described.clone());
        }
        for reference in references {
            let mut named = described.clone();
            named["annotations"] = json!({
                "io.containerd.image.name": reference.canonical(),
                "org.opencontainers.image.ref.name": reference.tag().unwrap_or_default(),
            });
            self.index.push(named);
        }
        self.put(config_id, Blob::Bytes(config));
        self.put(manifest_id, Blob::Bytes(manifest));
        for (id, chain, tar_bytes) in layers {
            self.put(id, Blob::Layer { chain, tar_bytes });
        }
        Ok(())
    }

    fn put(&mut self, digest: Digest, blob: Blob) {
        self.blobs.insert(digest.hex(), (digest, blob));
    }

    /// Writes the members in dockerd's order: by name.
    fn write(self, store: &ImageStore, out: &mut impl Write) -> Result<(), ImagesError> {
        let sent = |error: io::Error| ImagesError::Cancelled(error.to_string());
        folder(out, "blobs/").map_err(sent)?;
        folder(out, "blobs/sha256/").map_err(sent)?;
        for (digest, blob) in self.blobs.values() {
            match blob {
                Blob::Bytes(bytes) => file(out, &member(digest), bytes).map_err(sent)?,
                Blob::Layer { chain, tar_bytes } => layer(store, out, digest, chain, *tar_bytes)?,
            }
        }
        let index = json!({ "schemaVersion": 2, "mediaType": INDEX_TYPE, "manifests": self.index });
        let documents = [
            ("index.json", index),
            ("manifest.json", Value::Array(self.items)),
            ("oci-layout", json!({ "imageLayoutVersion": "1.0.0" })),
        ];
        for (name, document) in documents {
            file(out, name, document.to_string().as_bytes()).map_err(sent)?;
        }
        out.write_all(&[0; 1024]).and_then(|()| out.flush()).map_err(sent)
    }
}

/// Writes a layer as a member of the archive.
fn layer(
    store: &ImageStore,
    out: &mut impl Write,
    digest: &Digest,
    chain: &str,
    tar_bytes: u64,
) -> Result<(), ImagesError> {
    let sent = |error: io::Error| ImagesError::Cancelled(error.to_string());
    header(out, &member(digest), tar::EntryType::Regular, tar_bytes, 0o644).map_err(sent)?;
    copy_layer(store, out, digest, chain, tar_bytes)?;
    padding(out, tar_bytes).map_err(sent)
}

/// Writes a layer's tar, put together again, and proves that it is the same.
pub(super) fn copy_layer(
    store: &ImageStore,
    out: &mut impl Write,
    digest: &Digest,
    chain: &str,
    tar_bytes: u64,
) -> Result<(), ImagesError> {
    let place = store.layer_folder(chain);
    let failed = |source| ImagesError::Io { action: "read the layer at", path: place.clone(), source };
    let sent = |error: io::Error| ImagesError::Cancelled(error.to_string());
    let mut tar = HashingReader::new(Replay::open(&place).map_err(failed)?);
    let mut buffer = vec![0; 128 << 10];
    loop {
        let count = tar.read(&mut buffer).map_err(failed)?;
        if count == 0 {
            break;
        }
        out.write_all(&buffer[..count]).map_err(sent)?;
    }
    let (actual, bytes) = tar.finish();
    if actual != *digest || bytes != tar_bytes {
        return Err(failed(io::Error::other(format!("the layer on the disk is damaged: {digest} is now {actual}"))));
    }
    Ok(())
}

fn file(out: &mut impl Write, name: &str, bytes: &[u8]) -> io::Result<()> {
    header(out, name, tar::EntryType::Regular, bytes.len() as u64, 0o644)?;
    out.write_all(bytes)?;
    padding(out, bytes.len() as u64)
}

fn folder(out: &mut impl Write, name: &str) -> io::Result<()> {
    header(out, name, tar::EntryType::Directory, 0, 0o755)
}

fn header(out: &mut impl Write, name: &str, kind: tar::EntryType, size: u64, mode: u32) -> io::Result<()> {
    let mut header = tar::Header::new_ustar();
    header.set_path(name)?;
    header.set_entry_type(kind);
    header.set_size(size);
    header.set_mode(mode);
    header.set_uid(0);
    header.set_gid(0);
    header.set_mtime(0);
    header.set_cksum();
    out.write_all(header.as_bytes())
}

fn padding(out: &mut impl Write, size: u64) -> io::Result<()> {
    let rest = usize::try_from(size % 512).unwrap_or_default();
    if rest == 0 { Ok(()) } else { out.write_all(&[0; 512][rest..]) }
}

fn descriptor(kind: &str, digest: &Digest, size: u64) -> Value {
    json!({ "mediaType": kind, "digest": digest.to_string(), "size": size })
}

fn member(digest: &Digest) -> String {
    format!("blobs/sha256/{}", digest.hex())
}
