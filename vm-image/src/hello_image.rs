//! The image `cove/hello`, with which the first container runs without any network: one layer, one static program.
//!
//! The tar is a Docker archive and an OCI layout in one, as `docker save` has written since version 25. All in it is
//! fixed but the program, so equal programs make equal images.

use anyhow::{Context, Result};
use serde_json::{Value, json};

use crate::{arch::Arch, digest};

/// Where the guest finds the tar.
pub const GUEST_PATH: &str = "usr/share/cove/hello.tar";

const NAME: &str = "cove/hello:latest";
const CREATED: &str = "2026-01-01T00:00:00Z";
const CREATED_SECONDS: u64 = 1_767_225_600;

/// Makes the tar.
///
/// # Errors
/// None that the program could cause.
pub fn archive(program: &[u8], arch: Arch, version: &str) -> Result<Vec<u8>> {
    let layer = layer(program)?;
    let config = serde_json::to_vec(&config(&layer, arch, version))?;
    let manifest = serde_json::to_vec(&manifest(&config, &layer))?;
    let index = serde_json::to_vec(&index(&manifest, arch))?;
    let docker = json!([{
        "Config": blob_path(&config),
        "RepoTags": [NAME],
        "Layers": [blob_path(&layer)],
    }]);
    let layout = json!({ "imageLayoutVersion": "1.0.0" });
    let mut files = vec![
        (blob_path(&config), config),
        (blob_path(&layer), layer),
        (blob_path(&manifest), manifest),
        ("index.json".to_owned(), index),
        ("manifest.json".to_owned(), serde_json::to_vec(&docker)?),
        ("oci-layout".to_owned(), serde_json::to_vec(&layout)?),
    ];
    files.sort();
    let mut tar = tar::Builder::new(Vec::new());
    for dir in ["blobs/", "blobs/sha256/"] {
        append(&mut tar, tar::EntryType::Directory, dir, 0o755, &[])?;
    }
    for (path, bytes) in &files {
        append(&mut tar, tar::EntryType::Regular, path, 0o644, bytes)?;
    }
    tar.into_inner().context("end the tar")
}

fn layer(program: &[u8]) -> Result<Vec<u8>> {
    let mut tar = tar::Builder::new(Vec::new());
    append(&mut tar, tar::EntryType::Regular, "hello", 0o755, program)?;
    tar.into_inner().context("end the layer")
}

fn append(
    tar: &mut tar::Builder<Vec<u8>>,
    kind: tar::EntryType,
    path: &str,
    permissions: u32,
    bytes: &[u8],
) -> Result<()> {
    let mut header = tar::Header::new_ustar();
    header.set_entry_type(kind);
    header.set_mode(permissions);
    header.set_mtime(CREATED_SECONDS);
    header.set_uid(0);
    header.set_gid(0);
    header.set_size(bytes.len() as u64);
    tar.append_data(&mut header, path, bytes).with_context(|| format!("add {path} to the tar"))
}

fn config(layer: &[u8], arch: Arch, version: &str) -> Value {
    json!({
        "created": CREATED,
        "architecture": arch.name(),
        "os": "linux",
        "config": {
            "Env": ["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"],
            "Entrypoint": ["/hello"],
            "WorkingDir": "/",
            "Labels": {
                "org.opencontainers.image.title": "cove/hello",
                "org.opencontainers.image.description": "Prints where it runs: kernel, namespaces and limits",
                "org.opencontainers.image.version": version,
                "org.opencontainers.image.licenses": "Apache-2.0 OR MIT",
            },
        },
        "rootfs": { "type": "layers", "diff_ids": [format!("sha256:{}", digest::of_bytes(layer))] },
        "history": [{ "created": CREATED, "created_by": "cove-vm-image build", "comment": "/hello" }],
    })
}

fn manifest(config: &[u8], layer: &[u8]) -> Value {
    json!({
        "schemaVersion": 2,
        "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "config": descriptor("application/vnd.oci.image.config.v1+json", config),
        "layers": [descriptor("application/vnd.oci.image.layer.v1.tar", layer)],
    })
}

fn index(manifest: &[u8], arch: Arch) -> Value {
    let mut entry = descriptor("application/vnd.oci.image.manifest.v1+json", manifest);
    if let Value::Object(entry) = &mut entry {
        entry.insert("platform".into(), json!({ "architecture": arch.name(), "os": "linux" }));
        let annotations = json!({
            "io.containerd.image.name": format!("docker.io/{NAME}"),
            "org.opencontainers.image.ref.name": "latest",
        });
        entry.insert("annotations".into(), annotations);
    }
    json!({
        "schemaVersion": 2,
        "mediaType": "application/vnd.oci.image.index.v1+json",
        "manifests": [entry],
    })
}

fn descriptor(media_type: &str, bytes: &[u8]) -> Value {
    json!({
        "mediaType": media_type,
        "digest": format!("sha256:{}", digest::of_bytes(bytes)),
        "size": bytes.len(),
    })
}

fn blob_path(bytes: &[u8]) -> String {
    format!("blobs/sha256/{}", digest::of_bytes(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{collections::BTreeMap, io::Read};

    fn files(tar: &[u8]) -> BTreeMap<String, Vec<u8>> {
        let mut files = BTreeMap::new();
        for entry in tar::Archive::new(tar).entries().unwrap() {
            let mut entry = entry.unwrap();
            let mut bytes = Vec::new();
            entry.read_to_end(&mut bytes).unwrap();
            files.insert(entry.path().unwrap().to_str().unwrap().to_owned(), bytes);
        }
        files
    }

    #[test]
    fn every_blob_is_what_its_name_and_those_who_refer_to_it_say() {
        let files = files(&archive(b"program", Arch::Amd64, "1.2.3").unwrap());
        for (path, bytes) in files.iter().filter(|(path, bytes)| path.starts_with("blobs/") && !bytes.is_empty()) {
            assert_eq!(path, &blob_path(bytes));
        }
        let json = |path: &str| serde_json::from_slice::<Value>(&files[path]).unwrap();
        let blob = |value: &Value| format!("blobs/sha256/{}", value.as_str().unwrap().trim_start_matches("sha256:"));
        let index = json("index.json");
        let manifest = json(&blob(&index["manifests"][0]["digest"]));
        let config_path = blob(&manifest["config"]["digest"]);
        let layer_path = blob(&manifest["layers"][0]["digest"]);
        let docker = json("manifest.json");
        assert_eq!(docker[0]["Config"], config_path);
        assert_eq!(docker[0]["Layers"][0], layer_path);
        assert_eq!(docker[0]["RepoTags"][0], "cove/hello:latest");
        let config = json(&config_path);
        assert_eq!(blob(&config["rootfs"]["diff_ids"][0]), layer_path);
        assert_eq!(config["config"]["Entrypoint"], json!(["/hello"]));
        assert_eq!(self::files(&files[&layer_path]), BTreeMap::from([("hello".to_owned(), b"program".to_vec())]));
    }

    #[test]
    fn equal_programs_make_equal_images() {
        let make = |program: &[u8]| archive(program, Arch::Amd64, "1").unwrap();
        assert_eq!(make(b"a"), make(b"a"));
        assert_ne!(make(b"a"), make(b"b"));
    }
}
