//! Where what is copied lands: docker's rules (moby's `PrepareArchiveCopy`).

use crate::failure::Failure;

/// What is at the place that was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum There {
    /// Nothing.
    Nothing,
    /// A folder.
    Folder,
    /// Something else.
    File,
}

/// Where it lands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Landing {
    /// In the folder, under the name that it has.
    Inside,
    /// Beside or over what is there, under the name that was asked for.
    As,
}

/// Decides.
///
/// # Errors
/// A folder cannot take the place of a file, and a file none of a folder that is not there.
pub(super) fn landing(source_is_folder: bool, there: There, is_to_be_folder: bool) -> Result<Landing, Failure> {
    match there {
        There::Folder => Ok(Landing::Inside),
        There::File if source_is_folder => Err(Failure::new("cannot copy directory")),
        There::Nothing if !source_is_folder && is_to_be_folder => Err(Failure::new("no such directory")),
        There::File | There::Nothing => Ok(Landing::As),
    }
}

/// A path as it was typed, of a container ("/" between its parts) or of this computer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Typed {
    /// What comes before the last part: "/a" of "/a/b", "." of "b".
    pub(super) parent: String,
    /// The last part; "." where the content of a folder is meant: "/a/.".
    pub(super) last: String,
    /// Whether it must be a folder: "/a/", "/a/.".
    pub(super) is_folder: bool,
}

impl Typed {
    /// Takes it apart at these separators.
    pub(super) fn of(path: &str, is_separator: fn(char) -> bool) -> Self {
        let parts: Vec<&str> = path.split(is_separator).collect();
        let is_content = parts.last() == Some(&".");
        let is_folder = is_content || (path.ends_with(is_separator) && !path.is_empty());
        let trimmed = path.trim_end_matches(|c| is_separator(c) || (is_content && c == '.'));
        if is_content {
            let parent = if trimmed.is_empty() { root_or_here(path, is_separator) } else { trimmed.to_owned() };
            return Self { parent, last: ".".to_owned(), is_folder };
        }
        let (parent, last) = match trimmed.rfind(is_separator) {
            Some(at) => (trimmed.get(..=at).unwrap_or_default(), trimmed.get(at + 1..).unwrap_or_default()),
            None if trimmed.is_empty() && !path.is_empty() => ("/", "."),
            None => (".", trimmed),
        };
        Self { parent: parent.to_owned(), last: last.to_owned(), is_folder }
    }

    /// One of a container.
    pub(super) fn in_container(path: &str) -> Self {
        Self::of(path, |c| c == '/')
    }

    /// One of this computer.
    pub(super) fn here(path: &str) -> Self {
        Self::of(path, std::path::is_separator)
    }

    /// Whether the content of a folder is meant.
    pub(super) fn is_content(&self) -> bool {
        self.last == "."
    }
}

fn root_or_here(path: &str, is_separator: fn(char) -> bool) -> String {
    if path.starts_with(is_separator) { "/" } else { "." }.to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_lands_as_with_docker() {
        let lands = |folder, there, to_be_folder| landing(folder, there, to_be_folder).map_err(|e| e.to_string());
        assert_eq!(lands(true, There::Folder, false), Ok(Landing::Inside));
        assert_eq!(lands(false, There::Folder, true), Ok(Landing::Inside));
        assert_eq!(lands(false, There::File, false), Ok(Landing::As));
        assert_eq!(lands(true, There::Nothing, true), Ok(Landing::As));
        assert_eq!(lands(false, There::Nothing, false), Ok(Landing::As));
        assert_eq!(lands(true, There::File, false), Err("cannot copy directory".to_owned()));
        assert_eq!(lands(false, There::Nothing, true), Err("no such directory".to_owned()));
    }

    #[test]
    fn paths_are_taken_apart_as_they_were_typed() {
        let parts = |path| {
            let typed = Typed::in_container(path);
            (typed.parent, typed.last, typed.is_folder)
        };
        for (path, parent, last, is_folder) in [
            ("/a/b", "/a/", "b", false),
            ("/a/b/", "/a/", "b", true),
            ("/a/b/.", "/a/b", ".", true),
            ("/a", "/", "a", false),
            ("a", ".", "a", false),
            ("a/", ".", "a", true),
            (".", ".", ".", true),
            ("/", "/", ".", true),
            ("/.", "/", ".", true),
            ("a/.b", "a/", ".b", false),
            ("a/b.", "a/", "b.", false),
            ("..", ".", "..", false),
        ] {
            assert_eq!(parts(path), (parent.to_owned(), last.to_owned(), is_folder), "{path}");
        }
    }
}
