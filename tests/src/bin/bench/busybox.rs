//! The image that both engines run: a static busybox and the names that it is called by.

use std::{fs, path::Path};

use anyhow::{Context as _, Result};

const NAMES: [&str; 6] = ["awk", "cat", "grep", "sh", "sleep", "true"];

/// A file of lines, and the bytes of it.
pub(crate) const LINES: &str = "/lines";
pub(crate) const OUTPUT: usize = 16 << 20;
/// With its end, a line of a log as programs write them.
const LINE: &[u8; 128] = b"2026-01-01T00:00:00Z INFO a server: a request was answered method=GET path=/some/where status=200 bytes=1234 elapsed_ms=12 id=6\n";

/// A tar of the root file system.
pub(crate) fn root_file_system(busybox: &Path) -> Result<Vec<u8>> {
    let program = fs::read(busybox).with_context(|| format!("read {}", busybox.display()))?;
    let mut tar = tar::Builder::new(Vec::new());
    let mut header = tar::Header::new_gnu();
    header.set_mode(0o755);
    header.set_entry_type(tar::EntryType::Directory);
    header.set_size(0);
    tar.append_data(&mut header, "bin/", [].as_slice())?;
    header.set_entry_type(tar::EntryType::Regular);
    header.set_size(program.len() as u64);
    tar.append_data(&mut header, "bin/busybox", program.as_slice())?;
    header.set_size(OUTPUT as u64);
    tar.append_data(&mut header, LINES.trim_start_matches('/'), LINE.repeat(OUTPUT / LINE.len()).as_slice())?;
    header.set_entry_type(tar::EntryType::Symlink);
    header.set_size(0);
    for name in NAMES {
        tar.append_link(&mut header, format!("bin/{name}"), "busybox")?;
    }
    tar.into_inner().context("end the tar")
}
