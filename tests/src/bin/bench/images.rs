//! An image of many layers: how long it takes to come from a registry on this computer, and from an archive.
//!
//! skopeo and umoci do the same without an engine and without a machine: they run on this computer as it is, so their time
//! is a floor for where the machine is emulated, and no rival.

use std::{
    fs,
    process::Command,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result};
use cove_tests::{
    command::{self, Done},
    image,
    registry::Registry,
};

use crate::docker::Docker;

const LAYERS: usize = 8;
/// A file of the image: as large as the files of real ones are in the middle.
const FILE: usize = 32 << 10;
/// The name of the image.
const NAME: &str = "bench-large";

/// What was measured.
#[derive(Debug)]
pub(crate) struct Transfers {
    /// Size of the image's files.
    pub(crate) mebibytes: usize,
    /// From the registry: Cove's time and the peer's.
    pub(crate) pull: [Duration; 2],
    /// Once more, when it is there.
    pub(crate) pull_again: [Duration; 2],
    /// From an archive.
    pub(crate) load: [Duration; 2],
    /// `skopeo copy` and `umoci unpack` on this computer, where both are installed.
    pub(crate) tools: Option<Duration>,
}

/// An engine, and where it finds the registry.
pub(crate) struct Engine<'a> {
    pub(crate) docker: &'a mut Docker,
    pub(crate) registry: String,
}

/// The image as an archive, half of it such that it can be compressed.
pub(crate) fn archive(mebibytes: usize) -> Result<Vec<u8>> {
    let files = (mebibytes << 20) / LAYERS / FILE;
    let mut layers = Vec::new();
    for layer in 0..LAYERS {
        let file = |file: usize| {
            let noise = image::noise((layer * files + file) as u64, FILE / 2);
            let content: Vec<u8> = noise.into_iter().flat_map(|byte| [byte, b'a' + byte % 2]).collect();
            (format!("d{layer}/{}/{file}", file / 64), content)
        };
        let files: Vec<(String, Vec<u8>)> = (0..files).map(file).collect();
        let files: Vec<(&str, Vec<u8>, u32)> =
            files.iter().map(|(name, content)| (name.as_str(), content.clone(), 0o644)).collect();
        layers.push(image::layer_tar(&files)?);
    }
    let layers: Vec<&[u8]> = layers.iter().map(Vec::as_slice).collect();
    image::docker_archive_of(&format!("{NAME}:1"), &layers, serde_json::json!({ "Cmd": ["none"] }), "amd64")
}

/// Measures, one engine after the other.
pub(crate) fn measure(mebibytes: usize, registry: &Registry, engines: [Engine<'_>; 2]) -> Result<Transfers> {
    let archive = archive(mebibytes)?;
    registry.put(&archive, &format!("{NAME}:1"), "v2s2")?;
    let mut found = Vec::new();
    for Engine { docker, registry } in engines {
        let repository = format!("{registry}/{NAME}");
        let pull = time(|| docker.pull(&repository, "1"))?;
        let again = time(|| docker.pull(&repository, "1"))?;
        docker.remove_image(&format!("{repository}:1"))?;
        let load = time(|| docker.load(&archive))?;
        docker.remove_image(&format!("{NAME}:1"))?;
        found.push((pull, again, load));
    }
    let [cove, peer] = found.try_into().map_err(|_| anyhow::anyhow!("two engines"))?;
    Ok(Transfers {
        mebibytes,
        pull: [cove.0, peer.0],
        pull_again: [cove.1, peer.1],
        load: [cove.2, peer.2],
        tools: tools(registry)?,
    })
}

fn tools(registry: &Registry) -> Result<Option<Duration>> {
    if Command::new("umoci").arg("--version").output().is_err() {
        return Ok(None);
    }
    let folder = tempfile::Builder::new().prefix("cove-bench").tempdir().context("make a folder")?;
    let (layout, bundle) = (folder.path().join("layout"), folder.path().join("bundle"));
    let took = time(|| {
        let (from, to) =
            (format!("docker://{}", registry.name(&format!("{NAME}:1"))), format!("oci:{}:1", layout.display()));
        registry.skopeo(&["copy", "--src-tls-verify=false", &from, &to])?;
        let mut umoci = Command::new("umoci");
        umoci.args(["unpack", "--rootless", "--image"]).arg(format!("{}:1", layout.display())).arg(&bundle);
        command::run(umoci, &[]).and_then(Done::ok).map(drop)
    })?;
    fs::remove_dir_all(folder.path()).context("remove what was unpacked")?;
    Ok(Some(took))
}

fn time(work: impl FnOnce() -> Result<()>) -> Result<Duration> {
    let began = Instant::now();
    work()?;
    Ok(began.elapsed())
}
