//! The programs that a machine is made of: QEMU and, without the kernel's vhost-vsock, vhost-device-vsock.

use std::{
    ffi::OsStr,
    fmt,
    path::{Path, PathBuf},
    process::Stdio,
    time::Duration,
};

use cove_machine::hypervisor::Check;
use tokio::{process::Command, time::timeout};

use super::problem;

/// The oldest QEMU that has what we use and that we have looked at.
pub const MIN_QEMU: Version = Version { major: 7, minor: 2, micro: 0 };
/// How long `--version` may take.
const ANSWER: Duration = Duration::from_secs(10);

#[cfg(target_arch = "x86_64")]
const QEMU: &str = "qemu-system-x86_64";
#[cfg(target_arch = "aarch64")]
const QEMU: &str = "qemu-system-aarch64";
const VSOCK: &str = "vhost-device-vsock";

const INSTALL_QEMU: &str = "Install QEMU: on Debian and Ubuntu 'sudo apt install qemu-system-x86', on Fedora 'sudo dnf install \
                            qemu-system-x86', on Arch 'sudo pacman -S qemu-base'; or set COVE_QEMU to its path";
const UPDATE_QEMU: &str = "Update it (on Debian 12: 'sudo apt install -t bookworm-backports qemu-system-x86'), or set COVE_QEMU to a newer one";
const INSTALL_VSOCK: &str = "Load the kernel's module ('sudo modprobe vhost_vsock') and give this user access to /dev/vhost-vsock, or \
                             install vhost-device-vsock ('cargo install vhost-device-vsock'), or set COVE_VHOST_DEVICE_VSOCK to its path";

/// A version of QEMU.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Version {
    major: u32,
    minor: u32,
    micro: u32,
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.major, self.minor, self.micro)
    }
}

/// QEMU as found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QemuFound {
    /// The program.
    pub path: PathBuf,
    /// Its version.
    pub version: Version,
}

/// Finds QEMU and asks for its version.
///
/// # Errors
/// A check that says what is missing or too old and how to get it.
pub async fn find_qemu(explicit: Option<&Path>) -> Result<QemuFound, Check> {
    let path = locate(explicit, QEMU, None).ok_or_else(|| match explicit {
        Some(path) => {
            problem("qemu.found", format!("COVE_QEMU names {}, which is no program", path.display()), INSTALL_QEMU)
        }
        None => problem("qemu.found", format!("QEMU ({QEMU}) is not installed"), INSTALL_QEMU),
    })?;
    let output = Command::new(&path).arg("--version").stdin(Stdio::null()).kill_on_drop(true).output();
    let said = match timeout(ANSWER, output).await {
        Ok(Ok(output)) => String::from_utf8_lossy(&output.stdout).into_owned(),
        Ok(Err(error)) => return Err(unknown_version(&path, &error.to_string())),
        Err(_) => return Err(unknown_version(&path, "no answer")),
    };
    let version =
        parse_version(&said).ok_or_else(|| unknown_version(&path, said.lines().next().unwrap_or("no answer")))?;
    if version < MIN_QEMU {
        let finding = format!("{} is QEMU {version}, but Cove needs {MIN_QEMU} or newer", path.display());
        return Err(problem("qemu.version", finding, UPDATE_QEMU));
    }
    Ok(QemuFound { path, version })
}

/// Finds vhost-device-vsock: what is set, beside our own program (`../share/cove/`), on the PATH.
///
/// # Errors
/// A check that says how to get it.
pub fn find_vsock(explicit: Option<&Path>) -> Result<PathBuf, Check> {
    let beside =
        std::env::current_exe().ok().and_then(|exe| Some(exe.parent()?.parent()?.join("share/cove").join(VSOCK)));
    locate(explicit, VSOCK, beside).ok_or_else(|| {
        let finding = match explicit {
            Some(path) => format!("COVE_VHOST_DEVICE_VSOCK names {}, which is no program", path.display()),
            None => format!("neither the kernel's vhost-vsock nor {VSOCK} can be used"),
        };
        problem("vsock.device", finding, INSTALL_VSOCK)
    })
}

fn unknown_version(path: &Path, said: &str) -> Check {
    problem("qemu.version", format!("{} --version: {said}", path.display()), INSTALL_QEMU)
}

fn locate(explicit: Option<&Path>, name: &str, beside: Option<PathBuf>) -> Option<PathBuf> {
    match explicit {
        Some(path) => is_program(path).then(|| path.to_owned()),
        None => {
            let on_path = std::env::var_os("PATH").unwrap_or_default();
            beside.into_iter().chain(candidates(&on_path, name)).find(|path| is_program(path))
        }
    }
}

fn candidates(path: &OsStr, name: &str) -> Vec<PathBuf> {
    std::env::split_paths(path).filter(|folder| folder.is_absolute()).map(|folder| folder.join(name)).collect()
}

fn is_program(path: &Path) -> bool {
    path.is_file() && nix::unistd::access(path, nix::unistd::AccessFlags::X_OK).is_ok()
}

/// "QEMU emulator version 10.0.2 (Debian ...)" → 10.0.2.
fn parse_version(said: &str) -> Option<Version> {
    let (_, rest) = said.split_once("QEMU emulator version ")?;
    let number: String = rest.chars().take_while(|c| c.is_ascii_digit() || *c == '.').collect();
    let mut parts = number.split('.').map(|part| part.parse::<u32>().ok());
    Some(Version { major: parts.next()??, minor: parts.next()??, micro: parts.next().flatten().unwrap_or(0) })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn script(folder: &Path, says: &str) -> PathBuf {
        let path = folder.join("qemu");
        // By another process: a file that this one has open for writing is not executable, nor while a child of a test
        // beside this one has inherited that.
        let mut writer = std::process::Command::new("sh");
        let text = format!("#!/bin/sh\necho '{says}'\n");
        writer.args(["-c", r#"printf %s "$1" > "$0" && chmod 755 "$0""#]).arg(&path).arg(text);
        assert!(writer.status().unwrap().success());
        path
    }

    #[test]
    fn versions_are_read_with_and_without_a_distributions_addition() {
        let debian = parse_version("QEMU emulator version 10.0.2 (Debian 1:10.0.2+ds-2)\nCopyright").unwrap();
        assert_eq!(debian.to_string(), "10.0.2");
        assert_eq!(parse_version("QEMU emulator version 7.2").unwrap(), MIN_QEMU);
        assert_eq!(parse_version("qemu-img version 7.2"), None);
    }

    #[tokio::test]
    async fn an_old_qemu_is_told_with_both_versions_and_a_fix() {
        let dir = tempfile::tempdir().unwrap();
        let check = find_qemu(Some(&script(dir.path(), "QEMU emulator version 5.2.0"))).await.unwrap_err();
        assert_eq!(check.name, "qemu.version");
        assert!(check.finding.contains("is QEMU 5.2.0, but Cove needs 7.2.0 or newer"), "{}", check.finding);
        assert!(check.fix.contains("bookworm-backports"));
    }

    #[tokio::test]
    async fn a_missing_qemu_is_told_with_the_package() {
        let check = find_qemu(Some(Path::new("/nonexistent/qemu"))).await.unwrap_err();
        assert_eq!(check.name, "qemu.found");
        assert!(check.fix.contains("apt install qemu-system-x86"));
    }

    #[tokio::test]
    async fn a_new_enough_qemu_is_found() {
        let dir = tempfile::tempdir().unwrap();
        let path = script(dir.path(), "QEMU emulator version 9.1.0");
        assert_eq!(find_qemu(Some(&path)).await.unwrap().path, path);
    }
}
