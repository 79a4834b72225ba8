//! Platforms, and which manifest of an index fits best: containerd's rules.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::Descriptor;
use crate::error::RegistryError;

/// For what an image is, in Go's words.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Platform {
    /// "amd64".
    pub architecture: String,
    /// "linux".
    pub os: String,
    /// "v7"; empty where there are none.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub variant: String,
}

impl fmt::Display for Platform {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.os, self.architecture)?;
        if self.variant.is_empty() { Ok(()) } else { write!(f, "/{}", self.variant) }
    }
}

impl Platform {
    /// Linux on this architecture.
    #[must_use]
    pub fn linux(architecture: &str) -> Self {
        Self { architecture: architecture.to_owned(), os: "linux".to_owned(), variant: String::new() }.normal()
    }

    /// Reads "linux/arm64/v8", "linux/arm64", "arm64" or "linux"; what is left out is as here.
    ///
    /// # Errors
    /// It is none.
    pub fn parse(text: &str, here: &Self) -> Result<Self, RegistryError> {
        let bad = || RegistryError::BadPlatform(text.to_owned());
        let is_word =
            |word: &&str| !word.is_empty() && word.bytes().all(|b| b.is_ascii_alphanumeric() || b"._-".contains(&b));
        let words: Vec<&str> = text.split('/').collect();
        if !words.iter().all(is_word) {
            return Err(bad());
        }
        let of = |os: &str, architecture: &str, variant: &str| Self {
            architecture: architecture.to_ascii_lowercase(),
            os: os.to_ascii_lowercase(),
            variant: variant.to_ascii_lowercase(),
        };
        let platform = match words[..] {
            [one] if is_os(&one.to_ascii_lowercase()) => Self { os: one.to_ascii_lowercase(), ..here.clone() },
            [one] => of(&here.os, one, "").normal(),
            [os, architecture] => of(os, architecture, "").normal(),
            [os, architecture, variant] => of(os, architecture, variant).normal(),
            _ => return Err(bad()),
        };
        if words.len() == 1 && !is_os(words[0]) && !is_architecture(&platform.architecture) {
            return Err(bad());
        }
        Ok(platform)
    }

    /// One word for each thing: containerd's `Normalize`.
    #[must_use]
    pub fn normal(mut self) -> Self {
        let (architecture, variant) = match (self.architecture.as_str(), self.variant.as_str()) {
            ("x86_64" | "x86-64" | "amd64", "v1") => ("amd64", ""),
            ("x86_64" | "x86-64", variant) => ("amd64", variant),
            ("i386", _) => ("386", ""),
            ("aarch64" | "arm64", "8" | "v8") => ("arm64", ""),
            ("aarch64", variant) => ("arm64", variant),
            ("armhf", _) => ("arm", "v7"),
            ("armel", _) => ("arm", "v6"),
            ("arm", "" | "7") => ("arm", "v7"),
            ("arm", "5") => ("arm", "v5"),
            ("arm", "6") => ("arm", "v6"),
            ("arm", "8") => ("arm", "v8"),
            (architecture, variant) => (architecture, variant),
        };
        (self.architecture, self.variant) = (architecture.to_owned(), variant.to_owned());
        self
    }

    /// How well another runs on this one, the lowest best: containerd's `platformVector`.
    fn rank(&self, other: &Self) -> Option<u32> {
        if self.os != other.os {
            return None;
        }
        let generation = |variant: &str, least| variant.trim_start_matches('v').parse::<u32>().unwrap_or(least);
        let older = |least| {
            let (ours, theirs) = (generation(&self.variant, least), generation(&other.variant, least));
            ours.checked_sub(theirs)
        };
        match (self.architecture.as_str(), other.architecture.as_str()) {
            ("amd64", "amd64") => older(1),
            ("arm64", "arm64") => older(8),
            ("arm", "arm") => older(7),
            ("amd64", "386") => Some(100),
            // A 64-bit ARM may run what is made for its 32-bit forebears.
            ("arm64", "arm") => Some(100 + 8u32.saturating_sub(generation(&other.variant, 7))),
            (ours, theirs) => (ours == theirs && self.variant == other.variant).then_some(0),
        }
    }

