//! A value in the registry, of this user's key `Run`: a command line that Windows starts at each login. Task Manager and
//! Settings switch one off in another key, whose value begins with an odd number then.

use std::{
    io,
    path::{Path, absolute},
};

use windows_registry::{CURRENT_USER, Key};

use super::LABEL;

const RUN: &str = r"Software\Microsoft\Windows\CurrentVersion\Run";
const SWITCHES: &str = r"Software\Microsoft\Windows\CurrentVersion\Explorer\StartupApproved\Run";

/// Windows takes no longer command lines from there.
const MOST_CHARACTERS: usize = 260;

pub(super) fn is_enabled() -> io::Result<bool> {
    is_enabled_in(CURRENT_USER)
}

pub(super) fn enable(program: &Path, arguments: &[&str]) -> io::Result<()> {
    enable_in(CURRENT_USER, program, arguments)
}

pub(super) fn disable() -> io::Result<()> {
    disable_in(CURRENT_USER)
}

fn is_enabled_in(user: &Key) -> io::Result<bool> {
    let Some(run) = if_there(user.open(RUN))? else { return Ok(false) };
    if if_there(run.get_string(LABEL))?.is_none() {
        return Ok(false);
    }
    let Some(switches) = if_there(user.open(SWITCHES))? else { return Ok(true) };
    let switch = if_there(switches.get_value(LABEL))?;
    Ok(switch.and_then(|switch| switch.first().copied()).is_none_or(|state| state % 2 == 0))
}

fn enable_in(user: &Key, program: &Path, arguments: &[&str]) -> io::Result<()> {
    let line = command_line(program, arguments)?;
    user.create(RUN).and_then(|run| run.set_string(LABEL, line)).map_err(|error| said(error.code().0))?;
    remove(user, SWITCHES)
}

fn disable_in(user: &Key) -> io::Result<()> {
    remove(user, RUN)?;
    remove(user, SWITCHES)
}

fn remove(user: &Key, key: &str) -> io::Result<()> {
    let Some(key) = if_there(user.options().read().write().open(key))? else { return Ok(()) };
    if_there(key.remove_value(LABEL)).map(drop)
}

fn command_line(program: &Path, arguments: &[&str]) -> io::Result<String> {
    let refused = |why: String| io::Error::new(io::ErrorKind::InvalidInput, why);
    if absolute(program)? != program {
        return Err(refused(format!("{} is not an absolute path", program.display())));
    }
    let name = program.to_str().ok_or_else(|| refused(format!("the path {} is not Unicode", program.display())))?;
    let words: Vec<String> = std::iter::once(&name).chain(arguments).map(|word| quoted(word)).collect();
    let line = words.join(" ");
    if line.contains('\0') || line.encode_utf16().count() > MOST_CHARACTERS {
        return Err(refused(format!(
            "Windows starts no such command line at login, it is too long or has a zero: {line}"
        )));
    }
    Ok(line)
}

/// As CommandLineToArgvW undoes it: backslashes count double before a quote, and nowhere else.
fn quoted(word: &str) -> String {
    let mut text = String::from('"');
    let mut backslashes = 0;
    for character in word.chars() {
        if character == '"' {
            text.extend(std::iter::repeat_n('\\', backslashes + 1));
        }
        backslashes = if character == '\\' { backslashes + 1 } else { 0 };
        text.push(character);
    }
    text.extend(std::iter::repeat_n('\\', backslashes));
    text + "\""
}

fn if_there<T>(asked: windows_registry::Result<T>) -> io::Result<Option<T>> {
    match asked.map_err(|error| said(error.code().0)) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        answer => answer.map(Some),
    }
}

/// The registry's errors are the system's, in the form of HRESULTs.
fn said(hresult: i32) -> io::Error {
    io::Error::from_raw_os_error(hresult & 0xffff)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A user of the test's own.
    struct User(Key, String);

    impl User {
        fn new(test: &str) -> Self {
            let path = format!(r"Software\Cove tests\{test} {}", std::process::id());
            Self(CURRENT_USER.create(&path).unwrap(), path)
        }
    }

    impl Drop for User {
        fn drop(&mut self) {
            CURRENT_USER.remove_tree(&self.1).unwrap();
        }
    }

    #[test]
    fn it_is_switched_on_replaced_and_switched_off() {
        let user = User::new("life");
        assert!(!is_enabled_in(&user.0).unwrap());
        disable_in(&user.0).unwrap();
        enable_in(&user.0, Path::new(r"C:\old.exe"), &[]).unwrap();
        enable_in(&user.0, Path::new(r"C:\Program Files\Cove\cove.exe"), &["--hidden"]).unwrap();
        assert!(is_enabled_in(&user.0).unwrap());
        let line = user.0.open(RUN).unwrap().get_string(LABEL).unwrap();
        assert_eq!(line, r#""C:\Program Files\Cove\cove.exe" "--hidden""#);
        disable_in(&user.0).unwrap();
        assert!(!is_enabled_in(&user.0).unwrap());
        assert_eq!(user.0.open(RUN).unwrap().values().unwrap().count(), 0);
    }

    #[test]
    fn what_the_user_has_switched_off_in_task_manager_is_off_until_it_is_enabled_again() {
        let user = User::new("switch");
        let (program, switches) = (Path::new(r"C:\cove.exe"), user.0.create(SWITCHES).unwrap());
        let switch = |state: u8| {
            let value = [state, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8];
            switches.set_bytes(LABEL, windows_registry::Type::Bytes, &value).unwrap();
        };
        enable_in(&user.0, program, &[]).unwrap();
        switch(3);
        assert!(!is_enabled_in(&user.0).unwrap());
        switch(2);
        assert!(is_enabled_in(&user.0).unwrap());
        switch(3);
        enable_in(&user.0, program, &[]).unwrap();
        assert!(is_enabled_in(&user.0).unwrap());
    }

    #[test]
    fn the_registry_of_this_user_can_be_asked() {
        assert!(!is_enabled().unwrap());
    }

    #[test]
    fn words_are_quoted_as_windows_takes_them_apart() {
        assert_eq!(quoted(r"C:\a b\"), r#""C:\a b\\""#);
        assert_eq!(quoted(r#"say "hi"\"#), r#""say \"hi\"\\""#);
        assert_eq!(quoted(r#"\"#), r#""\\""#);
        assert_eq!(quoted(r#"a\\"b"#), r#""a\\\\\"b""#);
        assert_eq!(quoted(""), r#""""#);
    }

    #[test]
    fn what_windows_would_not_start_is_refused() {
        let refused = |program: &str, argument: &str| command_line(Path::new(program), &[argument]).unwrap_err().kind();
        assert_eq!(refused("cove.exe", ""), io::ErrorKind::InvalidInput);
        assert_eq!(refused(r"C:\cove.exe", &"x".repeat(250)), io::ErrorKind::InvalidInput);
        assert_eq!(refused(r"C:\cove.exe", "\0"), io::ErrorKind::InvalidInput);
        assert!(command_line(Path::new(r"C:\cove.exe"), &[&"x".repeat(240)]).is_ok());
    }
}
