//! `cove images`: the images that are here.

use std::collections::HashMap;

use cove_proto::v1::{Image, ListImagesRequest, StringList};
use jiff::Timestamp;
use serde::Serialize;

use crate::{
    engine::Engine,
    failure::Outcome,
    output::{self, Format, Table},
};

/// Arguments of `cove images`.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// Only those with this reference; `*` stands for any characters.
    reference: Option<String>,
    /// Only ids.
    #[arg(short, long)]
    quiet: bool,
    /// Ids in full.
    #[arg(long)]
    no_trunc: bool,
}

#[derive(Serialize)]
struct Row<'a> {
    id: &'a str,
    tags: &'a [String],
    digests: &'a [String],
    created_at_seconds: Option<i64>,
    os: &'a str,
    arch: &'a str,
    size_bytes: u64,
    containers: u32,
}

/// Prints the list.
pub(crate) async fn run(arguments: &Arguments, format: Format) -> Outcome {
    let mut filters = HashMap::new();
    if let Some(reference) = &arguments.reference {
        filters.insert("reference".to_owned(), StringList { values: vec![reference.clone()] });
    }
    let images = Engine::reach().await?.images().list_images(ListImagesRequest { filters }).await?.into_inner().images;
    match format {
        Format::Json => output::json(&images.iter().map(as_json).collect::<Vec<_>>())?,
        Format::Text if arguments.quiet => {
            output::text(&images.iter().map(|image| id(image, arguments) + "\n").collect::<String>())?;
        }
        Format::Text => output::text(&text(&images, arguments, Timestamp::now()))?,
    }
    Ok(0)
}

fn as_json(image: &Image) -> Row<'_> {
    Row {
        id: &image.id,
        tags: &image.tags,
        digests: &image.digests,
        created_at_seconds: image.created_at.as_ref().map(|time| time.seconds),
        os: &image.os,
        arch: &image.arch,
        size_bytes: image.size_bytes,
        containers: image.containers,
    }
}

fn id(image: &Image, arguments: &Arguments) -> String {
    if arguments.no_trunc { image.id.clone() } else { output::short_id(&image.id) }
}

/// A row for each tag, as docker does.
fn text(images: &[Image], arguments: &Arguments, now: Timestamp) -> String {
    let mut table = Table::new(&["REPOSITORY", "TAG", "IMAGE ID", "CREATED", "SIZE"]);
    for image in images {
        let untagged = vec!["<none>:<none>".to_owned()];
        let tags = if image.tags.is_empty() { &untagged } else { &image.tags };
        for tag in tags {
            let (repository, tag) = tag.rsplit_once(':').unwrap_or((tag, "<none>"));
            let created = output::age(image.created_at.as_ref(), now);
            table.row([
                repository.to_owned(),
                tag.to_owned(),
                id(image, arguments),
                created.map_or_else(|| "N/A".to_owned(), |age| format!("{age} ago")),
                output::bytes(image.size_bytes),
            ]);
        }
    }
    table.render("")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_tag_has_a_row_and_a_port_is_no_tag() {
        let image = Image {
            id: format!("sha256:{}", "a".repeat(64)),
            tags: vec!["busybox:latest".into(), "host:5000/b:1".into()],
            size_bytes: 1_460_000,
            ..Default::default()
        };
        let arguments = Arguments { reference: None, quiet: false, no_trunc: false };
        let text = text(&[image], &arguments, Timestamp::UNIX_EPOCH);
        let rows: Vec<Vec<&str>> = text
            .lines()
            .map(|line| line.split("   ").map(str::trim).filter(|cell| !cell.is_empty()).collect())
            .collect();
        assert_eq!(rows[1], ["busybox", "latest", "aaaaaaaaaaaa", "N/A", "1.46 MB"]);
        assert_eq!(rows[2], ["host:5000/b", "1", "aaaaaaaaaaaa", "N/A", "1.46 MB"]);
    }
}
