//! Where Debian is mirrored: what the user says, else what this host itself uses if it is Debian, else Debian's own
//! address. Signatures are checked wherever the packages come from.

use std::{fs, process::Command};

use anyhow::{Context, Result, bail};

const DEFAULT: &str = "http://deb.debian.org/debian";
const DEFAULT_SECURITY: &str = "http://deb.debian.org/debian-security";

/// What the user says about mirrors.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Mirrors {
    /// Debian itself.
    pub main: Option<String>,
    /// Its security updates; "none" leaves them out.
    pub security: Option<String>,
}

/// The mirrors that are used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Chosen {
    /// Debian itself.
    pub main: String,
    /// Its security updates.
    pub security: Option<String>,
}

impl Mirrors {
    /// Decides, asking this host's own apt where the user says nothing.
    ///
    /// # Errors
    /// If a mirror is no URL, or apt does not answer on a Debian host.
    pub fn choose(&self) -> Result<Chosen> {
        let host = if self.main.is_none() && host_is_debian() { own_mirrors()? } else { Self::default() };
        let chosen = choose(self, &host);
        for url in [Some(&chosen.main), chosen.security.as_ref()].into_iter().flatten() {
            // It becomes a line of sources.list.
            if !url.contains("://") || url.contains(|c: char| c.is_whitespace() || c.is_control() || c == '[') {
                bail!("{url:?} is no mirror: a URL like {DEFAULT} is needed");
            }
        }
        Ok(chosen)
    }
}

fn choose(user: &Mirrors, host: &Mirrors) -> Chosen {
    let main = user.main.clone().or_else(|| host.main.clone());
    let security = match user.security.as_deref() {
        Some("none") => None,
        Some(url) => Some(url.to_owned()),
        None if host.main.is_some() => host.security.clone(),
        None => main.as_deref().map_or(Some(DEFAULT_SECURITY.to_owned()), beside),
    };
    Chosen { main: main.unwrap_or_else(|| DEFAULT.to_owned()), security }
}

/// Mirrors that carry the security archive have it beside the main one.
fn beside(main: &str) -> Option<String> {
    main.trim_end_matches('/').strip_suffix("/debian").map(|site| format!("{site}/debian-security"))
}

fn host_is_debian() -> bool {
    // A host without the file is some other system.
    fs::read_to_string("/etc/os-release").is_ok_and(|text| text.lines().any(|line| line == "ID=debian"))
}

fn own_mirrors() -> Result<Mirrors> {
    let output = Command::new("apt-get")
        .args(["indextargets", "--format", "$(REPO_URI) $(RELEASE)", "Created-By: Packages"])
        .output()
        .context("run apt-get")?;
    if !output.status.success() {
        bail!("apt-get indextargets: {}", String::from_utf8_lossy(&output.stderr).trim());
    }
    Ok(mirrors_of(&String::from_utf8_lossy(&output.stdout)))
}

/// Finds Debian among the archives that a host uses, given one "URI release" per line.
fn mirrors_of(index_targets: &str) -> Mirrors {
    let archives = || index_targets.lines().filter_map(|line| line.split_once(' '));
    let url = |uri: &str| uri.trim_end_matches('/').to_owned();
    Mirrors {
        main: archives().find(|(uri, _)| uri.trim_end_matches('/').ends_with("/debian")).map(|(uri, _)| url(uri)),
        security: archives().find(|(_, release)| release.ends_with("-security")).map(|(uri, _)| url(uri)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mirrors(main: Option<&str>, security: Option<&str>) -> Mirrors {
        Mirrors { main: main.map(Into::into), security: security.map(Into::into) }
    }

    #[test]
    fn the_hosts_own_archives_are_recognised() {
        let targets = "https://packages.example.org/apt tool-stable\n\
                       http://ftp.example.org/debian/ bookworm-backports\n\
                       http://ftp.example.org/debian/ bookworm\n\
                       http://sec.example.org/security/ bookworm-security\n";
        let expected = mirrors(Some("http://ftp.example.org/debian"), Some("http://sec.example.org/security"));
        assert_eq!(mirrors_of(targets), expected);
        assert_eq!(mirrors_of(""), Mirrors::default());
    }

    #[test]
    fn the_user_comes_before_the_host_and_the_host_before_debians_own_address() {
        let host = mirrors(Some("http://host/debian"), None);
        let chosen = choose(&mirrors(None, None), &host);
        assert_eq!((chosen.main.as_str(), chosen.security), ("http://host/debian", None));
        let chosen = choose(&mirrors(Some("http://mine/debian"), None), &Mirrors::default());
        assert_eq!(chosen.security.as_deref(), Some("http://mine/debian-security"));
        let chosen = choose(&mirrors(Some("http://mine/debian"), Some("none")), &Mirrors::default());
        assert_eq!((chosen.main.as_str(), chosen.security), ("http://mine/debian", None));
        let chosen = choose(&Mirrors::default(), &Mirrors::default());
        assert_eq!((chosen.main.as_str(), chosen.security.as_deref()), (DEFAULT, Some(DEFAULT_SECURITY)));
    }

    #[test]
    fn a_mirror_that_would_add_a_line_or_an_option_to_the_sources_is_refused() {
        for url in ["http://a/debian trixie main\ndeb http://b", "[trusted=yes]http://a", "debian"] {
            let refused = mirrors(Some(url), None).choose().unwrap_err();
            assert!(refused.to_string().contains("is no mirror"), "{refused}");
        }
    }
}
