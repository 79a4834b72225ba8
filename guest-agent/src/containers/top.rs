//! The processes of a container, from the kernel's own books: cgroup.procs says which, /proc says what they are.

use std::{fs, path::Path};

use cove_proto::v1::{ContainerProcess, ListProcessesResponse};

use super::{Containers, ContainersError, blocking, inspect::timestamp, isolation::cgroup_of};

impl Containers {
    /// The processes of a container, in order of their ids.
    ///
    /// # Errors
    /// If it does not run.
    pub async fn processes(&self, container: &str) -> Result<ListProcessesResponse, ContainersError> {
        let entry = self.find(container)?;
        let pid = entry.running()?.pid();
        let processes = blocking(move || {
            let cgroup = cgroup_of(pid)?;
            let clock = Clock::read();
            let mut processes: Vec<_> =
                members(&cgroup).into_iter().filter_map(|pid| process(Path::new("/proc"), pid, clock)).collect();
            processes.sort_by_key(|process| process.pid);
            Ok(processes)
        })
        .await?;
        self.tell(&entry.now().record, "top", |event| event);
        let system = rustix::system::sysinfo();
        let machine_memory_bytes = system.totalram.saturating_mul(system.mem_unit.into());
        Ok(ListProcessesResponse { processes, machine_memory_bytes })
    }
}

/// Processes of a cgroup and of those below it.
fn members(cgroup: &Path) -> Vec<u32> {
    let listed = fs::read_to_string(cgroup.join("cgroup.procs")).unwrap_or_default();
    let mut pids: Vec<u32> = listed.lines().filter_map(|line| line.parse().ok()).collect();
    if let Ok(entries) = fs::read_dir(cgroup) {
        for entry in entries.flatten().filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir())) {
            pids.extend(members(&entry.path()));
        }
    }
    pids
}

/// The unit of times in /proc on every architecture of Cove (USER_HZ, 100 per second).
const TICK_NANOS: u64 = 10_000_000;

/// What turns the kernel's ticks into times.
#[derive(Debug, Clone, Copy)]
struct Clock {
    booted_at_nanos: i64,
}

impl Clock {
    fn read() -> Self {
        let uptime = rustix::time::clock_gettime(rustix::time::ClockId::Boottime);
        let uptime = uptime.tv_sec * 1_000_000_000 + uptime.tv_nsec;
        Self { booted_at_nanos: crate::clock::now_nanos() - uptime }
    }

    fn at(self, ticks: u64) -> i64 {
        self.booted_at_nanos.saturating_add(i64::try_from(nanos(ticks)).unwrap_or(i64::MAX))
    }
}

fn nanos(ticks: u64) -> u64 {
    ticks.saturating_mul(TICK_NANOS)
}

/// When a process started, nanoseconds since 1970 by the present clock.
pub(crate) fn started_at(pid: u32) -> Option<i64> {
    let stat = Stat::parse(&fs::read_to_string(format!("/proc/{pid}/stat")).ok()?)?;
    Some(Clock::read().at(stat.start_ticks))
}

/// A process; `None` when it has ended meanwhile.
fn process(proc: &Path, pid: u32, clock: Clock) -> Option<ContainerProcess> {
    let folder = proc.join(pid.to_string());
    let stat = Stat::parse(&fs::read_to_string(folder.join("stat")).ok()?)?;
    let status = fs::read_to_string(folder.join("status")).ok()?;
    let field = |name: &str| status.lines().find_map(|line| line.strip_prefix(name)).unwrap_or_default();
    let kibibytes = |name: &str| field(name).trim().trim_end_matches(" kB").parse::<u64>().unwrap_or(0);
    let command = fs::read(folder.join("cmdline")).ok()?;
    Some(ContainerProcess {
        pid,
        container_pid: field("NSpid:").split_whitespace().last().and_then(|pid| pid.parse().ok()).unwrap_or(0),
        parent_pid: stat.parent,
        uid: field("Uid:").split_whitespace().nth(1).and_then(|uid| uid.parse().ok()).unwrap_or(0),
        command: command_line(&command, &stat.name),
        cpu_nanos: nanos(stat.cpu_ticks),
        started_at: timestamp(clock.at(stat.start_ticks)),
        terminal: stat.terminal(),
        state: stat.state_for_people(pid, kibibytes("VmLck:") > 0),
        name: stat.name,
        virtual_bytes: stat.virtual_bytes,
        resident_bytes: kibibytes("VmRSS:").saturating_mul(1024),
        nice: stat.nice,
        threads: stat.threads,
        process_group: stat.process_group,
        session: stat.session,
    })
}

