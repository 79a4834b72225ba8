//! apt with a configuration of its own: other sources, lists and state than this host's, the same verification of
//! signatures. It runs as any user and changes nothing outside its folder.

use std::{
    ffi::OsStr,
    fs, io,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context, Result, bail};

use super::{
    lock::{Package, parse_show},
    mirror::Chosen,
};
use crate::{arch::Arch, write};

/// Debian's archive keys: under the first name in releases up to trixie, under the second from then on.
const KEYRINGS: [&str; 2] =
    ["/usr/share/keyrings/debian-archive-keyring.gpg", "/usr/share/keyrings/debian-archive-keyring.pgp"];

/// An apt for one suite and architecture.
#[derive(Debug)]
pub struct Apt {
    config: PathBuf,
}

impl Apt {
    /// Writes the configuration below `dir` and fetches the lists of packages.
    ///
    /// # Errors
    /// If apt or Debian's keys are missing, or a list cannot be fetched or its signature is not Debian's.
    pub fn update(dir: &Path, suite: &str, arch: Arch, mirrors: &Chosen) -> Result<Self> {
        let keyring = KEYRINGS.into_iter().find(|path| Path::new(path).exists()).with_context(|| {
            format!(
                "Debian's archive keys ({}) are missing, so no package can be verified: \
                 install the package debian-archive-keyring",
                KEYRINGS[0]
            )
        })?;
        // apt writes into folders that exist.
        for folder in ["lists/partial", "cache/archives/partial"] {
            let path = dir.join(folder);
            fs::create_dir_all(&path).with_context(|| format!("create {}", path.display()))?;
        }
        let apt = Self { config: dir.join("apt.conf") };
        write::whole(&dir.join("sources.list"), sources(suite, arch, mirrors, keyring).as_bytes())?;
        // An empty status file: apt must not think that this host's packages are installed in the guest.
        write::whole(&dir.join("status"), b"")?;
        write::whole(&apt.config, configuration(dir, arch, &host_transport()?)?.as_bytes())?;
        // A list that cannot be fetched is otherwise a warning, and an old one is used.
        apt.run("apt-get", ["update", "-qq", "--error-on=any"])
            .with_context(|| format!("fetch the package lists of Debian {suite} from {}", mirrors.main))?;
        Ok(apt)
    }

    /// The kernel package that a meta package stands for.
    ///
    /// # Errors
    /// If the meta package is unknown or depends on no kernel.
    pub fn kernel_of(&self, meta_package: &str) -> Result<String> {
        let text = self.run("apt-cache", ["depends", "--important", meta_package])?;
        kernel_among(&text).with_context(|| format!("{meta_package} depends on no kernel"))
    }

    /// The packages by name and version that installing some packages on an empty system would install.
    ///
    /// # Errors
    /// If one is unknown or its dependencies cannot be met.
    pub fn closure_of(&self, packages: &[&str]) -> Result<Vec<String>> {
        let options = ["install", "--simulate", "-qq", "--yes", "--no-install-recommends"];
        let text = self.run("apt-get", options.iter().chain(packages))?;
        Ok(installations(&text))
    }

    /// What the archive says of packages, given by name or name=version.
    ///
    /// # Errors
    /// If one is unknown.
    pub fn show(&self, packages: &[String]) -> Result<Vec<Package>> {
        let options = ["show".to_owned(), "--no-all-versions".to_owned()];
        parse_show(&self.run("apt-cache", options.iter().chain(packages))?)
    }

    /// Fetches packages into a folder.
    ///
    /// # Errors
    /// If one cannot be fetched, or is not what the signed list says.
    pub fn download<'a>(&self, packages: impl Iterator<Item = &'a Package>, dir: &Path) -> Result<()> {
        let names: Vec<_> = packages.map(|package| format!("{}={}", package.name, package.version)).collect();
        let mut command = self.command("apt-get");
        command.args(["download", "-qq"]).args(names).current_dir(dir);
        output_of(command).map(drop)
    }

    fn run<S: AsRef<OsStr>>(&self, program: &str, args: impl IntoIterator<Item = S>) -> Result<String> {
        let mut command = self.command(program);
        command.args(args);
        output_of(command)
    }

    fn command(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        // English, because the output is read.
        command.env("APT_CONFIG", &self.config).env("LC_ALL", "C");
        command
    }
}

fn output_of(mut command: Command) -> Result<String> {
    let program = command.get_program().to_string_lossy().into_owned();
    let output = command.output().map_err(|e| match e.kind() {
        io::ErrorKind::NotFound => {
            anyhow::anyhow!(
                "{program} not found: the guest image is built on Debian or Ubuntu, whose apt verifies its parts"
            )
        }
        _ => anyhow::Error::new(e).context(format!("run {program}")),
    })?;
    if !output.status.success() {
        bail!("{program}: {}", errors_of(&String::from_utf8_lossy(&output.stderr)));
    }
    String::from_utf8(output.stdout).with_context(|| format!("what {program} prints is not UTF-8"))
}

/// The errors among what apt says, or all of it if nothing is marked as one.
fn errors_of(stderr: &str) -> String {
    let errors: Vec<_> = stderr.lines().filter_map(|line| line.strip_prefix("E: ")).collect();
    if errors.is_empty() { stderr.trim().replace('\n', "; ") } else { errors.join("; ") }
}

