//! `cove diff`: in what the files of a container differ from its image's.

use cove_proto::v1::{FileChange, FileChangeKind, ListFileChangesRequest};
use serde::Serialize;

use crate::{
    engine::Engine,
    failure::Outcome,
    output::{self, Format},
};

/// Arguments of `cove diff`.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// The container.
    container: String,
}

#[derive(Serialize)]
struct Change<'a> {
    path: &'a str,
    kind: &'static str,
}

/// Shows a line for each difference, as docker does: A for added, C for changed, D for deleted.
pub(crate) async fn run(arguments: Arguments, format: Format) -> Outcome {
    let mut files = Engine::reach().await?.files();
    let request = ListFileChangesRequest { container: arguments.container };
    let changes = files.list_file_changes(request).await?.into_inner().changes;
    match format {
        Format::Json => output::json(&changes.iter().map(as_json).collect::<Vec<_>>())?,
        Format::Text => output::text(&changes.iter().map(line).collect::<String>())?,
    }
    Ok(0)
}

fn as_json(change: &FileChange) -> Change<'_> {
    let kind = match change.kind() {
        FileChangeKind::Added => "added",
        FileChangeKind::Deleted => "deleted",
        FileChangeKind::Modified | FileChangeKind::Unspecified => "changed",
    };
    Change { path: &change.path, kind }
}

fn line(change: &FileChange) -> String {
    let letter = match change.kind() {
        FileChangeKind::Added => 'A',
        FileChangeKind::Deleted => 'D',
        FileChangeKind::Modified | FileChangeKind::Unspecified => 'C',
    };
    format!("{letter} {}\n", change.path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_change_has_dockers_letter() {
        let change = |kind: FileChangeKind| FileChange { path: "/x".into(), kind: kind.into() };
        let kinds = [FileChangeKind::Added, FileChangeKind::Deleted, FileChangeKind::Modified];
        assert_eq!(kinds.map(|kind| line(&change(kind))), ["A /x\n", "D /x\n", "C /x\n"]);
        assert_eq!(kinds.map(|kind| as_json(&change(kind)).kind), ["added", "deleted", "changed"]);
    }
}