/// Arguments with spaces between; a process without (a zombie) by its name in brackets, as ps shows it.
fn command_line(arguments: &[u8], name: &str) -> String {
    let text = String::from_utf8_lossy(arguments);
    let line = text.trim_end_matches('\0').replace('\0', " ");
    if line.is_empty() { format!("[{name}]") } else { line }
}

/// The fields of /proc/PID/stat that are shown.
#[derive(Debug, PartialEq, Eq)]
struct Stat {
    name: String,
    state: String,
    parent: u32,
    process_group: u32,
    session: u32,
    terminal_device: u32,
    /// The process group that the terminal listens to; -1 without one.
    foreground_group: i64,
    cpu_ticks: u64,
    nice: i32,
    threads: u32,
    start_ticks: u64,
    virtual_bytes: u64,
}

impl Stat {
    /// The name stands in parentheses and may hold some itself.
    fn parse(text: &str) -> Option<Self> {
        let (before, after) = text.rsplit_once(')')?;
        let name = before.split_once('(')?.1.to_owned();
        let fields: Vec<&str> = after.split_whitespace().collect();
        let signed = |field: usize| fields.get(field - 3)?.parse::<i64>().ok();
        let number = |field: usize| fields.get(field - 3)?.parse::<u64>().ok();
        let short = |field: usize| u32::try_from(number(field)?).ok();
        Some(Self {
            name,
            state: (*fields.first()?).to_owned(),
            parent: short(4)?,
            process_group: short(5)?,
            session: short(6)?,
            terminal_device: short(7)?,
            foreground_group: signed(8)?,
            cpu_ticks: number(14)? + number(15)?,
            nice: i32::try_from(signed(19)?).ok()?,
            threads: short(20)?,
            start_ticks: number(22)?,
            virtual_bytes: number(23)?,
        })
    }

    /// With the letters that ps adds: urgent or not, memory that stays, a session's first, threads, in the foreground.
    fn state_for_people(&self, pid: u32, has_locked_memory: bool) -> String {
        let marks = [
            (self.nice < 0, '<'),
            (self.nice > 0, 'N'),
            (has_locked_memory, 'L'),
            (self.session == pid, 's'),
            (self.threads > 1, 'l'),
            (self.foreground_group == i64::from(self.process_group), '+'),
        ];
        let marks = marks.into_iter().filter_map(|(holds, mark)| holds.then_some(mark));
        self.state.chars().chain(marks).collect()
    }

    fn terminal(&self) -> String {
        let major = (self.terminal_device >> 8) & 0xfff;
        let minor = (self.terminal_device & 0xff) | ((self.terminal_device >> 12) & 0xf_ff00);
        match major {
            0 => "?".to_owned(),
            136..=143 => format!("pts/{}", (major - 136) * 256 + minor),
            _ => format!("{major}:{minor}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_with_parentheses_does_not_shift_the_fields() {
        let text = "42 (a) b (c) S 7 42 42 34817 42 4194560 1 0 0 0 15 5 0 0 20 0 1 0 12345 4096 1";
        let stat = Stat::parse(text).unwrap();
        assert_eq!(
            stat,
            Stat {
                name: "a) b (c".into(),
                state: "S".into(),
                parent: 7,
                process_group: 42,
                session: 42,
                terminal_device: 34817,
                foreground_group: 42,
                cpu_ticks: 20,
                nice: 0,
                threads: 1,
                start_ticks: 12345,
                virtual_bytes: 4096,
            }
        );
        assert_eq!(stat.terminal(), "pts/1");
        assert_eq!(stat.state_for_people(42, false), "Ss+");
        let busy = Stat { nice: -5, threads: 3, foreground_group: -1, ..stat };
        assert_eq!(busy.state_for_people(43, true), "S<Ll");
    }

    #[test]
    fn this_process_is_found_in_proc() {
        let pid = std::process::id();
        let found = process(Path::new("/proc"), pid, Clock::read()).unwrap();
        assert_eq!(found.pid, pid);
        assert!(found.command.contains("cove"), "{}", found.command);
        let now = crate::clock::now_nanos();
        let started = super::super::inspect::nanos(&found.started_at.unwrap());
        assert!(started <= now && started > now - 3_600_000_000_000, "{started} {now}");
    }

    #[test]
    fn a_process_without_arguments_shows_its_name() {
        assert_eq!(command_line(b"sh\0-c\0true\0", "sh"), "sh -c true");
        assert_eq!(command_line(b"", "sh"), "[sh]");
    }
}
