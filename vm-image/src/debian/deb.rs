//! What is inside a .deb: an `ar` archive whose member `data.tar.*` holds the files (deb(5)). Read here, so that a build
//! unpacks in memory only what it wants.

use std::{
    collections::BTreeMap,
    fs,
    io::{Cursor, Read},
    path::Path,
};

use anyhow::{Context, Result, bail};
use lzma_rust2::XzReader;
use ruzstd::decoding::StreamingDecoder;

/// What stands at a path of a package.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Node {
    File(Vec<u8>),
    Link(String),
}

/// Files of one or more packages, by path without leading slash. Debian has merged /usr: what is in usr/lib stands here
/// as lib, and likewise bin, sbin and lib64.
#[derive(Debug, Default)]
pub struct Contents {
    nodes: BTreeMap<String, Node>,
}

impl Contents {
    /// Reads the wanted files of a package. Symbolic links are kept whether wanted or not, because wanted ones may
    /// lead over them.
    ///
    /// # Errors
    /// If the file is no package, or is damaged.
    pub fn read(deb: &Path, wanted: impl Fn(&str) -> bool) -> Result<Self> {
        let bytes = fs::read(deb).with_context(|| format!("read {}", deb.display()))?;
        Self::parse(&bytes, wanted).with_context(|| format!("unpack {}", deb.display()))
    }

    fn parse(bytes: &[u8], wanted: impl Fn(&str) -> bool) -> Result<Self> {
        let (name, data) = ar_member(bytes, "data.tar")?;
        let plain: Box<dyn Read> = match name.as_str() {
            "data.tar" => Box::new(Cursor::new(data)),
            "data.tar.xz" => Box::new(XzReader::new(data, true)),
            "data.tar.zst" => Box::new(StreamingDecoder::new(data)?),
            other => bail!("its files are compressed in a way that is not known here: {other}"),
        };
        let mut contents = Self::default();
        let mut archive = tar::Archive::new(plain);
        for entry in archive.entries()? {
            let mut entry = entry?;
            let path = String::from_utf8(entry.path_bytes().into_owned()).context("a path is not UTF-8")?;
            let path = merged(&path);
            let kind = entry.header().entry_type();
            if kind.is_symlink() || kind.is_hard_link() {
                let target = entry.link_name_bytes().context("a link without target")?.into_owned();
                let mut target = String::from_utf8(target).context("a link is not UTF-8")?;
                if kind.is_hard_link() {
                    target = format!("/{}", merged(&target));
                }
                contents.nodes.insert(path, Node::Link(target));
            } else if kind.is_file() && wanted(&path) {
                let mut data = Vec::new();
                entry.read_to_end(&mut data).with_context(|| format!("unpack {path}"))?;
                contents.nodes.insert(path, Node::File(data));
            }
        }
        Ok(contents)
    }

    /// Files that come from nowhere.
    #[cfg(test)]
    pub(crate) fn of_files(files: impl Iterator<Item = (String, Vec<u8>)>) -> Self {
        Self { nodes: files.map(|(path, bytes)| (path, Node::File(bytes))).collect() }
    }

    /// The bytes of the file at a path, over symbolic links.
    #[must_use]
    pub fn file(&self, path: &str) -> Option<&[u8]> {
        let mut path = merged(path);
        // Linux gives up after 40 links.
        for _ in 0..40 {
            match self.nodes.get(&path)? {
                Node::File(bytes) => return Some(bytes),
                Node::Link(target) => path = follow(&path, target),
            }
        }
        None
    }

    /// The paths of the files that were wanted, sorted.
    pub fn paths(&self) -> impl Iterator<Item = &str> {
        self.nodes.iter().filter(|(_, node)| matches!(node, Node::File(_))).map(|(path, _)| path.as_str())
    }
}

/// "./usr/lib/x" → "lib/x".
fn merged(path: &str) -> String {
    let path = path.trim_start_matches("./").trim_start_matches('/');
    match path.strip_prefix("usr/") {
        Some(rest) if ["bin/", "lib/", "lib64/", "sbin/"].iter().any(|dir| rest.starts_with(dir)) => rest.to_owned(),
        _ => path.to_owned(),
    }
}

