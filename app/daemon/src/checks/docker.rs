//! Is there a `docker` that comes to us? Its absence is a warning: `cove` does without.

use std::{env, ffi::OsString, fs, path::PathBuf};

use cove_machine::hypervisor::Check;
use cove_platform::home::Home;
use serde::Deserialize;

use super::{ok, warning};

const CLI: &str = "docker.cli";
const CONTEXT: &str = "docker.context";

/// docker keeps a context in a folder named by the SHA-256 of the context's name; this is "cove".
const CONTEXT_FOLDER: &str = "6a259d3299684d8a1f5693be49dde21e5e22195158487a86c3d73d07c36a5cfc";

/// Where docker's own settings are looked for.
pub(super) struct Surroundings {
    pub(super) path: Option<OsString>,
    pub(super) docker_host: Option<String>,
    pub(super) config: Option<PathBuf>,
}

#[derive(Default, Deserialize)]
struct Config {
    #[serde(rename = "currentContext", default)]
    current_context: String,
}

pub(super) fn check(around: &Surroundings, home: &Home) -> Vec<Check> {
    let Some(program) = find_docker(around) else {
        let fix = "Install Docker's command line (docker-cli), or use cove run, cove ps, ...".to_owned();
        return vec![warning(CLI, "no docker is in the PATH".to_owned(), fix)];
    };
    vec![ok(CLI, format!("{}", program.display())), context(around, home)]
}

fn find_docker(around: &Surroundings) -> Option<PathBuf> {
    let name = format!("docker{}", env::consts::EXE_SUFFIX);
    env::split_paths(around.path.as_ref()?).map(|folder| folder.join(&name)).find(|file| file.is_file())
}

fn context(around: &Surroundings, home: &Home) -> Check {
    let ours = home.docker_endpoint().docker_host();
    // DOCKER_HOST wins over every context.
    if let Some(host) = around.docker_host.as_ref().filter(|host| !host.is_empty()) {
        return if *host == ours {
            ok(CONTEXT, "DOCKER_HOST leads docker to Cove".to_owned())
        } else {
            warning(CONTEXT, format!("DOCKER_HOST leads docker to {host}"), format!("export DOCKER_HOST={ours}"))
        };
    }
    let fix = || "cove start --docker-context=yes".to_owned();
    let Some(config) = around.config.as_ref() else {
        return warning(CONTEXT, "docker's settings are nowhere to be found".to_owned(), fix());
    };
    if !config.join("contexts/meta").join(CONTEXT_FOLDER).is_dir() {
        return warning(CONTEXT, "docker has no context for Cove".to_owned(), fix());
    }
    let current = fs::read(config.join("config.json")).ok();
    let current: Config = current.and_then(|text| serde_json::from_slice(&text).ok()).unwrap_or_default();
    match current.current_context.as_str() {
        "cove" => ok(CONTEXT, "docker uses Cove".to_owned()),
        "" => warning(CONTEXT, "docker uses its default context".to_owned(), "docker context use cove".to_owned()),
        other => warning(CONTEXT, format!("docker uses the context {other}"), "docker context use cove".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use cove_machine::hypervisor::Verdict;

    use super::*;

    struct Case {
        folder: tempfile::TempDir,
        around: Surroundings,
        home: Home,
    }

    fn case() -> Case {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join(format!("docker{}", env::consts::EXE_SUFFIX)), "").unwrap();
        let around = Surroundings {
            path: Some(folder.path().into()),
            docker_host: None,
            config: Some(folder.path().join(".docker")),
        };
        let home = Home::find(Some(folder.path().join("cove"))).unwrap();
        Case { folder, around, home }
    }

    impl Case {
        fn context(&self) -> Check {
            check(&self.around, &self.home).into_iter().find(|check| check.name == CONTEXT).unwrap()
        }

        fn make_context(&self, current: &str) {
            let config = self.folder.path().join(".docker");
            fs::create_dir_all(config.join("contexts/meta").join(CONTEXT_FOLDER)).unwrap();
            fs::write(config.join("config.json"), format!(r#"{{"auths": {{}}, "currentContext": "{current}"}}"#))
                .unwrap();
        }
    }

    #[test]
    fn without_docker_there_is_one_warning() {
        let mut case = case();
        case.around.path = None;
        let checks = check(&case.around, &case.home);
        assert_eq!((checks.len(), checks[0].verdict), (1, Verdict::Warning));
    }

    #[test]
    fn the_context_is_missing_unused_or_in_use() {
        let case = case();
        assert_eq!(case.context().fix, "cove start --docker-context=yes");
        case.make_context("desktop-linux");
        assert_eq!(case.context().fix, "docker context use cove");
        case.make_context("cove");
        assert_eq!(case.context().verdict, Verdict::Ok);
    }

    #[test]
    fn docker_host_wins_over_the_context() {
        let mut case = case();
        case.make_context("cove");
        case.around.docker_host = Some("tcp://elsewhere".to_owned());
        assert!(case.context().finding.contains("tcp://elsewhere"));
        case.around.docker_host = Some(case.home.docker_endpoint().docker_host());
        assert_eq!(case.context().verdict, Verdict::Ok);
    }
}
