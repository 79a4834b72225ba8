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
    let v1::ListProcessesResponse { processes, machine_memory_bytes } =
        call.containers().list_processes(request).await?.into_inner();
    let moment = Moment { now: Timestamp::now(), memory: machine_memory_bytes };
    let row = |process| columns.iter().map(|column| (column.value)(process, moment)).collect::<Vec<_>>();
    let rows: Vec<_> = processes.iter().map(row).collect();
    let titles: Vec<_> = columns.iter().map(|column| column.title).collect();
    Ok(Reply::json(StatusCode::OK, &json!({"Processes": rows, "Titles": titles})))
}

/// What a process is compared with.
#[derive(Debug, Clone, Copy)]
struct Moment {
    now: Timestamp,
    /// Bytes of memory of the machine.
    memory: u64,
}

/// A column of `ps`.
struct Column {
    /// What `-o` calls it.
    names: &'static [&'static str],
    title: &'static str,
    value: fn(&ContainerProcess, Moment) -> String,
}

macro_rules! column {
    ($($name:literal)|+, $title:literal, $value:expr) => {
        Column { names: &[$($name),+], title: $title, value: $value }
    };
}

/// The columns of `-o`.
static COLUMNS: &[Column] = &[
    column!("user" | "uname" | "euser", "USER", |process, _| user(process.uid)),
    column!("uid" | "euid", "UID", |process, _| process.uid.to_string()),
    column!("pid" | "tgid", "PID", |process, _| process.pid.to_string()),
    column!("ppid", "PPID", |process, _| process.parent_pid.to_string()),
    column!("pgid" | "pgrp", "PGID", |process, _| process.process_group.to_string()),
    column!("sid" | "sess" | "session", "SID", |process, _| process.session.to_string()),
    column!("c", "C", |process, moment| (cpu_permille(process, moment) / 10).min(99).to_string()),
    column!("%cpu" | "pcpu", "%CPU", |process, moment| permille(cpu_permille(process, moment))),
    column!("%mem" | "pmem", "%MEM", |process, moment| permille(
        process.resident_bytes.saturating_mul(1000).checked_div(moment.memory).unwrap_or(0)
    )),
    column!("vsz" | "vsize", "VSZ", |process, _| (process.virtual_bytes >> 10).to_string()),
    column!("rss" | "rssize" | "rsz", "RSS", |process, _| (process.resident_bytes >> 10).to_string()),
    column!("ni" | "nice", "NI", |process, _| process.nice.to_string()),
    column!("nlwp" | "thcount", "NLWP", |process, _| process.threads.to_string()),
    column!("stat", "STAT", |process, _| process.state.clone()),
    column!("s" | "state", "S", |process, _| process.state.chars().take(1).collect()),
    column!("stime" | "start_time", "STIME", start_time),
    column!("tty" | "tt", "TT", |process, _| process.terminal.clone()),
    column!("tname", "TTY", |process, _| process.terminal.clone()),
    column!("time" | "cputime", "TIME", |process, _| clock(process.cpu_nanos / 1_000_000_000)),
    column!("bsdtime", "TIME", |process, _| minutes(process.cpu_nanos / 1_000_000_000)),
    column!("etimes", "ELAPSED", |process, moment| seconds_alive(process, moment).to_string()),
    column!("etime", "ELAPSED", |process, moment| short_clock(seconds_alive(process, moment))),
    column!("comm" | "ucmd" | "ucomm", "COMMAND", |process, _| process.name.clone()),
    column!("cmd", "CMD", |process, _| process.command.clone()),
    column!("args" | "command", "COMMAND", |process, _| process.command.clone()),
];

/// The columns of `ps -ef`, which dockerd shows unasked: names above, titles there.
static FULL: &[(&str, &str)] = &[
    ("user", "UID"),
    ("pid", "PID"),
    ("ppid", "PPID"),
    ("c", "C"),
    ("stime", "STIME"),
    ("tty", "TTY"),
    ("time", "TIME"),
    ("cmd", "CMD"),
];

/// The columns of `ps aux`.
static BSD: &[(&str, &str)] = &[
    ("user", "USER"),
    ("pid", "PID"),
    ("%cpu", "%CPU"),
    ("%mem", "%MEM"),
    ("vsz", "VSZ"),
    ("rss", "RSS"),
    ("tty", "TTY"),
    ("stat", "STAT"),
    ("stime", "START"),
    ("bsdtime", "TIME"),
    ("args", "COMMAND"),
];

/// A column as it is shown.
struct Shown {
    title: &'static str,
    value: fn(&ContainerProcess, Moment) -> String,
}

