//! Starting the daemon: detached, beside this program, with its words in its log.

use std::{
    env, fs, io,
    path::{Path, PathBuf},
    process::Stdio,
    time::Duration,
};

use cove_platform::{home::Home, local::LocalStream, process};

use crate::{connection::Engine, error::ClientError};

/// How often the socket is tried while the daemon starts. A socket that appears gives no event that all systems know.
const LOOK: Duration = Duration::from_millis(10);

/// Whether the daemon ran already.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Started {
    /// Somebody else had started it.
    Before,
    /// This program has.
    Now,
}

/// Starts the daemon and answers when it can be connected to.
pub(crate) async fn daemon(home: &Home) -> Result<Engine, ClientError> {
    home.prepare().map_err(ClientError::Prepare)?;
    let program = program()?;
    let log = home.daemon_log();
    let said_before = fs::metadata(&log).map_or(0, |log| log.len());
    let failed = |source| ClientError::Spawn { program: program.clone(), source };
    let mut child = spawn(&program, home, &log).map_err(failed)?;

    let endpoint = home.engine_endpoint();
    loop {
        if LocalStream::connect(&endpoint).await.is_ok() {
            return Ok(Engine::over(endpoint));
        }
        tokio::select! {
            ended = child.wait() => {
                let ended = ended.map_err(failed)?;
                // Two commands at once start two daemons; the second gives way to the first.
                if LocalStream::connect(&endpoint).await.is_ok() {
                    return Ok(Engine::over(endpoint));
                }
                let said = said_since(&log, said_before);
                let said = if said.is_empty() { ended.to_string() } else { said };
                return Err(ClientError::Ended { program, said, log });
            }
            () = tokio::time::sleep(LOOK) => {}
        }
    }
}

/// `coved` beside this program.
fn program() -> Result<PathBuf, ClientError> {
    let own = env::current_exe().map_err(ClientError::OwnPlace)?;
    let program = own.with_file_name(format!("coved{}", env::consts::EXE_SUFFIX));
    if program.is_file() {
        return Ok(program);
    }
    Err(ClientError::NoProgram { program, beside: own })
}

fn spawn(program: &Path, home: &Home, log: &Path) -> io::Result<tokio::process::Child> {
    let log = fs::File::options().create(true).append(true).open(log)?;
    let mut command = std::process::Command::new(program);
    command.arg("--home").arg(home.path());
    command.stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log);
    process::detach(&mut command);
    tokio::process::Command::from(command).spawn()
}

/// The last line that the log gained.
fn said_since(log: &Path, offset: u64) -> String {
    let said = fs::read(log).unwrap_or_default();
    let start = usize::try_from(offset).unwrap_or(usize::MAX).min(said.len());
    let said = String::from_utf8_lossy(&said[start..]).into_owned();
    said.lines().rfind(|line| !line.trim().is_empty()).unwrap_or_default().trim().to_owned()
}
