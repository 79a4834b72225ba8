//! Images made here from the computer's static busybox: no registry is needed, and what is inside is known.

use std::{fs, path::Path, process::Command};

use anyhow::{Context as _, Result, ensure};
use sha2::{Digest as _, Sha256};

use crate::world::World;

/// Name of the image that most tests use.
pub const BUSYBOX: &str = "cove-test/busybox:latest";

/// The tar of a root file system: busybox with a link for each of its programs, users, and what else is given as
/// (path, content, mode).
///
/// # Errors
/// If the computer has no static busybox.
pub fn root_tar(extra: &[(&str, Vec<u8>, u32)]) -> Result<Vec<u8>> {
    let busybox = busybox()?;
    let listed = Command::new(&busybox).arg("--list").output().context("busybox --list")?;
    let mut tar = tar::Builder::new(Vec::new());
    for folder in ["bin/", "etc/", "proc/", "sys/", "dev/", "tmp/", "root/", "var/", "home/"] {
        entry(&mut tar, folder, tar::EntryType::Directory, &[], if folder == "tmp/" { 0o1777 } else { 0o755 })?;
    }
    entry(&mut tar, "bin/busybox", tar::EntryType::Regular, &fs::read(&busybox)?, 0o755)?;
    for program in String::from_utf8_lossy(&listed.stdout).lines().filter(|name| *name != "busybox") {
        let mut header = tar::Header::new_ustar();
        header.set_entry_type(tar::EntryType::Symlink);
        header.set_size(0);
        header.set_mode(0o777);
        tar.append_link(&mut header, format!("bin/{program}"), "busybox")?;
    }
    entry(
        &mut tar,
        "etc/passwd",
        tar::EntryType::Regular,
        b"root:x:0:0:root:/root:/bin/sh\nuser:x:1000:1000::/home:/bin/sh\n",
        0o644,
    )?;
    entry(&mut tar, "etc/group", tar::EntryType::Regular, b"root:x:0:\nuser:x:1000:\n", 0o644)?;
    for (path, content, mode) in extra {
        entry(&mut tar, path, tar::EntryType::Regular, content, *mode)?;
    }
    Ok(tar.into_inner()?)
}

/// A tar with a symbolic link in the place of what it has under that name.
///
/// # Errors
/// If it is no tar.
pub fn with_link(root: &[u8], name: &str, goal: &str) -> Result<Vec<u8>> {
    let mut tar = tar::Builder::new(Vec::new());
    for entry in tar::Archive::new(root).entries()? {
        let mut entry = entry?;
        let mut header = entry.header().clone();
        let path = entry.path()?.into_owned();
        if path == Path::new(name) {
            continue;
        }
        match entry.link_name()? {
            Some(link) => tar.append_link(&mut header, &path, &link)?,
            None => tar.append_data(&mut header, &path, &mut entry)?,
        }
    }
    let mut header = tar::Header::new_ustar();
    header.set_entry_type(tar::EntryType::Symlink);
    header.set_size(0);
    header.set_mode(0o777);
    tar.append_link(&mut header, name, goal)?;
    Ok(tar.into_inner()?)
}

fn busybox() -> Result<std::path::PathBuf> {
    let found = ["/bin/busybox", "/usr/bin/busybox"].map(Path::new).into_iter().find(|path| path.exists());
    found.map(Path::to_owned).context("no busybox on this computer; run: tests/ci/setup.sh checks")
}

fn entry(tar: &mut tar::Builder<Vec<u8>>, path: &str, kind: tar::EntryType, content: &[u8], mode: u32) -> Result<()> {
    let mut header = tar::Header::new_ustar();
    header.set_entry_type(kind);
    header.set_size(content.len() as u64);
    header.set_mode(mode);
    header.set_mtime(1_700_000_000);
    tar.append_data(&mut header, path, content)?;
    Ok(())
}

/// What `docker load` takes: one image of one layer.
///
/// # Errors
/// If an archive cannot be made, for example of a name that is too long.
pub fn docker_archive(reference: &str, layer: &[u8], config: serde_json::Value) -> Result<Vec<u8>> {
    docker_archive_for(reference, layer, config, "amd64")
}

/// The same for another architecture.
///
/// # Errors
/// As [`docker_archive`].
pub fn docker_archive_for(
    reference: &str,
    layer: &[u8],
    config: serde_json::Value,
    architecture: &str,
) -> Result<Vec<u8>> {
    docker_archive_of(reference, &[layer], config, architecture)
}

