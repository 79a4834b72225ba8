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

use crate::{docker::Docker, measure::Row};

const LAYERS: usize = 8;
/// A file of the image: as large as the files of real ones are in the middle.
const FILE: usize = 32 << 10;
/// The name of the image.
const NAME: &str = "bench-large";

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

/// Measures, one engine after the other: Cove, then the peer, each with the name by which it finds the registry.
pub(crate) fn measure(mebibytes: usize, registry: &Registry, engines: [(&mut Docker, String); 2]) -> Result<Vec<Row>> {
    let archive = archive(mebibytes)?;
    registry.put(&archive, &format!("{NAME}:1"), "v2s2")?;
    let mut found = Vec::new();
    for (docker, registry) in engines {
        let repository = format!("{registry}/{NAME}");
        let pull = time(|| docker.pull(&repository, "1"))?.as_secs_f64();
        let again = time(|| docker.pull(&repository, "1"))?.as_secs_f64() * 1e3;
        docker.remove_image(&format!("{repository}:1"))?;
        let load = time(|| docker.load(&archive))?.as_secs_f64();
        docker.remove_image(&format!("{NAME}:1"))?;
        found.push([pull, again, load]);
    }
    let names = [
        format!("pull of {mebibytes} MiB, s"),
        "pull of what is there, ms".to_owned(),
        format!("load of {mebibytes} MiB, s"),
    ];
    let row = |(at, name)| Row::new(name, vec![found[0][at]], vec![found[1][at]]);
    let mut rows: Vec<Row> = names.into_iter().enumerate().map(row).collect();
    if let Some(took) = tools(registry)? {
        rows.push(Row::new("skopeo and umoci, on the host itself, s", Vec::new(), vec![took.as_secs_f64()]));
    }
    Ok(rows)
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