/// Reads the arguments of `ps`: `-ef` and `aux` in their spellings, or `-o` with a list of columns.
fn columns(ps_args: &str) -> Result<Vec<Shown>, Error> {
    let refused = || unsupported(&format!("docker top with the ps arguments {ps_args:?} (only -ef, aux and -o)"));
    let arguments = ps_args.trim();
    let letters = arguments.trim_start_matches('-');
    let is_of = |known: &str| letters.chars().all(|letter| known.contains(letter));
    let asked: Vec<(&str, Option<&'static str>)> = if is_of("efaAw") {
        FULL.iter().map(|(name, title)| (*name, Some(*title))).collect()
    } else if is_of("auxw") {
        BSD.iter().map(|(name, title)| (*name, Some(*title))).collect()
    } else {
        let list = arguments.trim_start_matches("-e ").trim_start_matches("-A ").trim_start();
        let list = ["-eo", "-Ao", "-axo", "axo", "-o", "o"].iter().find_map(|flag| list.strip_prefix(flag));
        let names = list.ok_or_else(refused)?.split([',', ' ']).filter(|name| !name.is_empty());
        names.map(|name| (name, None)).collect()
    };
    let shown = |(name, title): (&str, Option<&'static str>)| {
        let column = COLUMNS.iter().find(|column| column.names.contains(&name)).ok_or_else(refused)?;
        Ok(Shown { title: title.unwrap_or(column.title), value: column.value })
    };
    let columns = asked.into_iter().map(shown).collect::<Result<Vec<_>, Error>>()?;
    if columns.iter().any(|column| column.title == "PID") {
        return Ok(columns);
    }
    Err(Error::Internal("Couldn't find PID field in ps output".to_owned()))
}

/// The guest knows one user by name.
fn user(uid: u32) -> String {
    if uid == 0 { "root".to_owned() } else { uid.to_string() }
}

fn seconds_alive(process: &ContainerProcess, moment: Moment) -> u64 {
    let started = process.started_at.as_ref().and_then(timestamps::moment).unwrap_or(moment.now);
    u64::try_from(moment.now.as_second() - started.as_second()).unwrap_or(0)
}

/// CPU time in thousandths of the time since the start, as `ps` counts it.
fn cpu_permille(process: &ContainerProcess, moment: Moment) -> u64 {
    (process.cpu_nanos / 1_000_000).checked_div(seconds_alive(process, moment)).unwrap_or(0)
}

/// "12.3".
fn permille(value: u64) -> String {
    format!("{}.{}", value / 10, value % 10)
}

/// "02:29" on the same day, "Nov24" in the same year, else the year.
fn start_time(process: &ContainerProcess, moment: Moment) -> String {
    let started = process.started_at.as_ref().and_then(timestamps::moment).unwrap_or(moment.now);
    let [started, now] = [started, moment.now].map(|moment| moment.to_zoned_datetime(TimeZone::UTC));
    let format = if started.date() == now.date() {
        "%H:%M"
    } else if started.year() == now.year() {
        "%b%d"
    } else {
        "%Y"
    };
    started.strftime(format).to_string()
}

/// "1:02".
fn minutes(seconds: u64) -> String {
    format!("{}:{:02}", seconds / 60, seconds % 60)
}

/// "01:02", from an hour on "01:01:02", from a day on "1-01:01:02".
fn short_clock(seconds: u64) -> String {
    match seconds {
        ..3600 => format!("{:02}:{:02}", seconds / 60, seconds % 60),
        3600..86400 => clock(seconds),
        _ => format!("{}-{}", seconds / 86400, clock(seconds % 86400)),
    }
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
        assert_eq!(titles("-eo user,pid,%cpu,stat,comm").unwrap(), "USER PID %CPU STAT COMMAND");
        assert_eq!(titles("-o cmd").unwrap_err(), "Couldn't find PID field in ps output");
        assert!(titles("-o pid,wchan").unwrap_err().contains("not supported"));
        assert!(titles("--forest").unwrap_err().contains("not supported"));
    }

    #[test]
    fn the_other_well_known_form_is_ps_aux() {
        let expected = "USER PID %CPU %MEM VSZ RSS TTY STAT START TIME COMMAND";
        for arguments in ["aux", "-aux", "auxw"] {
            assert_eq!(titles(arguments).unwrap(), expected);
        }
    }

    #[test]
    fn a_process_is_written_as_ps_does() {
        let moment = Moment { now: Timestamp::new(1_795_487_350, 0).unwrap(), memory: 1 << 30 };
        let process = ContainerProcess {
            pid: 7,
            cpu_nanos: 62_000_000_000,
            started_at: Some(prost_types::Timestamp { seconds: 1_795_487_350 - 620, nanos: 0 }),
            command: "top -b".into(),
            terminal: "?".into(),
            state: "Ss".into(),
            virtual_bytes: 8 << 20,
            resident_bytes: 32 << 20,
            ..ContainerProcess::default()
        };
        let row = |ps_args: &str| {
            let columns = columns(ps_args).map_err(|error| error.to_string()).unwrap();
            columns.iter().map(|column| (column.value)(&process, moment)).collect::<Vec<_>>().join(" ")
        };
        assert_eq!(row("-ef"), "root 7 0 10 02:18 ? 00:01:02 top -b");
        assert_eq!(row("aux"), "root 7 10.0 3.1 8192 32768 ? Ss 02:18 1:02 top -b");
        assert_eq!(row("-o pid,etime"), "7 10:20");
        assert_eq!(short_clock(3_600 + 62), "01:01:02");
        assert_eq!(short_clock(2 * 86_400 + 62), "2-00:01:02");
    }
}
