//! `GET /containers/{id}/logs`.

use std::collections::HashMap;

use bytes::Bytes;
use cove_proto::v1;
use futures::{Stream, StreamExt as _};

use crate::call::Call;
use crate::error::{Error, chain};
use crate::frames::Framing;
use crate::query::{Query, query_escaped};
use crate::reply::Reply;
use crate::routes::containers::{attach, inspect};
use crate::timestamps;
use crate::version::ApiVersion;

/// Sends the log, and what is added to it when the client follows.
pub(in crate::routes) async fn logs(call: Call) -> Result<Reply, Error> {
    let (stdout, stderr) = (call.query.flag("stdout"), call.query.flag("stderr"));
    if !stdout && !stderr {
        return Err(Error::BadRequest("Bad parameters: you must choose at least one stream".to_owned()));
    }
    let since = timestamps::parse(call.query.get("since"))?;
    let until = timestamps::parse(call.query.get("until"))?;
    let container = inspect::get(&call, false).await?;
    let tty = container.spec.is_some_and(|spec| spec.tty);
    let request = v1::GetContainerLogsRequest {
        container: container.id,
        stdout,
        stderr,
        follow: call.query.flag("follow"),
        since,
        until,
        tail_lines: tail(&call.query),
    };
    let entries = call.containers().get_container_logs(request).await?.into_inner();
    let prefix = Prefix { timestamps: call.query.flag("timestamps"), details: call.query.flag("details") };
    let framing = Framing::of_tty(tty);
    let multiplexed = !tty && call.version >= ApiVersion::MULTIPLEXED_TYPE;
    Ok(Reply::stream(attach::content_type(multiplexed), pieces(entries, prefix, framing)))
}

/// What dockerd cannot read as a number means all, and so does a negative one.
fn tail(query: &Query) -> Option<u64> {
    query.get("tail").parse().ok()
}

/// What is written before each line.
#[derive(Clone, Copy)]
struct Prefix {
    timestamps: bool,
    details: bool,
}

impl Prefix {
    fn apply(self, entry: v1::GetContainerLogsResponse) -> Vec<u8> {
        // The later parts of a long line belong to it and get no prefix.
        if entry.continues || (!self.timestamps && !self.details) {
            return entry.data;
        }
        let mut line = Vec::with_capacity(entry.data.len() + 32);
        if self.timestamps {
            line.extend_from_slice(timestamps::rfc3339_nine_digits(entry.time.as_ref()).as_bytes());
            line.push(b' ');
        }
        if self.details {
            // Without attributes dockerd writes the space all the same.
            line.extend_from_slice(details(&entry.attributes).as_bytes());
            line.push(b' ');
        }
        line.extend_from_slice(&entry.data);
        line
    }
}

/// "name=value,...", in order of the names, escaped as in a query.
fn details(attributes: &HashMap<String, String>) -> String {
    let mut pairs: Vec<_> =
        attributes.iter().map(|(name, value)| format!("{}={}", query_escaped(name), query_escaped(value))).collect();
    pairs.sort();
    pairs.join(",")
}

fn pieces(
    entries: tonic::Streaming<v1::GetContainerLogsResponse>,
    prefix: Prefix,
    framing: Framing,
) -> impl Stream<Item = Result<Bytes, Error>> + Send + 'static {
    entries.map(move |entry| {
        Ok(match entry {
            Ok(entry) => framing.encode(entry.stream(), prefix.apply(entry)),
            Err(status) => {
                let text = format!("Error grabbing logs: {}\n", chain(&status));
                framing.encode(v1::StdioStream::Stderr, text.into_bytes())
            }
        })
    })
}
