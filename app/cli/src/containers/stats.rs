//! `cove stats`: what containers use.

use cove_proto::v1::{GetContainerStatsRequest, GetContainerStatsResponse, ListContainersRequest};
use futures::{StreamExt as _, stream};
use serde::Serialize;
use tonic::{Code, Status, Streaming};

use crate::{
    engine::Engine,
    failure::{Failure, Outcome},
    output::{self, Format, Table},
};

/// Arguments of `cove stats`.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// The containers; all that run when left out.
    containers: Vec<String>,
    /// Look once; else each second until they are removed.
    #[arg(long)]
    no_stream: bool,
}

type Looks = Streaming<GetContainerStatsResponse>;

/// Prints a table for each look: the second of two, because the use of the CPU is reckoned from both.
pub(crate) async fn run(arguments: Arguments, format: Format) -> Outcome {
    let engine = Engine::reach().await?;
    let names = if arguments.containers.is_empty() { running(&engine).await? } else { arguments.containers };
    let mut watched = Vec::new();
    for container in names {
        let request = GetContainerStatsRequest { container, once: false };
        let mut looks = engine.containers().get_container_stats(request).await?.into_inner();
        if let Some(before) = looks.message().await? {
            watched.push(Watched { looks, before });
        }
    }
    while !watched.is_empty() {
        let seen: Vec<Row> = next(&mut watched).await?;
        if seen.is_empty() {
            break;
        }
        match format {
            Format::Json => output::json(&seen)?,
            Format::Text => output::text(&table(&seen))?,
        }
        if arguments.no_stream {
            break;
        }
    }
    Ok(0)
}

async fn running(engine: &Engine) -> Result<Vec<String>, Failure> {
    let list = engine.containers().list_containers(ListContainersRequest::default()).await?.into_inner();
    Ok(list.containers.into_iter().map(|container| container.id).collect())
}

struct Watched {
    looks: Looks,
    before: GetContainerStatsResponse,
}

/// The next look at each; those that are removed leave.
async fn next(watched: &mut Vec<Watched>) -> Result<Vec<Row>, Failure> {
    let looks = watched.drain(..).map(|mut one| async move {
        match one.looks.message().await {
            Ok(Some(now)) => Ok(Some((row(&one.before, &now), Watched { before: now, ..one }))),
            Ok(None) => Ok(None),
            Err(status) if status.code() == Code::NotFound => Ok(None),
            Err(status) => Err(status),
        }
    });
    let seen: Vec<Result<_, Status>> = stream::iter(looks).buffered(usize::MAX).collect().await;
    let mut rows = Vec::new();
    for one in seen {
        if let Some((row, stays)) = one? {
            rows.push(row);
            watched.push(stays);
        }
    }
    Ok(rows)
}

#[derive(Debug, PartialEq, Serialize)]
struct Row {
    id: String,
    name: String,
    running: bool,
    cpu_percent: f64,
    memory_bytes: u64,
    memory_limit_bytes: u64,
    received_bytes: u64,
    sent_bytes: u64,
    read_bytes: u64,
    written_bytes: u64,
    pids: u64,
}

/// docker's arithmetic: per cent of one CPU; memory without the caches that the kernel would drop first.
fn row(before: &GetContainerStatsResponse, now: &GetContainerStatsResponse) -> Row {
    let (cpu, earlier) = (now.cpu.unwrap_or_default(), before.cpu.unwrap_or_default());
    let memory = now.memory.clone().unwrap_or_default();
    let droppable = memory.details.get("inactive_file").copied().unwrap_or(0);
    Row {
        id: now.id.clone(),
        name: now.name.clone(),
        running: now.running,
        cpu_percent: percent(
            cpu.usage_nanos.saturating_sub(earlier.usage_nanos),
            cpu.guest_nanos.saturating_sub(earlier.guest_nanos),
        ) * f64::from(cpu.online_cpus),
        memory_bytes: memory.usage_bytes.saturating_sub(droppable),
        memory_limit_bytes: memory.limit_bytes,
        received_bytes: now.networks.values().map(|network| network.received_bytes).sum(),
        sent_bytes: now.networks.values().map(|network| network.sent_bytes).sum(),
        read_bytes: now.io.iter().map(|device| device.read_bytes).sum(),
        written_bytes: now.io.iter().map(|device| device.written_bytes).sum(),
        pids: now.pids,
    }
}

#[expect(clippy::cast_precision_loss, reason = "two digits are shown")]
fn percent(part: u64, whole: u64) -> f64 {
    if whole == 0 { 0.0 } else { part as f64 / whole as f64 * 100.0 }
}

fn table(rows: &[Row]) -> String {
    let mut table = Table::new(&["ID", "NAME", "CPU", "MEMORY", "OF", "NET IN", "NET OUT", "READ", "WRITTEN", "PIDS"]);
    for row in rows {
        table.row([
            output::short_id(&row.id),
            row.name.clone(),
            format!("{:.2}%", row.cpu_percent),
            output::bytes(row.memory_bytes),
            output::bytes(row.memory_limit_bytes),
            output::bytes(row.received_bytes),
            output::bytes(row.sent_bytes),
            output::bytes(row.read_bytes),
            output::bytes(row.written_bytes),
            row.pids.to_string(),
        ]);
    }
    table.render("")
}

#[cfg(test)]
mod tests {
    use cove_proto::v1::{CpuStats, MemoryStats};

    use super::*;

    fn look(usage_nanos: u64, guest_nanos: u64) -> GetContainerStatsResponse {
        GetContainerStatsResponse {
            name: "web".into(),
            running: true,
            cpu: Some(CpuStats { usage_nanos, guest_nanos, online_cpus: 2, ..Default::default() }),
            memory: Some(MemoryStats {
                usage_bytes: 5000,
                limit_bytes: 10_000,
                details: [("inactive_file".to_owned(), 1000)].into(),
                failures: 0,
            }),
            pids: 3,
            ..Default::default()
        }
    }

    #[test]
    fn a_container_that_keeps_one_of_two_cpus_busy_uses_a_hundred_per_cent() {
        let seen = row(&look(1_000, 10_000), &look(2_000, 12_000));
        assert!((seen.cpu_percent - 100.0).abs() < 1e-9, "{}", seen.cpu_percent);
        assert_eq!((seen.memory_bytes, seen.memory_limit_bytes, seen.pids), (4000, 10_000, 3));
        assert!(table(&[seen]).contains("100.00%"));
    }

    #[test]
    fn what_does_not_run_uses_nothing() {
        let nothing = GetContainerStatsResponse::default();
        assert_eq!(row(&nothing, &nothing).cpu_percent, 0.0);
    }
}
