//! macOS: a launch agent of this user, launchd.plist(5). Launchd reads the folder at each login, so nothing is loaded or
//! unloaded here: that would start a second one, or end the one that asks.
//!
//! The user can switch the entry off in System Settings (Login Items) as well; no file says so, and [`is_on`] does not know.

use std::{io, path::PathBuf};

use super::{
    LABEL,
    entry::{refused, user_folder},
};

/// `~/Library/LaunchAgents/<label>.plist`.
pub(super) fn path() -> io::Result<PathBuf> {
    Ok(user_folder()?.join("Library/LaunchAgents").join(format!("{LABEL}.plist")))
}

/// The entry that starts a command line. Interactive: launchd takes CPU time and disk bandwidth from others.
pub(super) fn text(words: &[&str]) -> io::Result<String> {
    // XML 1.0 has no way to write them, and the line's end would become another one.
    if let Some(word) = words.iter().find(|word| word.contains(is_no_xml)) {
        return Err(refused(&format!("{word:?} cannot be started at login: it contains control characters")));
    }
    let words: String = words.iter().map(|word| format!("        <string>{}</string>\n", escaped(word))).collect();
    Ok(format!(
        r#"<?xml version="1.0" encoding="UTF-8"?>
<!DOCTYPE plist PUBLIC "-//Apple//DTD PLIST 1.0//EN" "http://www.apple.com/DTDs/PropertyList-1.0.dtd">
<plist version="1.0">
<dict>
    <key>Label</key>
    <string>{LABEL}</string>
    <key>ProgramArguments</key>
    <array>
{words}    </array>
    <key>RunAtLoad</key>
    <true/>
    <key>ProcessType</key>
    <string>Interactive</string>
</dict>
</plist>
"#
    ))
}

/// Whether an entry is switched on: one that is there is.
pub(super) fn is_on(_: &str) -> bool {
    true
}

fn is_no_xml(c: char) -> bool {
    c.is_control() && c != '\t' && c != '\n' || matches!(c, '\u{fffe}' | '\u{ffff}')
}

fn escaped(word: &str) -> String {
    word.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The strings of the program's array, by a reader that knows no more of XML than the five entities.
    fn read(text: &str) -> Vec<String> {
        let array = text.split_once("<array>").unwrap().1.split_once("</array>").unwrap().0;
        let strings = array.split("<string>").skip(1);
        strings
            .map(|string| {
                let (raw, rest) = string.split_once("</string>").unwrap();
                assert!(rest.trim().is_empty() && !raw.contains('<'), "{raw}");
                raw.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")
            })
            .collect()
    }

    #[test]
    fn a_plain_entry_has_its_label_and_runs_at_login() {
        let said = text(&["/Applications/Cove.app/Contents/MacOS/cove-desktop", "--hidden"]).unwrap();
        assert!(said.contains("<key>Label</key>\n    <string>dev.cove.desktop</string>"), "{said}");
        assert!(said.contains("<key>RunAtLoad</key>\n    <true/>"), "{said}");
        assert_eq!(read(&said), ["/Applications/Cove.app/Contents/MacOS/cove-desktop", "--hidden"]);
    }

    #[test]
    fn any_path_comes_back_as_it_was() {
        let evil = [
            "/Users/me/My Apps & more/cove",
            "/</string></array><key>Program</key><string>/bin/sh",
            "/&lt;not markup&gt;&amp;amp;",
            "/a\"b'c`id`$(id)\\",
            "/]]>--><!-- &evil;",
            "/two\nlines\tx",
            "/한국어/\u{202e}gpj",
            "",
        ];
        assert_eq!(read(&text(&evil).unwrap()), evil);
    }

    #[test]
    fn what_xml_cannot_say_is_refused() {
        for word in ["/nul\0", "/escape\u{1b}[31m", "/return\r", "/\u{ffff}", "/\u{85}"] {
            assert_eq!(text(&["/cove", word]).unwrap_err().kind(), io::ErrorKind::InvalidInput, "{word:?}");
        }
    }
}