/// Where a symbolic link at `path` leads.
fn follow(path: &str, target: &str) -> String {
    let mut parts: Vec<&str> = if target.starts_with('/') { Vec::new() } else { path.split('/').collect() };
    parts.pop();
    for part in target.split('/') {
        match part {
            "" | "." => {}
            ".." => drop(parts.pop()),
            name => parts.push(name),
        }
    }
    merged(&parts.join("/"))
}

/// The first member of an `ar` archive whose name starts so, with its name.
fn ar_member<'a>(bytes: &'a [u8], prefix: &str) -> Result<(String, &'a [u8])> {
    const HEADER: usize = 60;
    let mut rest = bytes.strip_prefix(b"!<arch>\n").context("not a Debian package")?;
    while !rest.is_empty() {
        let (header, after) = rest.split_at_checked(HEADER).context("cut off within a header")?;
        let field = |range: std::ops::Range<usize>| String::from_utf8_lossy(header.get(range).unwrap_or_default());
        let name = field(0..16).trim_end().trim_end_matches('/').to_owned();
        let size: usize = field(48..58).trim().parse().context("a member without a size")?;
        let (data, after) = after.split_at_checked(size).with_context(|| format!("cut off within {name}"))?;
        if name.starts_with(prefix) {
            return Ok((name, data));
        }
        // Members start at even offsets.
        rest = after.get(size % 2..).unwrap_or_default();
    }
    bail!("no member {prefix}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn package(files: &[(&str, &str)], links: &[(&str, &str)]) -> Vec<u8> {
        let mut tar = tar::Builder::new(Vec::new());
        let mut header = tar::Header::new_gnu();
        for (path, text) in files {
            header.set_entry_type(tar::EntryType::Regular);
            header.set_size(text.len() as u64);
            tar.append_data(&mut header, path, text.as_bytes()).unwrap();
        }
        for (path, target) in links {
            header.set_entry_type(tar::EntryType::Symlink);
            header.set_size(0);
            tar.append_link(&mut header, path, target).unwrap();
        }
        let mut ar = b"!<arch>\n".to_vec();
        for (name, data) in [("debian-binary", b"2.0".to_vec()), ("data.tar", tar.into_inner().unwrap())] {
            ar.extend(format!("{name:<16}{:<12}{:<6}{:<6}{:<8}{:<10}`\n", 0, 0, 0, 100_644, data.len()).bytes());
            ar.extend(&data);
            ar.resize(ar.len().next_multiple_of(2), b'\n');
        }
        ar
    }

    #[test]
    fn files_are_found_where_a_merged_usr_has_them() {
        let bytes = package(&[("./usr/sbin/mke2fs", "program"), ("./usr/share/doc", "text")], &[]);
        let contents = Contents::parse(&bytes, |path| path.starts_with("sbin/")).unwrap();
        assert_eq!(contents.file("usr/sbin/mke2fs"), Some(b"program".as_slice()));
        assert_eq!(contents.file("/sbin/mke2fs"), Some(b"program".as_slice()));
        assert_eq!(contents.paths().collect::<Vec<_>>(), ["sbin/mke2fs"]);
    }

    #[test]
    fn links_are_followed_relative_and_absolute_and_not_for_ever() {
        let links = [
            ("usr/lib/a.so.1", "a.so.1.2"),
            ("usr/lib64/loader", "/lib/x/../a.so.1"),
            ("usr/lib/up", "../lib64/loader"),
            ("usr/lib/loop", "loop"),
            ("usr/lib/none", "absent"),
        ];
        let contents = Contents::parse(&package(&[("usr/lib/a.so.1.2", "library")], &links), |_| true).unwrap();
        for path in ["lib/a.so.1", "lib64/loader", "lib/up"] {
            assert_eq!(contents.file(path), Some(b"library".as_slice()), "{path}");
        }
        assert_eq!(contents.file("lib/loop"), None);
        assert_eq!(contents.file("lib/none"), None);
    }

    #[test]
    fn damaged_packages_are_errors() {
        let whole = package(&[("a", "b")], &[]);
        assert!(Contents::parse(b"not a package", |_| true).is_err());
        for length in [8, 9, 67, 130, 200] {
            assert!(Contents::parse(&whole[..length], |_| true).is_err(), "{length} bytes");
        }
    }
}
