//! `cove logs`: what a container wrote.

use cove_proto::v1::{GetContainerLogsRequest, GetContainerLogsResponse};
use jiff::Timestamp;

use crate::{engine::Engine, failure::Outcome, stdio::Screen};

/// Arguments of `cove logs`.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// Go on until the container ends.
    #[arg(short, long)]
    follow: bool,
    /// Put the time before each line.
    #[arg(short, long)]
    timestamps: bool,
    /// Put what the log's options want said before each line: labels, variables, a tag.
    #[arg(long)]
    details: bool,
    /// Only so many lines from the end.
    #[arg(short = 'n', long, value_name = "LINES")]
    tail: Option<u64>,
    /// The container.
    container: String,
}

/// Prints it, each stream to its own.
pub(crate) async fn run(arguments: Arguments) -> Outcome {
    let request = GetContainerLogsRequest {
        container: arguments.container,
        stdout: true,
        stderr: true,
        follow: arguments.follow,
        since: None,
        until: None,
        tail_lines: arguments.tail,
    };
    let mut lines = Engine::reach().await?.containers().get_container_logs(request).await?.into_inner();
    let mut screen = Screen::take();
    while let Some(line) = lines.message().await? {
        let stream = line.stream();
        if arguments.timestamps && !line.continues {
            screen.write(stream, stamp(&line).as_bytes()).await?;
        }
        if arguments.details && !line.continues {
            screen.write(stream, details(&line).as_bytes()).await?;
        }
        screen.write(stream, &line.data).await?;
    }
    Ok(0)
}

/// The time as docker writes it: nine digits behind the point, always.
fn stamp(line: &GetContainerLogsResponse) -> String {
    let time = line.time.as_ref().and_then(|time| Timestamp::new(time.seconds, time.nanos).ok());
    time.map(|time| format!("{time:.9} ")).unwrap_or_default()
}

/// "name=value,...", in order of the names.
fn details(line: &GetContainerLogsResponse) -> String {
    let mut pairs: Vec<_> = line.attributes.iter().map(|(name, value)| format!("{name}={value}")).collect();
    pairs.sort();
    pairs.join(",") + " "
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn details_are_in_order() {
        let attributes = [("b", "2"), ("a", "1")].map(|(k, v)| (k.to_owned(), v.to_owned())).into();
        assert_eq!(details(&GetContainerLogsResponse { attributes, ..Default::default() }), "a=1,b=2 ");
    }

    #[test]
    fn times_have_nine_digits() {
        let time = prost_types::Timestamp { seconds: 1_700_000_000, nanos: 5_000_000 };
        let line = GetContainerLogsResponse { time: Some(time), ..Default::default() };
        assert_eq!(stamp(&line), "2023-11-14T22:13:20.005000000Z ");
    }
}
