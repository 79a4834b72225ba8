//! Mounts, for those who ask.

use cove_proto::v1::{Mount, MountKind, MountPoint};

use crate::{containers::Record, volumes::Volumes};

/// What is mounted in a container.
pub(in crate::containers) fn points(volumes: &Volumes, record: &Record) -> Vec<MountPoint> {
    record.spec.mounts.iter().map(|mount| point(volumes, mount)).collect()
}

fn point(volumes: &Volumes, mount: &Mount) -> MountPoint {
    let kind = mount.kind();
    let source = match kind {
        MountKind::Volume => volumes.mountpoint(&mount.source).to_string_lossy().into_owned(),
        MountKind::Bind => mount.source.clone(),
        MountKind::Tmpfs | MountKind::Image | MountKind::Unspecified => String::new(),
    };
    MountPoint {
        kind: kind.into(),
        name: if kind == MountKind::Bind { String::new() } else { mount.source.clone() },
        source,
        target: mount.target.clone(),
        driver: mount.volume_driver.clone(),
        mode: String::new(),
        read_write: !mount.read_only && kind != MountKind::Image,
        propagation: mount.propagation.clone(),
    }
}

/// Whether a container has a volume of this name, or something at this path.
pub(in crate::containers) fn matches(record: &Record, asked: &str) -> bool {
    record.spec.mounts.iter().any(|mount| mount.source == asked || mount.target == asked)
}
