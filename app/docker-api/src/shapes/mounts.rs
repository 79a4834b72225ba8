//! The `Mounts` of a container, inspected or in a list.

use std::collections::BTreeMap;

use cove_proto::v1::{Container, ContainerSpec, MountKind, MountPoint};
use serde_json::{Map, Value, json};

use crate::spec::{
    client_data,
    mounts::{Bind, clean},
};

/// What is mounted in a container. As with dockerd, memory asked for by --tmpfs is not among it.
pub(super) fn shape(container: &Container) -> Value {
    let spec = container.spec.clone().unwrap_or_default();
    let tmpfs: BTreeMap<String, Value> = said(&spec, client_data::TMPFS).unwrap_or_default();
    let hidden = |point: &MountPoint| {
        point.kind() == MountKind::Tmpfs && tmpfs.keys().any(|target| clean(target) == point.target)
    };
    container.mounts.iter().filter(|point| !hidden(point)).map(|point| shape_point(&spec, point)).collect()
}

fn shape_point(spec: &ContainerSpec, point: &MountPoint) -> Value {
    let mut shape = Map::new();
    let mut set = |key: &str, value: Value| {
        shape.insert(key.to_owned(), value);
    };
    let (kind, propagation) = match point.kind() {
        MountKind::Volume => ("volume", ""),
        MountKind::Tmpfs => ("tmpfs", ""),
        MountKind::Image => ("image", "rprivate"),
        MountKind::Bind => ("bind", "rprivate"),
        MountKind::Unspecified => ("", ""),
    };
    set("Type", json!(kind));
    if !point.name.is_empty() {
        set("Name", json!(point.name));
    }
    set("Source", json!(point.source));
    set("Destination", json!(point.target));
    if !point.driver.is_empty() {
        set("Driver", json!(point.driver));
    }
    set("Mode", json!(mode(spec, point)));
    set("RW", json!(point.read_write));
    set("Propagation", json!(if point.propagation.is_empty() { propagation } else { &point.propagation }));
    Value::Object(shape)
}

/// What the client said of its mode. dockerd says "z" of a volume of which nothing was said.
fn mode(spec: &ContainerSpec, point: &MountPoint) -> String {
    let binds: Vec<String> = said(spec, client_data::BINDS).unwrap_or_default();
    let bound = binds.iter().filter_map(|text| Bind::parse(text).ok()).find(|bind| clean(bind.target) == point.target);
    let mounts: Vec<Value> = said(spec, client_data::MOUNTS).unwrap_or_default();
    let mounted = mounts.iter().any(|mount| mount["Target"].as_str().is_some_and(|path| clean(path) == point.target));
    match bound {
        Some(bind) if !bind.mode.is_empty() => bind.mode.to_owned(),
        Some(_) if point.kind() == MountKind::Volume => "z".to_owned(),
        Some(_) => String::new(),
        None if mounted && point.kind() == MountKind::Volume => "z".to_owned(),
        None => String::new(),
    }
}

/// What the creating client said, kept for it.
pub(super) fn said<T: serde::de::DeserializeOwned>(spec: &ContainerSpec, key: &str) -> Option<T> {
    serde_json::from_str(spec.client_data.get(key)?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn point(kind: MountKind, name: &str, target: &str) -> MountPoint {
        let driver = if kind == MountKind::Volume { "local" } else { "" };
        MountPoint {
            kind: kind.into(),
            name: name.into(),
            target: target.into(),
            driver: driver.into(),
            read_write: true,
            ..Default::default()
        }
    }

    #[test]
    fn mounts_are_shown_as_dockerd_shows_them() {
        let client_data = [
            (client_data::BINDS, r#"["v1:/a/:rw","v2:/b"]"#),
            (client_data::MOUNTS, r#"[{"Type":"volume","Target":"/c"},{"Type":"tmpfs","Target":"/d"}]"#),
            (client_data::TMPFS, r#"{"/e":"size=1m"}"#),
        ]
        .map(|(key, value)| (key.to_owned(), value.to_owned()));
        let container = Container {
            spec: Some(ContainerSpec { client_data: client_data.into(), ..Default::default() }),
            mounts: vec![
                point(MountKind::Volume, "v1", "/a"),
                point(MountKind::Volume, "v2", "/b"),
                point(MountKind::Volume, "v3", "/c"),
                point(MountKind::Tmpfs, "", "/d"),
                point(MountKind::Tmpfs, "", "/e"),
                point(MountKind::Volume, "nameless", "/f"),
            ],
            ..Default::default()
        };
        let shown = shape(&container);
        let modes: Vec<_> =
            shown.as_array().unwrap().iter().map(|mount| (&mount["Destination"], &mount["Mode"])).collect();
        let expected = [("/a", "rw"), ("/b", "z"), ("/c", "z"), ("/d", ""), ("/f", "")];
        assert_eq!(json!(modes), json!(expected));
        assert_eq!(
            shown[0],
            json!({"Type": "volume", "Name": "v1", "Source": "", "Destination": "/a", "Driver": "local", "Mode": "rw",
                "RW": true, "Propagation": ""})
        );
        assert_eq!(
            shown[3],
            json!({"Type": "tmpfs", "Source": "", "Destination": "/d", "Mode": "", "RW": true, "Propagation": ""})
        );
    }
}
