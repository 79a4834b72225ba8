//! The programs of ours in the image, built by cargo: static, so that the guest needs no libraries for them, and free of
//! the paths of the machine that they were built on.

use std::{
    env, fs, io,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use anyhow::{Context, Result, bail};

use crate::{arch::Arch, elf};

/// Cargo's package of the agent, and the name of its program.
pub const AGENT: &str = "cove-guest";
/// Cargo's package of what is in the image cove/hello, and the name of its program.
pub const HELLO: &str = "cove-hello";

/// The programs, ready for the guest.
#[derive(Debug)]
pub struct Programs {
    /// PID 1, agent and container-init in one.
    pub agent: Vec<u8>,
    /// What the image cove/hello runs.
    pub hello: Vec<u8>,
    /// Cargo's target folder.
    pub target_dir: PathBuf,
}

impl Programs {
    /// Builds them, or takes a given agent.
    ///
    /// # Errors
    /// If cargo fails, or a program is not a static one for the architecture.
    pub fn build(arch: Arch, agent: Option<&Path>) -> Result<Self> {
        let wanted: &[&str] = if agent.is_some() { &[HELLO] } else { &[AGENT, HELLO] };
        let built = cargo_build(arch, wanted)?;
        let path_of = |name: &str| {
            built
                .iter()
                .find(|path| path.file_name().is_some_and(|file| file == name))
                .with_context(|| format!("cargo has built no program {name}"))
        };
        let hello = path_of(HELLO)?;
        let agent = match agent {
            Some(path) => path,
            None => path_of(AGENT)?,
        };
        // <target>/<triple>/release/cove-hello
        let target_dir = hello.ancestors().nth(3).context("cargo built at an unexpected place")?.to_owned();
        Ok(Self { agent: read_static(agent, arch)?, hello: read_static(hello, arch)?, target_dir })
    }
}

fn read_static(path: &Path, arch: Arch) -> Result<Vec<u8>> {
    let bytes = fs::read(path).with_context(|| format!("read {}", path.display()))?;
    elf::require_static(&bytes, arch).with_context(|| format!("{} cannot run in the guest", path.display()))?;
    Ok(bytes)
}

/// Builds packages of this workspace and answers the paths of their programs.
fn cargo_build(arch: Arch, packages: &[&str]) -> Result<Vec<PathBuf>> {
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).parent().context("this package is in no workspace")?;
    // Set by cargo for what it runs.
    let cargo = env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(cargo);
    command.current_dir(workspace);
    command.args(["build", "--release", "--message-format=json-render-diagnostics", "--target", arch.target()]);
    for package in packages {
        command.args(["--package", package]);
    }
    // Wins over RUSTFLAGS and cargo's configuration: the image does not depend on who builds it.
    command.env("CARGO_ENCODED_RUSTFLAGS", flags(workspace).join("\x1f"));
    // A lint run is not what is wanted in the image, even if this program was started in one.
    command.env_remove("RUSTC_WORKSPACE_WRAPPER").env_remove("CARGO_BUILD_TARGET");
    if let Some((variable, linker)) = arch.cross_linker()
        && env::var_os(variable).is_none()
    {
        command.env(variable, linker);
    }
    command.stdin(Stdio::null()).stderr(Stdio::inherit());
    let output = command.output().map_err(|e| match e.kind() {
        io::ErrorKind::NotFound if workspace.exists() => {
            anyhow::anyhow!("cargo not found: it builds the guest's programs")
        }
        _ => anyhow::Error::new(e).context(format!("run cargo in {}", workspace.display())),
    })?;
    if !output.status.success() {
        bail!("cargo build of {} failed", packages.join(" and "));
    }
    executables(&String::from_utf8_lossy(&output.stdout))
}

fn flags(workspace: &Path) -> Vec<String> {
    let cargo_home = env::var_os("CARGO_HOME").map(PathBuf::from);
    let cargo_home = cargo_home.or_else(|| Some(PathBuf::from(env::var_os("HOME")?).join(".cargo")));
    let mut flags = vec!["-Ctarget-feature=+crt-static".to_owned()];
    flags.push(format!("--remap-path-prefix={}=/cove", workspace.display()));
    flags.extend(cargo_home.map(|home| format!("--remap-path-prefix={}=/cargo", home.display())));
    flags
}

/// The programs that cargo's messages, one JSON object per line, name.
fn executables(messages: &str) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for line in messages.lines().filter(|line| line.starts_with('{')) {
        let message: serde_json::Value = serde_json::from_str(line).context("read cargo's messages")?;
        found.extend(message.get("executable").and_then(|path| path.as_str()).map(PathBuf::from));
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn programs_are_found_in_cargos_messages() {
        let messages = "{\"reason\":\"compiler-artifact\",\"executable\":null}\nnoise\n\
                        {\"reason\":\"compiler-artifact\",\"executable\":\"/t/x/release/cove-guest\"}\n\
                        {\"reason\":\"build-finished\",\"success\":true}\n";
        assert_eq!(executables(messages).unwrap(), [PathBuf::from("/t/x/release/cove-guest")]);
        assert!(executables("{broken").is_err());
    }

    #[test]
    fn a_dynamic_agent_is_refused_with_the_reason() {
        let error = read_static(&env::current_exe().unwrap(), Arch::Amd64).unwrap_err();
        assert!(format!("{error:#}").contains("cannot run in the guest: not a static executable"), "{error:#}");
    }
}
