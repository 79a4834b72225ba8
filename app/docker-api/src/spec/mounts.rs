//! What a container is to see beside its root file system: Docker's five ways to say it (`Binds`, `Mounts`, `Tmpfs`,
//! `Volumes`, `VolumesFrom`) as the engine's mounts. Whether they make sense together is for the engine to say; the syntax
//! of a bind, which only Docker has, is checked here.

use std::collections::{BTreeMap, HashMap};

use cove_proto::v1::{ContainerSpec, Mount, MountKind};
use serde::Deserialize;
use serde_json::Value;

use crate::call::invalid_json;
use crate::error::Error;
use crate::spec::client_data;

/// The members of a body that say it.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct Said {
    binds: Option<Vec<String>>,
    mounts: Option<Vec<MountBody>>,
    tmpfs: Option<BTreeMap<String, String>>,
    volumes_from: Option<Vec<String>>,
    volume_driver: Option<String>,
}

/// Docker's `Mount`.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct MountBody {
    r#type: String,
    source: String,
    target: String,
    read_only: bool,
    bind_options: Option<BindOptions>,
    volume_options: Option<VolumeOptions>,
    image_options: Option<ImageOptions>,
    tmpfs_options: Option<TmpfsOptions>,
}

/// What is mounted below a folder of the host is part of it, read-only or not: there is nothing to choose.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct BindOptions {
    propagation: String,
    create_mountpoint: bool,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct VolumeOptions {
    no_copy: bool,
    labels: Option<HashMap<String, String>>,
    driver_config: Option<Driver>,
    subpath: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct Driver {
    name: String,
    options: Option<HashMap<String, String>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct ImageOptions {
    subpath: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct TmpfsOptions {
    size_bytes: i64,
    mode: u32,
    options: Option<Vec<Vec<String>>>,
}

/// Puts into the specification what a body says of mounts; says at which targets a folder of the host is made where there
/// is none.
pub(super) fn read(body: &Value, spec: &mut ContainerSpec) -> Result<Vec<String>, Error> {
    let mut made = Vec::new();
    let host = &body["HostConfig"];
    let said: Said = Option::deserialize(host).map_err(invalid_json)?.unwrap_or_default();
    let driver = said.volume_driver.unwrap_or_default();
    for bind in said.binds.iter().flatten() {
        let mount = bind_mount(bind, &driver)?;
        if mount.kind() == MountKind::Bind {
            made.push(mount.target.clone());
        }
        spec.mounts.push(mount);
    }
    for mount in said.mounts.unwrap_or_default() {
        let makes = mount.bind_options.as_ref().is_some_and(|options| options.create_mountpoint);
        let mount = mount_of(mount)?;
        if makes {
            made.push(mount.target.clone());
        }
        spec.mounts.push(mount);
    }
    for (target, options) in said.tmpfs.unwrap_or_default() {
        let tmpfs_options = options.split(',').filter(|word| !word.is_empty()).map(str::to_owned).collect();
        spec.mounts.push(Mount { kind: MountKind::Tmpfs.into(), target, tmpfs_options, ..Default::default() });
    }
    let nameless = body["Volumes"].as_object().map(|paths| paths.keys().cloned()).into_iter().flatten();
    if matches!(driver.as_str(), "" | "local") {
        spec.anonymous_volumes = nameless.collect();
    } else {
        spec.mounts.extend(nameless.map(|target| volume(String::new(), target, &driver)));
    }
    spec.volumes_from = said.volumes_from.unwrap_or_default();
    for (key, member) in [
        (client_data::BINDS, "Binds"),
        (client_data::MOUNTS, "Mounts"),
        (client_data::TMPFS, "Tmpfs"),
        (client_data::VOLUME_DRIVER, "VolumeDriver"),
        (client_data::ISOLATION, "Isolation"),
    ] {
        if !super::unsupported::is_default(&host[member]) {
            spec.client_data.insert(key.to_owned(), host[member].to_string());
        }
    }
    Ok(made)
}

fn volume(source: String, target: String, driver: &str) -> Mount {
    let volume_driver = driver.to_owned();
    Mount { kind: MountKind::Volume.into(), source, target, volume_driver, ..Default::default() }
}

/// A bind, taken apart.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Bind<'a> {
    /// A volume, or a folder of the host; empty for a volume without a name.
    pub(crate) source: &'a str,
    /// Path in the container.
    pub(crate) target: &'a str,
    /// "ro,nocopy".
    pub(crate) mode: &'a str,
}

impl<'a> Bind<'a> {
    /// Takes apart "SOURCE:TARGET:MODE"; the drive of a Windows path is no source of its own.
    pub(crate) fn parse(text: &'a str) -> Result<Self, Error> {
        let drive = if is_windows(text) { 2 } else { 0 };
        let (source, rest) = match text[drive..].find(':') {
            Some(at) => (&text[..drive + at], Some(&text[drive + at + 1..])),
            None => (text, None),
        };
        let parts: Vec<&str> = rest.into_iter().flat_map(|rest| rest.splitn(3, ':')).collect();
        let invalid = || Error::BadRequest(format!("invalid volume specification: '{text}'"));
        match parts[..] {
            _ if source.is_empty() => Err(invalid()),
            [] => Ok(Self { source: "", target: source, mode: "" }),
            // "/path:ro": a volume without a name has no mode.
            [target] if is_mode(target) => Err(invalid()),
            [target] => Ok(Self { source, target, mode: "" }),
            [_, mode] if !is_mode(mode) => Err(Error::BadRequest(format!("invalid mode: {mode}"))),
            [target, mode] => Ok(Self { source, target, mode }),
            _ => Err(invalid()),
        }
    }

    fn has(&self, word: &str) -> bool {
        self.mode.split(',').any(|found| found == word)
    }
}

fn is_windows(path: &str) -> bool {
    matches!(path.as_bytes(), [drive, b':', b'\\' | b'/', ..] if drive.is_ascii_alphabetic())
}

const PROPAGATIONS: [&str; 6] = ["private", "rprivate", "shared", "rshared", "slave", "rslave"];

/// One word of each kind at most, as in dockerd.
fn is_mode(mode: &str) -> bool {
    let kinds: [&[&str]; 5] =
        [&["ro", "rw"], &["z", "Z"], &PROPAGATIONS, &["nocopy"], &["default", "consistent", "cached", "delegated"]];
    let mut counts = [0; 5];
    for word in mode.split(',').filter(|_| !mode.is_empty()) {
        let Some(kind) = kinds.iter().position(|words| words.contains(&word)) else { return false };
        counts[kind] += 1;
    }
    counts.iter().all(|count| *count <= 1)
}

fn bind_mount(text: &str, driver: &str) -> Result<Mount, Error> {
    let bind = Bind::parse(text)?;
    let is_bind = bind.source.starts_with('/') || is_windows(bind.source);
    let propagation = PROPAGATIONS.iter().find(|word| bind.has(word));
    let why = if !is_bind && propagation.is_some() {
        Some("field BindOptions must not be specified".to_owned())
    } else if is_bind && bind.has("nocopy") {
        Some("field VolumeOptions must not be specified".to_owned())
    } else if clean(bind.target) == "/" && bind.target.starts_with('/') {
        Some("invalid specification: destination can't be '/'".to_owned())
    } else if !bind.target.starts_with('/') {
        Some(format!("invalid mount path: '{}' mount path must be absolute", bind.target))
    } else {
        None
    };
    if let Some(why) = why {
        let kind = if is_bind { "bind" } else { "volume" };
        let what = format!("invalid volume specification: '{text}': invalid mount config for type {kind:?}: {why}");
        return Err(Error::BadRequest(what));
    }
    if is_bind {
        let propagation = (*propagation.unwrap_or(&"")).to_owned();
        let target = bind.target.to_owned();
        return Ok(Mount { read_only: bind.has("ro"), propagation, ..host_mount(bind.source, target) });
    }
    let (read_only, no_copy) = (bind.has("ro"), bind.has("nocopy"));
    Ok(Mount { read_only, no_copy, ..volume(bind.source.to_owned(), bind.target.to_owned(), driver) })
}

fn mount_of(body: MountBody) -> Result<Mount, Error> {
    let invalid = |why: &str| Error::BadRequest(format!("invalid mount config for type {:?}: {why}", body.r#type));
    let kind = match body.r#type.as_str() {
        "bind" => MountKind::Bind,
        "volume" => MountKind::Volume,
        "tmpfs" => MountKind::Tmpfs,
        "image" => MountKind::Image,
        _ => return Err(invalid("mount type unknown")),
    };
    if kind == MountKind::Bind {
        return host_mount_of(&body).map_err(|why| invalid(&why));
    }
    if body.bind_options.is_some() {
        return Err(invalid("field BindOptions must not be specified"));
    }
    let volume = body.volume_options.unwrap_or_default();
    let driver = volume.driver_config.unwrap_or_default();
    let tmpfs = body.tmpfs_options.unwrap_or_default();
    let subpath = match kind {
        MountKind::Image => body.image_options.unwrap_or_default().subpath,
        _ => volume.subpath,
    };
    Ok(Mount {
        kind: kind.into(),
        source: body.source,
        target: body.target,
        read_only: body.read_only,
        subpath,
        no_copy: volume.no_copy,
        tmpfs_size_bytes: u64::try_from(tmpfs.size_bytes).map_err(|_| invalid("the size must not be negative"))?,
        tmpfs_mode: tmpfs.mode,
        tmpfs_options: tmpfs.options.unwrap_or_default().iter().map(|words| words.join("=")).collect(),
        volume_driver: driver.name,
        volume_options: driver.options.unwrap_or_default(),
        volume_labels: volume.labels.unwrap_or_default(),
        ..Default::default()
    })
}

/// A folder of the host. The grant by which it is seen is made for the mount before the container.
fn host_mount(source: &str, target: String) -> Mount {
    let source = if is_windows(source) { source.to_owned() } else { clean(source) };
    Mount { kind: MountKind::Bind.into(), source, target, ..Default::default() }
}

fn host_mount_of(body: &MountBody) -> Result<Mount, String> {
    if body.source.is_empty() {
        return Err("field Source must not be empty".to_owned());
    }
    if !body.source.starts_with('/') && !is_windows(&body.source) {
        return Err(format!("invalid mount path: '{}' mount path must be absolute", body.source));
    }
    if body.volume_options.is_some() {
        return Err("field VolumeOptions must not be specified".to_owned());
    }
    if body.tmpfs_options.is_some() {
        return Err("field TmpfsOptions must not be specified".to_owned());
    }
    let propagation = body.bind_options.as_ref().map(|options| options.propagation.clone()).unwrap_or_default();
    Ok(Mount { read_only: body.read_only, propagation, ..host_mount(&body.source, body.target.clone()) })
}

/// Go's path.Clean of a path from the root, as the engine writes targets.
pub(crate) fn clean(path: &str) -> String {
    let mut parts: Vec<&str> = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => drop(parts.pop()),
            part => parts.push(part),
        }
    }
    format!("/{}", parts.join("/"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn spec(body: Value) -> Result<ContainerSpec, Error> {
        let mut spec = ContainerSpec::default();
        read(&body, &mut spec).map(|_| spec)
    }

    fn refusal(host: Value) -> (u16, String) {
        let error = spec(json!({"HostConfig": host})).unwrap_err();
        (error.status().as_u16(), error.to_string())
    }

    #[test]
    fn all_five_ways_become_mounts() {
        let spec = spec(json!({"Volumes": {"/nameless": {}}, "HostConfig": {
            "Binds": ["v1:/a:ro,nocopy,z", "v.2:/b", "/c"],
            "Mounts": [
                {"Type": "volume", "Source": "v3", "Target": "/d", "ReadOnly": true, "BindOptions": null, "VolumeOptions":
                    {"NoCopy": true, "Labels": {"l": "1"}, "Subpath": "sub", "DriverConfig": {"Name": "local", "Options": {"o": "x"}}}},
                {"Type": "tmpfs", "Target": "/e", "TmpfsOptions": {"SizeBytes": 4096, "Mode": 448, "Options": [["noexec"]]}},
                {"Type": "image", "Source": "busybox", "Target": "/f", "ImageOptions": {"Subpath": "bin"}}],
            "Tmpfs": {"/g": "size=1m,exec", "/h": ""},
            "VolumesFrom": ["other:ro"], "VolumeDriver": "local"}}))
        .unwrap();
        let seen: Vec<_> = spec.mounts.iter().map(|m| (m.kind(), m.source.as_str(), m.target.as_str())).collect();
        use MountKind::{Image, Tmpfs, Volume};
        assert_eq!(
            seen,
            [
                (Volume, "v1", "/a"),
                (Volume, "v.2", "/b"),
                (Volume, "", "/c"),
                (Volume, "v3", "/d"),
                (Tmpfs, "", "/e"),
                (Image, "busybox", "/f"),
                (Tmpfs, "", "/g"),
                (Tmpfs, "", "/h"),
            ]
        );
        let [a, b, _, d, e, f, g, h] = &spec.mounts[..] else { panic!("not eight") };
        assert!(a.read_only && a.no_copy && !b.read_only && !b.no_copy && d.read_only && d.no_copy);
        assert_eq!(
            (d.subpath.as_str(), d.volume_labels["l"].as_str(), d.volume_options["o"].as_str()),
            ("sub", "1", "x")
        );
        assert_eq!((e.tmpfs_size_bytes, e.tmpfs_mode, &e.tmpfs_options[..]), (4096, 0o700, &["noexec".to_owned()][..]));
        assert_eq!((f.subpath.as_str(), g.tmpfs_options.len(), h.tmpfs_options.len()), ("bin", 2, 0));
        assert_eq!((spec.anonymous_volumes, spec.volumes_from), (vec!["/nameless".into()], vec!["other:ro".into()]));
        assert_eq!(spec.client_data[client_data::BINDS], r#"["v1:/a:ro,nocopy,z","v.2:/b","/c"]"#);
        assert_eq!(spec.client_data[client_data::VOLUME_DRIVER], "\"local\"");
    }

    #[test]
    fn folders_of_the_host_are_mounts_and_only_v_makes_them() {
        let body = json!({"HostConfig": {
            "Binds": ["/home/./a/:/a:ro,cached", "C:\\b:/b:rslave,z"],
            "Mounts": [
                {"Type": "bind", "Source": "/c", "Target": "/c", "ReadOnly": true},
                {"Type": "bind", "Source": "/d", "Target": "/d",
                    "BindOptions": {"Propagation": "rshared", "CreateMountpoint": true, "NonRecursive": true}}]}});
        let mut spec = ContainerSpec::default();
        assert_eq!(read(&body, &mut spec).unwrap(), ["/a", "/b", "/d"]);
        let seen: Vec<_> =
            spec.mounts.iter().map(|m| (m.source.as_str(), m.read_only, m.propagation.as_str())).collect();
        assert_eq!(
            seen,
            [("/home/a", true, ""), ("C:\\b", false, "rslave"), ("/c", true, ""), ("/d", false, "rshared")]
        );
        assert!(spec.mounts.iter().all(|mount| mount.kind() == MountKind::Bind));
    }

    #[test]
    fn binds_that_make_no_sense_are_refused_in_dockerds_words() {
        let invalid = "invalid mount config for type \"bind\"";
        for (host, words) in [
            (
                json!({"Binds": ["/q:/x:nocopy"]}),
                format!(
                    "invalid volume specification: '/q:/x:nocopy': {invalid}: field VolumeOptions must not be specified"
                ),
            ),
            (
                json!({"Binds": ["/q:x"]}),
                format!(
                    "invalid volume specification: '/q:x': {invalid}: invalid mount path: 'x' mount path must be absolute"
                ),
            ),
            (
                json!({"Binds": ["/q:/"]}),
                format!(
                    "invalid volume specification: '/q:/': {invalid}: invalid specification: destination can't be '/'"
                ),
            ),
            (
                json!({"Mounts": [{"Type": "bind", "Target": "/x"}]}),
                format!("{invalid}: field Source must not be empty"),
            ),
            (
                json!({"Mounts": [{"Type": "bind", "Source": "rel", "Target": "/x"}]}),
                format!("{invalid}: invalid mount path: 'rel' mount path must be absolute"),
            ),
            (
                json!({"Mounts": [{"Type": "bind", "Source": "/a", "Target": "/x", "VolumeOptions": {}}]}),
                format!("{invalid}: field VolumeOptions must not be specified"),
            ),
        ] {
            assert_eq!(refusal(host), (400, words));
        }
    }

    #[test]
    fn what_is_no_bind_is_said_in_dockerds_words() {
        for (bind, words) in [
            ("v1:/a:rz", "invalid mode: rz"),
            ("v1:/a:ro,rw", "invalid mode: ro,rw"),
            ("/a:ro", "invalid volume specification: '/a:ro'"),
            (":/a", "invalid volume specification: ':/a'"),
            ("v1:/a:ro:x", "invalid volume specification: 'v1:/a:ro:x'"),
            (
                "v1:a",
                "invalid volume specification: 'v1:a': invalid mount config for type \"volume\": invalid mount path: 'a' mount path must be absolute",
            ),
            (
                "v1:/",
                "invalid volume specification: 'v1:/': invalid mount config for type \"volume\": invalid specification: destination can't be '/'",
            ),
            (
                "v1:/a:rshared",
                "invalid volume specification: 'v1:/a:rshared': invalid mount config for type \"volume\": field BindOptions must not be specified",
            ),
        ] {
            assert_eq!(refusal(json!({"Binds": [bind]})), (400, words.to_owned()));
        }
        let (_, words) = refusal(json!({"Mounts": [{"Type": "npipe", "Target": "/x"}]}));
        assert_eq!(words, "invalid mount config for type \"npipe\": mount type unknown");
        let (_, words) = refusal(json!({"Mounts": [{"Type": "volume", "Target": "/x", "BindOptions": {}}]}));
        assert_eq!(words, "invalid mount config for type \"volume\": field BindOptions must not be specified");
    }
}
