//! Making the `docker` command use Cove: a context named "cove". Docker's own command makes it, so that its files are
//! docker's business.

use std::{
    io::{self, IsTerminal as _},
    process::{Output, Stdio},
};

use tokio::process::Command;

use crate::{
    failure::Failure,
    output::{self},
};

/// Name of the context.
const CONTEXT: &str = "cove";

/// Whether to make the context and use it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Choice {
    /// Do it.
    Yes,
    /// Leave docker alone.
    No,
    /// Ask, if there is a terminal to ask on.
    Ask,
}

/// What docker says about our context now.
#[derive(Debug, PartialEq, Eq)]
enum Found {
    /// There is no docker command.
    NoDocker,
    /// There is no such context.
    Missing,
    /// It is there and leads elsewhere.
    Elsewhere,
    /// It leads here and is not in use.
    Unused,
    /// Nothing is to be done.
    InUse,
}

/// Makes `docker` use the endpoint, if the user wants that.
///
/// # Errors
/// Only if the user said yes and it cannot be done.
pub(crate) async fn offer(choice: Choice, host: &str, show: bool) -> Result<(), Failure> {
    if choice == Choice::No {
        return Ok(());
    }
    let found = look(host).await?;
    match (&found, choice) {
        (Found::InUse, _) | (Found::NoDocker, Choice::Ask) => return Ok(()),
        (Found::NoDocker, _) => {
            return Err(Failure::new("no docker command was found").advice("install it, or leave out --docker-context"));
        }
        (_, Choice::Ask) if !(show && io::stdin().is_terminal() && io::stderr().is_terminal()) => {
            if show {
                output::aside("To use docker with it: cove start --docker-context=yes");
            }
            return Ok(());
        }
        (_, Choice::Ask) if !agreed().await? => {
            output::aside("Left as it is. For one shell: export DOCKER_HOST=$(cove status --docker-host)");
            return Ok(());
        }
        _ => {}
    }
    let endpoint = format!("host={host}");
    match found {
        Found::Missing => {
            docker(&["context", "create", CONTEXT, "--description", "Cove", "--docker", &endpoint]).await?;
        }
        Found::Elsewhere => docker(&["context", "update", CONTEXT, "--docker", &endpoint]).await?,
        Found::NoDocker | Found::Unused | Found::InUse => {}
    }
    docker(&["context", "use", CONTEXT]).await?;
    if show {
        output::aside("docker now uses Cove (context \"cove\"). Back again: docker context use default");
        if std::env::var_os("DOCKER_HOST").is_some() || std::env::var_os("DOCKER_CONTEXT").is_some() {
            output::aside("but DOCKER_HOST or DOCKER_CONTEXT is set in this shell and comes before it");
        }
    }
    Ok(())
}

async fn look(host: &str) -> Result<Found, Failure> {
    let inspected = match ask(&["context", "inspect", CONTEXT, "--format", "{{.Endpoints.docker.Host}}"]).await {
        Ok(inspected) => inspected,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Found::NoDocker),
        Err(error) => return Err(Failure::new("run docker").because(error)),
    };
    if !inspected.status.success() {
        return Ok(Found::Missing);
    }
    if String::from_utf8_lossy(&inspected.stdout).trim() != host {
        return Ok(Found::Elsewhere);
    }
    let shown = ask(&["context", "show"]).await.map_err(|error| Failure::new("run docker").because(error))?;
    let in_use = String::from_utf8_lossy(&shown.stdout).trim() == CONTEXT;
    Ok(if in_use { Found::InUse } else { Found::Unused })
}

async fn agreed() -> Result<bool, Failure> {
    use io::Write as _;
    let mut screen = io::stderr();
    screen.write_all(b"Make docker use Cove (context \"cove\")? [Y/n] ")?;
    screen.flush()?;
    let answer = tokio::task::spawn_blocking(|| {
        let mut line = String::new();
        io::stdin().read_line(&mut line).map(|_| line)
    });
    let answer = answer.await.map_err(io::Error::other).and_then(|read| read);
    let answer = answer.map_err(|error| Failure::new("read the answer").because(error))?;
    Ok(means_yes(&answer))
}

/// Enter alone is yes; the end of the input is not.
fn means_yes(answer: &str) -> bool {
    answer.ends_with('\n') && matches!(answer.trim().to_lowercase().as_str(), "" | "y" | "yes")
}

async fn docker(arguments: &[&str]) -> Result<(), Failure> {
    let failed = || Failure::new(format!("docker {}", arguments.join(" ")));
    let output = ask(arguments).await.map_err(|error| failed().because(error))?;
    if output.status.success() {
        return Ok(());
    }
    Err(failed().because(io::Error::other(String::from_utf8_lossy(&output.stderr).trim().to_owned())))
}

async fn ask(arguments: &[&str]) -> io::Result<Output> {
    Command::new("docker").args(arguments).stdin(Stdio::null()).output().await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn enter_is_yes_and_the_end_of_input_is_no() {
        assert!(["\n", "y\n", "YES\n"].into_iter().all(means_yes));
        assert!(!["", "n\n", "maybe\n", "y"].into_iter().any(means_yes));
    }
}
