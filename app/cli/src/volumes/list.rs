//! `cove volume ls`.

use cove_proto::v1::{ListVolumesRequest, Volume};
use jiff::Timestamp;

use super::Row;
use crate::{
    engine::Engine,
    failure::Outcome,
    output::{self, Format, Table},
};

/// Arguments of `cove volume ls`.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// Only those that match: dangling=true, label=NAME[=VALUE], name=TEXT.
    #[arg(short, long, value_name = "KEY=VALUE")]
    filter: Vec<String>,
    /// Only names.
    #[arg(short, long)]
    quiet: bool,
    /// With sizes, which takes time.
    #[arg(short, long)]
    size: bool,
}

/// Prints the list.
pub(super) async fn run(arguments: &Arguments, format: Format) -> Outcome {
    let request = ListVolumesRequest { filters: super::filters(&arguments.filter), sizes: arguments.size };
    let volumes = Engine::reach().await?.volumes().list_volumes(request).await?.into_inner().volumes;
    match format {
        Format::Json => output::json(&volumes.iter().map(Row::from).collect::<Vec<_>>())?,
        Format::Text if arguments.quiet => {
            output::text(&volumes.iter().map(|volume| format!("{}\n", volume.name)).collect::<String>())?;
        }
        Format::Text => output::text(&text(&volumes, arguments.size, Timestamp::now()))?,
    }
    Ok(0)
}

fn text(volumes: &[Volume], sizes: bool, now: Timestamp) -> String {
    let mut heading = vec!["NAME", "CREATED", "CONTAINERS"];
    heading.extend(sizes.then_some("SIZE"));
    let mut table = Table::new(&heading);
    for volume in volumes {
        let created = output::age(volume.created_at.as_ref(), now).map_or_else(String::new, |age| format!("{age} ago"));
        let containers = volume.containers.to_string();
        if sizes {
            let size = volume.bytes.map_or_else(|| "unknown".to_owned(), output::bytes);
            table.row([volume.name.clone(), created, containers, size]);
        } else {
            table.row([volume.name.clone(), created, containers]);
        }
    }
    table.render("")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_there_when_asked_for() {
        let volumes = [
            Volume { name: "data".into(), bytes: Some(1_460_000), containers: 2, ..Default::default() },
            Volume { name: "odd".into(), ..Default::default() },
        ];
        let rows = |sizes| {
            let text = text(&volumes, sizes, Timestamp::UNIX_EPOCH);
            text.lines().map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ")).collect::<Vec<_>>()
        };
        assert_eq!(rows(false), ["NAME CREATED CONTAINERS", "data 2", "odd 0"]);
        assert_eq!(rows(true), ["NAME CREATED CONTAINERS SIZE", "data 2 1.46 MB", "odd 0 unknown"]);
    }
}
