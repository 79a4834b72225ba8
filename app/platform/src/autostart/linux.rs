//! Linux: freedesktop.org's Desktop Application Autostart Specification. The entry is a desktop file, which GNOME, KDE, Xfce
//! and systemd (systemd-xdg-autostart-generator) read.

use std::{io, path::PathBuf};

use super::{
    LABEL,
    entry::{refused, user_folder},
};

/// `$XDG_CONFIG_HOME/autostart/<label>.desktop`.
pub(super) fn path() -> io::Result<PathBuf> {
    let configuration = match directories::BaseDirs::new() {
        Some(folders) => folders.config_dir().to_owned(),
        None => user_folder()?.join(".config"),
    };
    Ok(configuration.join("autostart").join(format!("{LABEL}.desktop")))
}

/// The entry that starts a command line.
pub(super) fn text(words: &[&str]) -> io::Result<String> {
    let program = words.first().copied().unwrap_or_default();
    // Desktop Entry Specification, "The Exec key".
    if program.contains('=') {
        return Err(refused(&format!("{program} cannot be started at login: its path contains an equals sign")));
    }
    if let Some(word) = words.iter().find(|word| word.contains(|c: char| c.is_control() && c != '\t' && c != '\n')) {
        return Err(refused(&format!("{word:?} cannot be started at login: it contains control characters")));
    }
    let exec: Vec<String> = words.iter().map(|word| escaped(&quoted(word))).collect();
    Ok(format!(
        "[Desktop Entry]\nType=Application\nName=Cove\nExec={}\nTerminal=false\nX-GNOME-Autostart-enabled=true\n",
        exec.join(" ")
    ))
}

/// Whether an entry is switched on: programs that manage these files switch one off instead of removing it.
pub(super) fn is_on(text: &str) -> bool {
    let says = |key: &str, value: &str| {
        let mut lines = text.lines().filter_map(|line| line.split_once('='));
        lines.any(|(found, said)| found.trim() == key && said.trim() == value)
    };
    !says("Hidden", "true") && !says("X-GNOME-Autostart-enabled", "false")
}

/// One argument of Exec: in quotes, and no field code.
fn quoted(word: &str) -> String {
    let mut quoted = String::from('"');
    for c in word.chars() {
        match c {
            '"' | '`' | '$' | '\\' => quoted.extend(['\\', c]),
            '%' => quoted.push_str("%%"),
            c => quoted.push(c),
        }
    }
    quoted.push('"');
    quoted
}

/// A value as the file has it: its escapes are undone before the quotes are looked at.
fn escaped(value: &str) -> String {
    value.replace('\\', r"\\").replace('\n', r"\n").replace('\t', r"\t")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn exec(words: &[&str]) -> String {
        let text = text(words).unwrap();
        text.lines().find_map(|line| line.strip_prefix("Exec=")).unwrap().to_owned()
    }

    /// What a reader of the specification makes of Exec, written from its text.
    fn read(exec: &str) -> Vec<String> {
        let value = exec.replace(r"\\", "\0").replace(r"\n", "\n").replace(r"\t", "\t").replace('\0', "\\");
        let (mut words, mut word, mut open) = (Vec::new(), String::new(), false);
        let mut chars = value.chars();
        while let Some(c) = chars.next() {
            match (c, open) {
                ('"', false) => open = true,
                ('"', true) => {
                    open = false;
                    words.push(std::mem::take(&mut word));
                }
                ('\\', true) => word.extend(chars.next()),
                ('%', _) => {
                    assert_eq!(chars.next(), Some('%'), "a field code in {exec}");
                    word.push('%');
                }
                (c, true) => word.push(c),
                (c, false) => assert_eq!(c, ' ', "outside of quotes in {exec}"),
            }
        }
        assert!(!open, "an open quote in {exec}");
        words
    }

    #[test]
    fn a_plain_entry_is_readable() {
        let said = text(&["/opt/cove/bin/cove-desktop", "--hidden"]).unwrap();
        assert_eq!(
            said,
            "[Desktop Entry]\nType=Application\nName=Cove\nExec=\"/opt/cove/bin/cove-desktop\" \"--hidden\"\n\
             Terminal=false\nX-GNOME-Autostart-enabled=true\n"
        );
        assert!(is_on(&said));
    }

    #[test]
    fn the_escapes_are_those_of_the_specification() {
        assert_eq!(exec(&["/a$b"]), r#""/a\\$b""#);
        assert_eq!(exec(&[r"/a\b"]), r#""/a\\\\b""#);
        assert_eq!(exec(&["/50%"]), r#""/50%%""#);
    }

    #[test]
    fn any_path_comes_back_as_it_was() {
        let evil = [
            "/home/me/My Apps/cove",
            "/a\"b'c`id`$(id)$HOME",
            r"/back\slash\\s\n\t",
            "/100%/%f/%U/%",
            "/new\nExec=evil\tx",
            "/; rm -rf ~ & | > < * ? # ( )",
            "/한국어/\u{202e}gpj",
            "",
        ];
        for word in evil {
            assert_eq!(read(&exec(&["/cove", word])), ["/cove", word]);
            assert_eq!(exec(&["/cove", word]).lines().count(), 1);
        }
        assert_eq!(read(&exec(&evil)), evil);
    }

    #[test]
    fn what_the_specification_has_no_place_for_is_refused() {
        for words in [&["/a=b"][..], &["/cove", "\0"], &["/bell\u{7}"], &["/return\r"]] {
            assert_eq!(text(words).unwrap_err().kind(), io::ErrorKind::InvalidInput, "{words:?}");
        }
    }

    #[test]
    fn an_entry_that_others_have_switched_off_is_off() {
        assert!(!is_on("[Desktop Entry]\nExec=cove\nX-GNOME-Autostart-enabled=false\n"));
        assert!(!is_on("[Desktop Entry]\nHidden = true\n"));
        assert!(is_on("[Desktop Entry]\nHidden=false\n"));
    }
}
