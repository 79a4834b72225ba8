//! `GET /containers/{id}/top`: `ps` without a `ps`. The engine says what runs; the columns are made here.

use cove_proto::v1::{self, ContainerProcess};
use http::StatusCode;
use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde_json::json;

use crate::call::Call;
use crate::error::{Error, unsupported};
use crate::reply::Reply;
use crate::timestamps;

/// Lists the processes of a container.
pub(in crate::routes) async fn top(call: Call) -> Result<Reply, Error> {
    let columns = columns(call.query.get("ps_args"))?;
    let request = v1::ListProcessesRequest { container: call.name() };
    let processes = call.containers().list_processes(request).await?.into_inner().processes;
    let now = Timestamp::now();
    let rows: Vec<Vec<_>> =
        processes.iter().map(|process| columns.iter().map(|column| (column.value)(process, now)).collect()).collect();
    let titles: Vec<_> = columns.iter().map(|column| column.title).collect();
    Ok(Reply::json(StatusCode::OK, &json!({"Processes": rows, "Titles": titles})))
}

/// A column of `ps`.
struct Column {
    /// What `-o` calls it.
    names: &'static [&'static str],
    title: &'static str,
    value: fn(&ContainerProcess, Timestamp) -> String,
}

/// The columns; the first eight are those of `ps -ef`.
static COLUMNS: &[Column] = &[
    Column { names: &["user", "uname", "euser"], title: "UID", value: |process, _| user(process.uid) },
    Column { names: &["pid"], title: "PID", value: |process, _| process.pid.to_string() },
    Column { names: &["ppid"], title: "PPID", value: |process, _| process.parent_pid.to_string() },
    Column { names: &["c"], title: "C", value: cpu_percent },
    Column { names: &["stime", "start_time"], title: "STIME", value: start_time },
    Column { names: &["tty", "tt", "tname"], title: "TTY", value: |process, _| process.terminal.clone() },
    Column { names: &["time", "cputime"], title: "TIME", value: |process, _| clock(process.cpu_nanos / 1_000_000_000) },
    Column { names: &["cmd", "args", "command"], title: "CMD", value: |process, _| process.command.clone() },
    Column { names: &["uid", "euid"], title: "UID", value: |process, _| process.uid.to_string() },
    Column { names: &["etime"], title: "ELAPSED", value: |process, now| clock(seconds_alive(process, now)) },
];

/// Reads the arguments of `ps`: `-ef` in its spellings, or `-o` with a list of columns.
fn columns(ps_args: &str) -> Result<Vec<&'static Column>, Error> {
    match ps_args.trim() {
        "" | "-ef" | "ef" | "-eaf" | "-f" => return Ok(COLUMNS.iter().take(8).collect()),
        _ => {}
    }
    let refused = || unsupported(&format!("docker top with the ps arguments {ps_args:?} (only -ef and -o)"));
    let rest = ps_args.trim().trim_start_matches("-e ").trim_start();
    let list = rest.strip_prefix("-o").or_else(|| rest.strip_prefix("o ")).ok_or_else(refused)?;
    let names = list.split([',', ' ']).filter(|name| !name.is_empty());
    let columns = names
        .map(|name| COLUMNS.iter().find(|column| column.names.contains(&name)).ok_or_else(refused))
        .collect::<Result<Vec<_>, _>>()?;
    if columns.iter().any(|column| column.title == "PID") {
        return Ok(columns);
    }
    Err(Error::Internal("Couldn't find PID field in ps output".to_owned()))
}

/// The guest knows one user by name.
fn user(uid: u32) -> String {
    if uid == 0 { "root".to_owned() } else { uid.to_string() }
}

fn seconds_alive(process: &ContainerProcess, now: Timestamp) -> u64 {
    let started = process.started_at.as_ref().and_then(timestamps::moment).unwrap_or(now);
    u64::try_from(now.as_second() - started.as_second()).unwrap_or(0)
}

/// CPU time in percent of the time since the start, as `ps` counts it.
fn cpu_percent(process: &ContainerProcess, now: Timestamp) -> String {
    let alive = seconds_alive(process, now);
    let percent = (process.cpu_nanos / 10_000_000).checked_div(alive).unwrap_or(0);
    percent.min(99).to_string()
}

/// "02:29" on the same day, "Nov24" in the same year, else the year.
fn start_time(process: &ContainerProcess, now: Timestamp) -> String {
    let started =
        process.started_at.as_ref().and_then(timestamps::moment).unwrap_or(now).to_zoned_datetime(TimeZone::UTC);
    let now = now.to_zoned_datetime(TimeZone::UTC);
    let format = if started.date() == now.date() {
        "%H:%M"
    } else if started.year() == now.year() {
        "%b%d"
    } else {
        "%Y"
    };
    started.strftime(format).to_string()
}

/// "00:01:02".
fn clock(seconds: u64) -> String {
    format!("{:02}:{:02}:{:02}", seconds / 3600, seconds / 60 % 60, seconds % 60)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn titles(ps_args: &str) -> Result<String, String> {
        let columns = columns(ps_args).map_err(|error| error.to_string())?;
        Ok(columns.iter().map(|column| column.title).collect::<Vec<_>>().join(" "))
    }

    #[test]
    fn the_default_is_ps_ef() {
        assert_eq!(titles("").unwrap(), "UID PID PPID C STIME TTY TIME CMD");
        assert_eq!(titles("-ef").unwrap(), titles("").unwrap());
    }

    #[test]
    fn columns_can_be_chosen_and_need_the_pid() {
        assert_eq!(titles("-o pid,cmd").unwrap(), "PID CMD");
        assert_eq!(titles("-e -o pid,etime").unwrap(), "PID ELAPSED");
        assert_eq!(titles("-o cmd").unwrap_err(), "Couldn't find PID field in ps output");
        assert!(titles("aux").unwrap_err().contains("not supported"));
        assert!(titles("-o pid,rss").unwrap_err().contains("not supported"));
    }

    #[test]
    fn a_process_is_written_as_ps_does() {
        let now = Timestamp::new(1_795_487_350, 0).unwrap();
        let process = ContainerProcess {
            cpu_nanos: 62_000_000_000,
            started_at: Some(prost_types::Timestamp { seconds: 1_795_487_350 - 620, nanos: 0 }),
            ..ContainerProcess::default()
        };
        assert_eq!(cpu_percent(&process, now), "10");
        assert_eq!(start_time(&process, now), "02:18");
        assert_eq!(clock(62), "00:01:02");
    }
}
