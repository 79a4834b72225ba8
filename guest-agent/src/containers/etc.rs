//! The files that a container sees as /etc/hostname, /etc/hosts and /etc/resolv.conf. Written before each start, so that
//! they say what is so then; the container may change them while it runs, as with dockerd.

use std::{fs, io::Write, os::unix::fs::OpenOptionsExt, path::Path};

use super::{
    error::ContainersError,
    folder::{Folder, failed},
};
use crate::processes::launch::EtcFiles;

const HOSTS: &str = "127.0.0.1\tlocalhost\n\
    ::1\tlocalhost ip6-localhost ip6-loopback\n\
    fe00::\tip6-localnet\n\
    ff00::\tip6-mcastprefix\n\
    ff02::1\tip6-allnodes\n\
    ff02::2\tip6-allrouters\n";

const NO_RESOLVER: &str = "# Cove: this container has no network, so it has no name servers.\n";

/// Where they are.
pub(super) fn files(folder: &Folder) -> EtcFiles {
    EtcFiles { hostname: folder.etc("hostname"), hosts: folder.etc("hosts"), resolv_conf: folder.etc("resolv.conf") }
}

/// Writes them. Blocks on the disk.
pub(super) fn write(folder: &Folder, hostname: &str) -> Result<EtcFiles, ContainersError> {
    let files = files(folder);
    for (path, content) in
        [(&files.hostname, format!("{hostname}\n").as_str()), (&files.hosts, HOSTS), (&files.resolv_conf, NO_RESOLVER)]
    {
        write_in_place(path, content).map_err(failed("write", path))?;
    }
    Ok(files)
}

fn write_in_place(path: &Path, content: &str) -> std::io::Result<()> {
    let mut file = fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o644).open(path)?;
    file.write_all(content.as_bytes())
}
