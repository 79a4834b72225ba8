//! The program: found as Go's exec.LookPath finds it, whose errors Docker's users know, and executed.

use std::{convert::Infallible, ffi::CString};

use rustix::{
    fs::{Access, FileType, access, stat},
    io::Errno,
    stdio,
};

use super::{Newcomer, Step};
use crate::{
    processes::error::{LaunchFailure, errno_text},
    sys::{clone::leave, execute},
    users::User,
};

/// What runc, and therefore Docker, answers for a program that is there and that the kernel cannot execute.
const CANNOT_EXECUTE: i32 = 255;

/// Finds the program: by its path, or, named without a slash, in the folders of PATH.
pub(super) fn find(program: &str, environment: &[String]) -> Result<String, LaunchFailure> {
    if program.contains('/') {
        return match executable(program) {
            Ok(()) => Ok(program.to_owned()),
            Err(Unusable::Stat(errno)) => {
                Err(LaunchFailure::NoEntry { program: program.to_owned(), errno: errno.raw_os_error() })
            }
            Err(Unusable::Directory) => Err(LaunchFailure::IsDirectory { program: program.to_owned() }),
            Err(Unusable::Permission) => Err(LaunchFailure::Permission { program: program.to_owned() }),
        };
    }
    let path = variable(environment, "PATH").unwrap_or_default();
    // An empty entry is the current folder, which Go refuses to execute from without being told to.
    let candidates =
        path.split(':').filter(|folder| folder.starts_with('/')).map(|folder| format!("{folder}/{program}"));
    let mut usable = candidates.filter(|candidate| executable(candidate).is_ok());
    usable.next().ok_or_else(|| LaunchFailure::NotFound { program: program.to_owned() })
}

enum Unusable {
    Stat(Errno),
    Directory,
    Permission,
}

fn executable(path: &str) -> Result<(), Unusable> {
    let facts = stat(path).map_err(Unusable::Stat)?;
    if FileType::from_raw_mode(facts.st_mode) == FileType::Directory {
        return Err(Unusable::Directory);
    }
    access(path, Access::EXEC_OK).map_err(|_| Unusable::Permission)
}

/// The value of a variable; the last one counts.
fn variable<'a>(environment: &'a [String], name: &str) -> Option<&'a str> {
    let value = |variable: &'a String| variable.strip_prefix(name)?.strip_prefix('=');
    environment.iter().rev().find_map(value)
}

/// Executes the program. HOME is the user's unless the environment says otherwise.
pub(super) fn execute(path: &str, newcomer: &Newcomer, user: &User) -> Result<Infallible, LaunchFailure> {
    let strings = |texts: &[String]| -> Result<Vec<CString>, LaunchFailure> {
        let string = |text: &String| CString::new(text.as_bytes()).map_err(|_| Errno::INVAL).step("read the arguments");
        texts.iter().map(string).collect()
    };
    let mut environment = newcomer.process.env.clone();
    if variable(&environment, "HOME").is_none_or(str::is_empty) {
        environment.retain(|variable| !variable.starts_with("HOME="));
        environment.push(format!("HOME={}", user.home));
    }
    let (arguments, environment) = (strings(&newcomer.process.args)?, strings(&environment)?);
    let file = CString::new(path).map_err(|_| Errno::INVAL).step("read the program's path")?;
    let errno = execute::execute(&file, &arguments, &environment);
    // Not the engine's failure but the program's: it has started, said this, and ended.
    let text = format!("exec {path}: {}\n", errno_text(errno.raw_os_error()));
    let _ = rustix::io::write(stdio::stderr(), text.as_bytes());
    leave(CANNOT_EXECUTE)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    fn folder() -> (tempfile::TempDir, Vec<String>, impl Fn(&str) -> String) {
        let folder = tempfile::tempdir().unwrap();
        for (name, mode) in [("first/run", 0o644), ("second/run", 0o755), ("first/data", 0o644)] {
            let path = folder.path().join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(&path, "").unwrap();
            std::fs::set_permissions(&path, PermissionsExt::from_mode(mode)).unwrap();
        }
        let base = folder.path().to_str().unwrap().to_owned();
        let path = format!("PATH=:relative:{base}/first:{base}/second");
        (folder, vec!["PATH=/nosuch".into(), path], move |name: &str| format!("{base}/{name}"))
    }

    #[test]
    fn the_first_that_can_be_executed_is_found() {
        let (_folder, environment, at) = folder();
        assert_eq!(find("run", &environment), Ok(at("second/run")));
        assert_eq!(find(&at("second/run"), &[]), Ok(at("second/run")));
        for name in ["data", "nosuch", "first"] {
            assert_eq!(find(name, &environment), Err(LaunchFailure::NotFound { program: name.into() }));
        }
        assert_eq!(find("run", &[]), Err(LaunchFailure::NotFound { program: "run".into() }));
    }

    #[test]
    fn a_path_says_what_is_wrong_with_it() {
        let (_folder, _, at) = folder();
        let program = at("first/run");
        assert_eq!(find(&program, &[]), Err(LaunchFailure::Permission { program: program.clone() }));
        assert_eq!(find(&at("first"), &[]), Err(LaunchFailure::IsDirectory { program: at("first") }));
        let program = at("nosuch");
        assert_eq!(find(&program, &[]), Err(LaunchFailure::NoEntry { program, errno: libc::ENOENT }));
        let program = at("first/run/x");
        assert_eq!(find(&program, &[]), Err(LaunchFailure::NoEntry { program, errno: libc::ENOTDIR }));
    }
}