/// How this host reaches archives: proxies, certificates, timeouts. Nothing that touches the verification.
fn host_transport() -> Result<String> {
    let mut command = Command::new("apt-config");
    command.args(["dump", "--no-empty", "Acquire"]);
    Ok(transport_of(&output_of(command)?))
}

fn transport_of(dump: &str) -> String {
    let kept =
        |line: &&str| ["Acquire::http::", "Acquire::https::", "Acquire::Retries "].iter().any(|p| line.starts_with(p));
    dump.lines().filter(kept).fold(String::new(), |text, line| text + line + "\n")
}

fn sources(suite: &str, arch: Arch, mirrors: &Chosen, keyring: &str) -> String {
    let main = [suite.to_owned(), format!("{suite}-updates")].map(|suite| (&mirrors.main, suite));
    let security = mirrors.security.iter().map(|url| (url, format!("{suite}-security")));
    let lines = main.into_iter().chain(security);
    lines.map(|(url, suite)| format!("deb [arch={} signed-by={keyring}] {url} {suite} main\n", arch.name())).collect()
}

fn configuration(dir: &Path, arch: Arch, transport: &str) -> Result<String> {
    let dir = dir.to_str().filter(|dir| !dir.contains(['"', ';', '\n'])).with_context(|| {
        format!("{} cannot be written in apt's configuration: choose another --cache", dir.display())
    })?;
    let arch = arch.name();
    Ok(format!(
        r#"// Read before any other file: this host's own configuration and its hooks stay out.
Dir::Etc::main "/dev/null";
Dir::Etc::parts "/dev/null";
Dir::Etc::preferences "/dev/null";
Dir::Etc::preferencesparts "/dev/null";
Dir::Etc::sourcelist "{dir}/sources.list";
Dir::Etc::sourceparts "/dev/null";
Dir::State "{dir}";
Dir::State::lists "{dir}/lists";
Dir::State::status "{dir}/status";
Dir::Cache "{dir}/cache";
Dir::Log "{dir}/log";
APT::Architecture "{arch}";
APT::Architectures {{ "{arch}"; }};
Acquire::Languages "none";
{transport}"#
    ))
}

fn kernel_among(depends: &str) -> Option<String> {
    let names = depends.lines().filter_map(|line| line.trim_start().strip_prefix("Depends: "));
    names.map(str::trim).find(|name| name.starts_with("linux-image-")).map(str::to_owned)
}

/// "Inst libc6 (2.41-12 Debian:13.8/stable [amd64])" → "libc6=2.41-12".
fn installations(simulation: &str) -> Vec<String> {
    let lines = simulation.lines().filter_map(|line| line.strip_prefix("Inst "));
    lines
        .filter_map(|line| {
            let (name, rest) = line.split_once(" (")?;
            Some(format!("{name}={}", rest.split_whitespace().next()?))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_source_is_bound_to_debians_keys() {
        let mirrors = Chosen { main: "http://m/debian".into(), security: Some("http://m/debian-security".into()) };
        let text = sources("trixie", Arch::Amd64, &mirrors, "/keys.gpg");
        let expected = [
            "deb [arch=amd64 signed-by=/keys.gpg] http://m/debian trixie main",
            "deb [arch=amd64 signed-by=/keys.gpg] http://m/debian trixie-updates main",
            "deb [arch=amd64 signed-by=/keys.gpg] http://m/debian-security trixie-security main",
        ];
        assert_eq!(text.lines().collect::<Vec<_>>(), expected);
    }

    #[test]
    fn of_the_hosts_settings_only_those_of_the_transport_are_taken() {
        let dump = "Acquire::AllowInsecureRepositories \"1\";\nAcquire::http::Proxy \"http://p:3128\";\n\
                    Acquire::Check-Valid-Until \"0\";\nAcquire::https::CaInfo \"/c.pem\";\nAcquire::Retries \"3\";\n";
        let kept =
            "Acquire::http::Proxy \"http://p:3128\";\nAcquire::https::CaInfo \"/c.pem\";\nAcquire::Retries \"3\";\n";
        assert_eq!(transport_of(dump), kept);
    }

    #[test]
    fn an_error_is_told_without_the_warnings_around_it() {
        assert_eq!(errors_of("W: unsandboxed\nE: no route\nE: not signed\n"), "no route; not signed");
        assert_eq!(errors_of("killed\n"), "killed");
    }

    #[test]
    fn a_folder_that_would_end_the_setting_is_refused() {
        assert!(configuration(Path::new("/a\"; b"), Arch::Amd64, "").is_err());
        assert!(configuration(Path::new("/a b"), Arch::Amd64, "").unwrap().contains("Dir::State \"/a b\";"));
    }

    #[test]
    fn the_kernel_is_what_the_meta_package_depends_on() {
        let text = "linux-image-cloud-amd64\n  Depends: linux-image-6.12.1+deb13-cloud-amd64\n";
        assert_eq!(kernel_among(text).as_deref(), Some("linux-image-6.12.1+deb13-cloud-amd64"));
        assert_eq!(kernel_among("linux-image-cloud-amd64\n"), None);
    }

    #[test]
    fn a_simulated_installation_names_packages_and_versions() {
        let text = "Inst libc6 (2.41-12+deb13u5 Debian:13.8/stable [amd64])\n\
                    Inst login (1:4.16 Debian:13.8/stable, Debian-Security:13/stable-security [amd64]) []\nConf libc6 (2 D)\n";
        assert_eq!(installations(text), ["libc6=2.41-12+deb13u5", "login=1:4.16"]);
    }
}
