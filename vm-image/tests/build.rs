//! The command `build` from end to end: apt (network, unless the packages are in the user's cache), cargo, the files.
#![expect(clippy::unwrap_used, reason = "the helpers of tests are not tests to clippy, and end a test as well")]

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    process::Command,
    time::SystemTime,
};

use cove_vm_image::{digest, manifest::Manifest};

const OUTPUTS: [&str; 3] = ["vmlinux", "initramfs.cpio", "manifest.json"];

/// The headers of a static executable stand in for the agent, whose own build is tested elsewhere.
fn agent(dir: &Path, version: u8) -> PathBuf {
    let mut bytes = vec![0; 65];
    bytes[..7].copy_from_slice(&[0x7f, b'E', b'L', b'F', 2, 1, 1]);
    bytes[16] = 2; // ET_EXEC
    bytes[18] = 62; // EM_X86_64
    bytes[20] = 1; // version of the format
    bytes[52] = 64; // size of this header
    bytes[64] = version;
    let path = dir.join(format!("agent-{version}"));
    fs::write(&path, bytes).unwrap();
    path
}

/// Builds and answers what the command printed.
fn build(out: &Path, agent: &Path) -> String {
    let mut command = Command::new(env!("CARGO_BIN_EXE_cove-vm-image"));
    let output = command.arg("build").arg("--out").arg(out).arg("--agent").arg(agent).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

fn times(out: &Path) -> Vec<SystemTime> {
    OUTPUTS.iter().map(|name| fs::metadata(out.join(name)).unwrap().modified().unwrap()).collect()
}

/// Paths and contents of a newc archive.
fn unpack(mut archive: &[u8]) -> BTreeMap<String, Vec<u8>> {
    let mut files = BTreeMap::new();
    loop {
        let field = |at: usize| usize::from_str_radix(std::str::from_utf8(&archive[at..at + 8]).unwrap(), 16).unwrap();
        let (size, name_size) = (field(6 + 6 * 8), field(6 + 11 * 8));
        let name = String::from_utf8(archive[110..110 + name_size - 1].to_vec()).unwrap();
        if name == "TRAILER!!!" {
            return files;
        }
        let data = (110 + name_size).next_multiple_of(4);
        files.insert(name, archive[data..data + size].to_vec());
        archive = &archive[(data + size).next_multiple_of(4)..];
    }
}

#[test]
fn two_builds_are_identical_and_a_third_does_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let (one, two) = (dir.path().join("one"), dir.path().join("two"));
    let agent_1 = agent(dir.path(), 1);
    assert!(build(&one, &agent_1).starts_with("built: "));
    assert!(build(&two, &agent_1).starts_with("built: "));
    for name in OUTPUTS {
        assert!(fs::read(one.join(name)).unwrap() == fs::read(two.join(name)).unwrap(), "{name} differs");
    }

    let before = times(&one);
    assert!(build(&one, &agent_1).starts_with("up to date: "));
    assert_eq!(times(&one), before);

    // What was tampered with is made again; another agent makes another image.
    fs::write(one.join("initramfs.cpio"), "damaged").unwrap();
    assert!(build(&one, &agent_1).starts_with("built: "));
    assert!(fs::read(one.join("initramfs.cpio")).unwrap() == fs::read(two.join("initramfs.cpio")).unwrap());
    assert!(build(&two, &agent(dir.path(), 2)).starts_with("built: "));
    assert_ne!(fs::read(one.join("manifest.json")).unwrap(), fs::read(two.join("manifest.json")).unwrap());
}

#[test]
fn the_image_holds_what_the_manifest_says_and_pid_1_needs() {
    let dir = tempfile::tempdir().unwrap();
    let agent = agent(dir.path(), 1);
    build(dir.path(), &agent);
    let manifest: Manifest = serde_json::from_slice(&fs::read(dir.path().join("manifest.json")).unwrap()).unwrap();
    assert_eq!(manifest.clone().sealed().unwrap().digest, manifest.digest);
    for output in &manifest.outputs {
        assert_eq!(digest::of_file(&dir.path().join(&output.name)).unwrap(), output.sha256, "{}", output.name);
    }
    let kernel = &manifest.packages[0];
    assert_eq!(kernel.name, format!("linux-image-{}", manifest.kernel_release));

    let files = unpack(&fs::read(dir.path().join("initramfs.cpio")).unwrap());
    assert_eq!(files["init"], fs::read(&agent).unwrap());
    let list = String::from_utf8(files["cove/modules"].clone()).unwrap();
    let names: Vec<_> = list.lines().map(|line| line.split_once(": ").map_or(line, |(_, name)| name)).collect();
    assert_eq!(names, manifest.modules);
    for line in ["hv_vmbus.ko: hv_storvsc.ko", "hv_vmbus.ko: sd_mod.ko", "hv_vmbus.ko: hv_sock.ko"] {
        assert!(list.lines().any(|listed| listed == line), "{line} is not in {list}");
    }
    let modules: Vec<_> = files.keys().filter_map(|path| path.strip_prefix("lib/modules/")).collect();
    assert_eq!(modules.len(), manifest.modules.len(), "{modules:?}");
    for module in &manifest.modules {
        assert!(files[&format!("lib/modules/{module}")].starts_with(b"\x7fELF"), "{module}");
    }
    let position = |name: &str| manifest.modules.iter().position(|module| module == name).unwrap();
    assert!(position("vsock.ko") < position("hv_sock.ko"));
    assert!(position("hv_sock.ko") < position("vmw_vsock_virtio_transport.ko"));
    for path in
        ["sbin/mke2fs", "sbin/e2fsck", "sbin/resize2fs", "lib64/ld-linux-x86-64.so.2", "usr/share/cove/hello.tar"]
    {
        assert!(files.contains_key(path), "{path}");
    }
}

#[test]
fn an_agent_that_needs_libraries_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_cove-vm-image"));
    command.arg("build").arg("--out").arg(dir.path()).arg("--agent").arg(std::env::current_exe().unwrap());
    let output = command.output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    let text = String::from_utf8(output.stderr).unwrap();
    assert!(text.contains("cannot run in the guest: not a static executable"), "{text}");
    assert!(fs::read_dir(dir.path()).unwrap().next().is_none());
}