    /// Whether another runs on this one.
    #[must_use]
    pub fn runs(&self, other: &Self) -> bool {
        self.rank(&other.clone().normal()).is_some()
    }

    /// The manifest of an index that fits best, the first of equals.
    ///
    /// # Errors
    /// None fits.
    pub fn choose<'a>(&self, index: &'a [Descriptor]) -> Result<&'a Descriptor, RegistryError> {
        let ranked = index.iter().filter_map(|entry| {
            let theirs = entry.platform.clone()?.normal();
            Some((self.rank(&theirs)?, entry))
        });
        let best = ranked.min_by_key(|(rank, _)| *rank).map(|(_, entry)| entry);
        best.ok_or_else(|| RegistryError::NoPlatform(self.to_string()))
    }
}

fn is_os(word: &str) -> bool {
    matches!(word, "linux" | "windows" | "darwin" | "freebsd" | "macos")
}

fn is_architecture(word: &str) -> bool {
    matches!(
        word,
        "amd64" | "arm64" | "arm" | "386" | "riscv64" | "ppc64le" | "ppc64" | "s390x" | "loong64" | "mips64le"
    )
}

#[cfg(test)]
mod tests {
    use cove_names::Digest;

    use super::*;

    fn index(platforms: &[&str]) -> Vec<Descriptor> {
        let here = Platform::linux("amd64");
        let entry = |name: &&str| Descriptor {
            media_type: super::super::OCI_MANIFEST.to_owned(),
            size: 1,
            digest: Digest::of(name.as_bytes()),
            platform: Some(Platform::parse(name, &here).unwrap()),
        };
        platforms.iter().map(entry).collect()
    }

    fn chosen(wanted: &str, platforms: &[&'static str]) -> String {
        let platform = Platform::parse(wanted, &Platform::linux("amd64")).unwrap();
        let index = index(platforms);
        platform.choose(&index).map_or_else(
            |error| error.to_string(),
            |found| {
                let at = index.iter().position(|entry| entry == found).unwrap();
                platforms[at].to_owned()
            },
        )
    }

    #[test]
    fn the_best_that_runs_is_chosen() {
        let all = ["linux/386", "windows/amd64", "linux/arm/v6", "linux/arm/v7", "linux/arm64/v8", "linux/amd64"];
        for (wanted, found) in [
            ("linux/amd64", "linux/amd64"),
            ("amd64", "linux/amd64"),
            ("linux/x86_64", "linux/amd64"),
            ("linux/arm64", "linux/arm64/v8"),
            ("linux/arm64/v8", "linux/arm64/v8"),
            ("linux/arm/v7", "linux/arm/v7"),
            ("linux/arm", "linux/arm/v7"),
            ("linux/arm/v5", "no matching manifest for linux/arm/v5 in the manifest list entries"),
            ("linux/arm/v6", "linux/arm/v6"),
            ("windows/amd64", "windows/amd64"),
            ("linux/riscv64", "no matching manifest for linux/riscv64 in the manifest list entries"),
        ] {
            assert_eq!(chosen(wanted, &all), found, "{wanted}");
        }
        assert_eq!(chosen("linux/amd64", &["linux/386", "linux/arm64"]), "linux/386");
        assert_eq!(chosen("linux/arm64", &["linux/arm/v6", "linux/arm/v7"]), "linux/arm/v7");
        assert_eq!(
            chosen("linux/amd64", &["linux/amd64/v3"]),
            "no matching manifest for linux/amd64 in the manifest list entries"
        );
        assert_eq!(chosen("linux/amd64/v3", &["linux/amd64", "linux/amd64/v2"]), "linux/amd64/v2");
    }

    #[test]
    fn what_is_no_platform_is_refused() {
        for text in ["", "/", "linux/", "a/b/c/d", "linux/am d", "nonsense"] {
            assert!(Platform::parse(text, &Platform::linux("amd64")).is_err(), "{text}");
        }
    }
}
