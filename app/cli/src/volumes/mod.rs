//! Commands about volumes: `cove volume ls` and so on.

mod create;
mod inspect;
mod list;
mod prune;
mod remove;

use std::collections::HashMap;

use cove_proto::v1::{StringList, Volume};
use serde::Serialize;

use crate::{failure::Outcome, output::Format};

/// `cove volume`.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Command {
    /// List volumes.
    #[command(visible_alias = "list")]
    Ls(list::Arguments),
    /// Make a volume and print its name.
    Create(create::Arguments),
    /// Say all about volumes.
    Inspect(inspect::Arguments),
    /// Remove volumes and what is in them.
    #[command(visible_alias = "remove")]
    Rm(remove::Arguments),
    /// Remove the volumes that no container uses.
    Prune(prune::Arguments),
}

impl Command {
    /// Does it.
    pub(crate) async fn run(self, format: Format) -> Outcome {
        match self {
            Self::Ls(arguments) => list::run(&arguments, format).await,
            Self::Create(arguments) => create::run(arguments).await,
            Self::Inspect(arguments) => inspect::run(arguments).await,
            Self::Rm(arguments) => remove::run(arguments).await,
            Self::Prune(arguments) => prune::run(&arguments, format).await,
        }
    }
}

/// A volume, for programs.
#[derive(Serialize)]
struct Row<'a> {
    name: &'a str,
    driver: &'a str,
    mountpoint: &'a str,
    created_at_seconds: Option<i64>,
    labels: &'a HashMap<String, String>,
    options: &'a HashMap<String, String>,
    anonymous: bool,
    bytes: Option<u64>,
    containers: u32,
}

impl<'a> From<&'a Volume> for Row<'a> {
    fn from(volume: &'a Volume) -> Self {
        Self {
            name: &volume.name,
            driver: &volume.driver,
            mountpoint: &volume.mountpoint,
            created_at_seconds: volume.created_at.as_ref().map(|time| time.seconds),
            labels: &volume.labels,
            options: &volume.options,
            anonymous: volume.anonymous,
            bytes: volume.bytes,
            containers: volume.containers,
        }
    }
}

/// Filters as they are written: "KEY=VALUE".
pub(crate) fn filters(written: &[String]) -> HashMap<String, StringList> {
    let mut filters: HashMap<String, StringList> = HashMap::new();
    for filter in written {
        let (key, value) = filter.split_once('=').unwrap_or((filter, ""));
        filters.entry(key.to_owned()).or_default().values.push(value.to_owned());
    }
    filters
}

/// "NAME=VALUE" as a pair; a name alone has an empty value.
pub(crate) fn pairs(written: Vec<String>) -> HashMap<String, String> {
    let pair = |text: String| match text.split_once('=') {
        Some((name, value)) => (name.to_owned(), value.to_owned()),
        None => (text, String::new()),
    };
    written.into_iter().map(pair).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn filters_and_pairs_are_split_at_the_first_sign() {
        let written = ["label=a=b", "label=c", "dangling=true"].map(str::to_owned);
        let filters = filters(&written);
        assert_eq!(filters["label"].values, ["a=b", "c"]);
        assert_eq!(filters["dangling"].values, ["true"]);
        let pairs = pairs(vec!["o=size=1m".into(), "x".into()]);
        assert_eq!((pairs["o"].as_str(), pairs["x"].as_str()), ("size=1m", ""));
    }
}