/// The same of several layers, the lowest first.
///
/// # Errors
/// As [`docker_archive`].
pub fn docker_archive_of(
    reference: &str,
    layers: &[&[u8]],
    config: serde_json::Value,
    architecture: &str,
) -> Result<Vec<u8>> {
    let of_each = |what: fn(usize, &[u8]) -> serde_json::Value| {
        layers.iter().enumerate().map(|(at, layer)| what(at, layer)).collect::<Vec<_>>()
    };
    let made = |_, _: &[u8]| serde_json::json!({ "created": "2026-01-01T00:00:00Z", "created_by": "cove-tests" });
    let config = serde_json::json!({
        "architecture": architecture,
        "os": "linux",
        "created": "2026-01-01T00:00:00Z",
        "config": config,
        "rootfs": { "type": "layers", "diff_ids": of_each(|_, layer| format!("sha256:{}", digest(layer)).into()) },
        "history": of_each(made),
    });
    let config = serde_json::to_vec(&config)?;
    let name = format!("{}.json", digest(&config));
    let members = of_each(|at, _| format!("layer{at}.tar").into());
    let manifest = serde_json::json!([{ "Config": name, "RepoTags": [reference], "Layers": members }]);
    let mut tar = tar::Builder::new(Vec::new());
    entry(&mut tar, &name, tar::EntryType::Regular, &config, 0o644)?;
    for (at, layer) in layers.iter().enumerate() {
        entry(&mut tar, &format!("layer{at}.tar"), tar::EntryType::Regular, layer, 0o644)?;
    }
    entry(&mut tar, "manifest.json", tar::EntryType::Regular, &serde_json::to_vec(&manifest)?, 0o644)?;
    Ok(tar.into_inner()?)
}

/// The same archive with its layers as frames of zstd whose window is 2^`log` bytes, and is filled.
///
/// # Errors
/// If it is no archive.
pub fn with_zstd_layers(archive: &[u8], log: u8) -> Result<Vec<u8>> {
    let mut tar = tar::Builder::new(Vec::new());
    for member in tar::Archive::new(archive).entries()? {
        let mut member = member?;
        let path = member.path()?.display().to_string();
        let mut content = Vec::new();
        std::io::Read::read_to_end(&mut member, &mut content)?;
        let content = if path.ends_with(".tar") { zstd(&content, log) } else { content };
        entry(&mut tar, &path, tar::EntryType::Regular, &content, 0o644)?;
    }
    Ok(tar.into_inner()?)
}

/// A frame (RFC 8878) of blocks that are a repeated byte where they can be, and else as they stand.
fn zstd(content: &[u8], log: u8) -> Vec<u8> {
    let blocks: Vec<&[u8]> = content.chunks(128 << 10).collect();
    let mut frame = vec![0x28, 0xb5, 0x2f, 0xfd, 0, (log - 10) << 3];
    for (at, block) in blocks.iter().enumerate() {
        let repeated = block.iter().all(|byte| *byte == block[0]);
        let header = block.len() << 3 | usize::from(repeated) << 1 | usize::from(at + 1 == blocks.len());
        frame.extend_from_slice(&header.to_le_bytes()[..3]);
        frame.extend_from_slice(if repeated { &block[..1] } else { block });
    }
    frame
}

/// The tar of a layer with these files, as (path, content, mode).
///
/// # Errors
/// If a path is too long.
pub fn layer_tar(files: &[(&str, Vec<u8>, u32)]) -> Result<Vec<u8>> {
    let mut tar = tar::Builder::new(Vec::new());
    for (path, content, mode) in files {
        entry(&mut tar, path, tar::EntryType::Regular, content, *mode)?;
    }
    Ok(tar.into_inner()?)
}

/// Bytes that no compression makes smaller, always the same of the same seed.
#[must_use]
pub fn noise(seed: u64, length: usize) -> Vec<u8> {
    // xorshift64, whose state must not be 0.
    let mut state = 0x2545_f491_4f6c_dd1d_u64 ^ seed;
    let words = std::iter::repeat_with(|| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()
    });
    words.flatten().take(length).collect()
}

/// SHA-256 in hexadecimal digits.
#[must_use]
pub fn digest(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Loads an image of busybox and a program of tests/programs at /NAME, if it is not there yet; its name.
///
/// # Errors
/// If it cannot be compiled or loaded.
pub fn with_program(world: &World, program: &str) -> Result<String> {
    let name = format!("cove-test/{program}:1");
    if world.docker(&["image", "inspect", &name])?.code() == 0 {
        return Ok(name);
    }
    let folder = world.scratch()?;
    let root = root_tar(&[(program, static_program(program, folder.path())?, 0o755)])?;
    let archive = docker_archive(&name, &root, serde_json::json!({ "Env": ["PATH=/bin"] }))?;
    world.docker_with(&["load"], &archive)?.ok()?;
    Ok(name)
}

/// Compiles a program of tests/programs into a static executable that runs in any image.
///
/// # Errors
/// With what the compiler said.
pub fn static_program(name: &str, folder: &Path) -> Result<Vec<u8>> {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("programs").join(format!("{name}.rs"));
    let program = folder.join(name);
    let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let compiled = Command::new(rustc)
        .args(["--edition", "2024", "-O", "-C", "target-feature=+crt-static", "-C", "strip=symbols", "-o"])
        .args([&program, &source])
        .output()
        .context("start rustc")?;
    ensure!(compiled.status.success(), "{}: {}", source.display(), String::from_utf8_lossy(&compiled.stderr));
    Ok(fs::read(program)?)
}
