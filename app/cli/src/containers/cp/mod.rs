//! `cove cp`: files into a container and out of it. What lands where, and the words when it cannot, are those of `docker cp`.
//!
//! * [`landing`] — where what is copied lands, and under which name.
//! * [`into`], [`out`] — the two ways.
//! * [`pack`], [`unpack`] — this computer's files to a tar, and back.

mod into;
mod landing;
mod out;
mod pack;
mod unpack;

use std::{
    io::{self, IsTerminal as _},
    path::Path,
};

use crate::{
    failure::{Failure, Outcome},
    output,
};

/// Arguments of `cove cp`.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// Give what is copied into a container to its user, whoever owns it here.
    #[arg(short, long)]
    archive: bool,
    /// Copy what a symbolic link SOURCE leads to, not the link.
    #[arg(short = 'L', long)]
    follow_link: bool,
    /// Do not say how much was copied. It is said on a terminal alone.
    #[arg(short, long)]
    quiet: bool,
    /// CONTAINER:PATH, a path of this computer, or - for a tar from standard input.
    source: String,
    /// CONTAINER:PATH, a path of this computer, or - for a tar to standard output.
    destination: String,
}

/// Copies.
pub(crate) async fn run(arguments: Arguments) -> Outcome {
    for (what, word) in [("source", &arguments.source), ("destination", &arguments.destination)] {
        if word.is_empty() {
            return Err(Failure::new(format!("{what} can not be empty")));
        }
    }
    match (container(&arguments.source), container(&arguments.destination)) {
        (Some(_), Some(_)) => Err(Failure::new("copying between containers is not supported")),
        (Some(source), None) => out::copy(source, &arguments.destination, &arguments).await,
        (None, Some(destination)) => into::copy(&arguments.source, destination, &arguments).await,
        (None, None) => Err(Failure::new("must specify at least one container source")),
    }?;
    Ok(0)
}

/// A path in a container.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct InContainer<'a> {
    container: &'a str,
    path: &'a str,
}

/// The container and the path of "NAME:PATH". With a drive or a dot before the colon it is a path of this computer.
fn container(word: &str) -> Option<InContainer<'_>> {
    if Path::new(word).has_root() || word.starts_with('.') {
        return None;
    }
    word.split_once(':').filter(|(name, _)| !name.is_empty()).map(|(container, path)| InContainer { container, path })
}

/// docker's last word, for who has a terminal.
fn say(arguments: &Arguments, bytes: u64, whereto: &str) {
    if !arguments.quiet && io::stderr().is_terminal() {
        output::aside(&format!("Successfully copied {} to {whereto}", output::bytes(bytes).replace(' ', "")));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_before_a_colon_is_a_container() {
        let is = |container, path| Some(InContainer { container, path });
        assert_eq!(container("web:/etc/x"), is("web", "/etc/x"));
        assert_eq!(container("web:a:b"), is("web", "a:b"));
        assert_eq!(container("web:"), is("web", ""));
        for local in ["/a:b", "./a:b", "../a:b", "file", "-", ":x"] {
            assert_eq!(container(local), None, "{local}");
        }
    }
}
