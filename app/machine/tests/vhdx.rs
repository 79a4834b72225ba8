//! A VHDX of ours in the hands of another implementation of the format: QEMU's.
#![cfg(target_os = "linux")]
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test's fixture fails the test")]

use std::{path::Path, process::Command};

use cove_machine::prepare::disk;

fn run(program: &str, arguments: &[&str], disk: &Path) -> String {
    let output = Command::new(program).args(arguments).arg(disk).output();
    let output = output.unwrap_or_else(|error| panic!("{program}: {error}; run: tests/ci/setup.sh checks"));
    let text = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{program} {arguments:?}: {text}");
    text
}

fn io(disk: &Path, commands: &[&str]) -> String {
    let mut arguments = vec!["-f", "vhdx"];
    arguments.extend(commands.iter().flat_map(|command| ["-c", command]));
    run("qemu-io", &arguments, disk)
}

fn is_whole(disk: &Path, bytes: u64) {
    let info: serde_json::Value =
        serde_json::from_str(&run("qemu-img", &["info", "-f", "vhdx", "--output=json"], disk)).unwrap();
    assert_eq!(info["virtual-size"], bytes, "{info}");
    assert_eq!(info["dirty-flag"], false, "{info}");
    let checked = run("qemu-img", &["check", "-f", "vhdx"], disk);
    assert!(checked.contains("No errors were found"), "{checked}");
}

#[test]
fn what_was_written_is_there_after_growing_and_the_rest_is_zero() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("data.vhdx");
    assert_eq!(disk::ensure(&path, 3 << 30).unwrap(), 3 << 30);
    is_whole(&path, 3 << 30);
    // The second is behind an entry for a bitmap once the disk has more than 4 GiB.
    io(&path, &["read -P 0 0 8M", "write -P 0xab 0 1M", "write -P 0xcd 3071M 1M"]);

    assert_eq!(disk::ensure(&path, 9 << 30).unwrap(), 9 << 30);
    is_whole(&path, 9 << 30);
    io(&path, &["read -P 0xab 0 1M", "read -P 0 1M 8M", "read -P 0xcd 3071M 1M", "read -P 0 3072M 8M"]);
    io(&path, &["write -P 0xef 9215M 1M", "write -P 0x12 4096M 1M"]);

    assert_eq!(disk::ensure(&path, 2 << 40).unwrap(), 2 << 40);
    is_whole(&path, 2 << 40);
    io(&path, &["read -P 0xef 9215M 1M", "read -P 0x12 4096M 1M", "write -P 0x34 2097151M 1M"]);
    is_whole(&path, 2 << 40);
    assert_eq!(disk::size(&path).unwrap(), 2 << 40);
}

#[test]
fn it_is_the_raw_disk_that_it_stands_for() {
    let folder = tempfile::tempdir().unwrap();
    let (path, raw) = (folder.path().join("data.vhdx"), folder.path().join("data.raw"));
    disk::ensure(&path, 1 << 30).unwrap();
    disk::ensure(&raw, 1 << 30).unwrap();
    io(&path, &["write -P 0x5a 512M 64k"]);
    run("qemu-io", &["-f", "raw", "-c", "write -P 0x5a 512M 64k"], &raw);
    let same = run("qemu-img", &["compare", "-f", "vhdx", "-F", "raw", path.to_str().unwrap()], &raw);
    assert!(same.contains("Images are identical"), "{same}");
    let takes = std::fs::metadata(&path).unwrap().len();
    assert!(takes < 32 << 20, "a disk of which 64 KiB are used takes {takes} bytes");
}
