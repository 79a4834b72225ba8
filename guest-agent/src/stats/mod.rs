//! What the processes of a container use, from the kernel's own books.
//!
//! A [`Meter`] keeps the files of one run's cgroup and of its network namespace open, so that a look costs a few reads and
//! no walk through paths. [`parse`] knows the formats. Who is asked for how long is `containers`' business.

mod parse;

use std::{
    fs::File,
    io,
    os::fd::{AsFd, OwnedFd},
    path::Path,
};

use rustix::fs::{Mode, OFlags};

use cove_proto::v1::{CpuStats, IoStats, MemoryStats, NetworkStats};

/// What was seen at one look.
#[derive(Debug, Default, Clone, PartialEq)]
pub struct Sample {
    /// CPU.
    pub cpu: CpuStats,
    /// Memory.
    pub memory: MemoryStats,
    /// Block devices.
    pub io: Vec<IoStats>,
    /// Processes and threads.
    pub pids: u64,
    /// How many there may be; 0 for no limit.
    pub pids_limit: u64,
    /// Network interfaces, loopback excepted.
    pub networks: Vec<(String, NetworkStats)>,
}

/// The open files of one run.
#[derive(Debug)]
pub struct Meter {
    cpu: File,
    memory_now: File,
    memory_max: File,
    memory_stat: File,
    memory_events: File,
    pids_now: File,
    pids_max: File,
    /// A kernel may do without the controller of block devices.
    io: Option<File>,
    guest: File,
    guest_memory_bytes: u64,
    /// `None` where the guest's network is shared: dockerd shows no interfaces then.
    network: Option<File>,
}

impl Meter {
    /// Opens what belongs to a cgroup and, through a process of it, to a network namespace. `proc` is where procfs is.
    ///
    /// # Errors
    /// When the run is over, or a file of the kernel's is not there.
    pub fn open(cgroup: &OwnedFd, proc: &Path, pid: u32, own_network: bool) -> io::Result<Self> {
        let network = proc.join(pid.to_string()).join("net/dev");
        Ok(Self {
            cpu: below(cgroup, "cpu.stat")?,
            memory_now: below(cgroup, "memory.current")?,
            memory_max: below(cgroup, "memory.max")?,
            memory_stat: below(cgroup, "memory.stat")?,
            memory_events: below(cgroup, "memory.events")?,
            pids_now: below(cgroup, "pids.current")?,
            pids_max: below(cgroup, "pids.max")?,
            io: optional(below(cgroup, "io.stat"))?,
            guest: File::open(proc.join("stat"))?,
            guest_memory_bytes: parse::guest_memory(&std::fs::read_to_string(proc.join("meminfo"))?),
            network: own_network.then(|| File::open(network)).transpose()?,
        })
    }

    /// Looks.
    ///
    /// # Errors
    /// ENODEV when the cgroup has gone.
    pub fn read(&self) -> io::Result<Sample> {
        let (guest_nanos, online_cpus) = parse::guest_cpu(&whole(&self.guest)?);
        let memory = MemoryStats {
            usage_bytes: parse::number(&whole(&self.memory_now)?),
            limit_bytes: parse::limit(&whole(&self.memory_max)?)
                .map_or(self.guest_memory_bytes, |limit| limit.min(self.guest_memory_bytes)),
            details: parse::pairs(&whole(&self.memory_stat)?).map(|(name, value)| (name.to_owned(), value)).collect(),
            // dockerd counts what was killed or refused for good, not what was reclaimed in time.
            failures: parse::pair(&whole(&self.memory_events)?, "oom"),
        };
        Ok(Sample {
            cpu: CpuStats { guest_nanos, online_cpus, ..parse::cpu(&whole(&self.cpu)?) },
            memory,
            io: self.io.as_ref().map(whole).transpose()?.map_or_else(Vec::new, |text| parse::io(&text)),
            pids: parse::number(&whole(&self.pids_now)?),
            pids_limit: parse::limit(&whole(&self.pids_max)?).unwrap_or(0),
            networks: self
                .network
                .as_ref()
                .map(whole)
                .transpose()?
                .map_or_else(Vec::new, |text| parse::networks(&text)),
        })
    }
}

fn below(folder: impl AsFd, name: &str) -> io::Result<File> {
    let file = rustix::fs::openat(folder, name, OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty())?;
    Ok(File::from(file))
}

fn optional(opened: io::Result<File>) -> io::Result<Option<File>> {
    match opened {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        opened => opened.map(Some),
    }
}

/// All of a file of the kernel's, from its beginning: that makes the kernel write it anew.
fn whole(file: &File) -> io::Result<String> {
    use std::os::unix::fs::FileExt;
    let (mut text, mut length) = (vec![0; 4096], 0);
    loop {
        let read = file.read_at(&mut text[length..], length as u64)?;
        length += read;
        if read == 0 {
            text.truncate(length);
            return String::from_utf8(text).map_err(io::Error::other);
        }
        if length == text.len() {
            text.resize(2 * length, 0);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A cgroup and a procfs that a test makes up.
    fn kernel(files: &[(&str, &str)]) -> tempfile::TempDir {
        let root = tempfile::tempdir().unwrap();
        for (path, text) in files {
            let path = root.path().join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        }
        root
    }

    const FILES: [(&str, &str); 11] = [
        ("cpu.stat", "usage_usec 20\nuser_usec 15\nsystem_usec 5\nnr_periods 4\nnr_throttled 3\nthrottled_usec 2\n"),
        ("memory.current", "700416\n"),
        ("memory.max", "max\n"),
        ("memory.stat", "anon 4096\ninactive_file 8192\n"),
        ("memory.events", "low 0\nhigh 0\nmax 7\noom 2\noom_kill 1\n"),
        ("pids.current", "3\n"),
        ("pids.max", "50\n"),
        ("io.stat", "254:0 rbytes=4096 wbytes=8192 rios=1 wios=2 dbytes=0 dios=0\n"),
        ("stat", "cpu  1 2 3 4 5 6 7 8 9 10\ncpu0 1 1 1 1 1 1 1 1 0 0\ncpu1 0 0 0 0 0 0 0 0 0 0\nintr 5\n"),
        ("meminfo", "MemTotal:        1024 kB\nMemFree: 1 kB\n"),
        (
            "7/net/dev",
            "Inter-|   Receive  |  Transmit\n face |bytes packets|bytes\n    lo: 9 9 9 9 9 9 9 9 9 9 9 9 9 9 9 9\n  eth0:1485 19 1 2 0 0 0 0 782 10 3 4 0 0 0 0\n",
        ),
    ];

    fn open(root: &Path) -> OwnedFd {
        rustix::fs::open(root, OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty()).unwrap()
    }

    #[test]
    fn a_look_finds_every_number_in_its_file() {
        let root = kernel(&FILES);
        let meter = Meter::open(&open(root.path()), root.path(), 7, true).unwrap();
        let sample = meter.read().unwrap();
        assert_eq!((sample.cpu.usage_nanos, sample.cpu.user_nanos, sample.cpu.system_nanos), (20_000, 15_000, 5_000));
        assert_eq!((sample.cpu.periods, sample.cpu.throttled_periods, sample.cpu.throttled_nanos), (4, 3, 2_000));
        // user to softirq, as dockerd adds them up.
        assert_eq!((sample.cpu.guest_nanos, sample.cpu.online_cpus), (280_000_000, 2));
        assert_eq!(
            (sample.memory.usage_bytes, sample.memory.limit_bytes, sample.memory.failures),
            (700_416, 1 << 20, 2)
        );
        assert_eq!(sample.memory.details["inactive_file"], 8192);
        let io = IoStats { major: 254, minor: 0, read_bytes: 4096, written_bytes: 8192, reads: 1, writes: 2 };
        assert_eq!(sample.io, [io]);
        assert_eq!((sample.pids, sample.pids_limit), (3, 50));
        let (name, eth0) = &sample.networks[0];
        assert_eq!((sample.networks.len(), name.as_str()), (1, "eth0"));
        assert_eq!(
            (eth0.received_bytes, eth0.received_packets, eth0.receive_errors, eth0.receive_dropped),
            (1485, 19, 1, 2)
        );
        assert_eq!((eth0.sent_bytes, eth0.sent_packets, eth0.send_errors, eth0.send_dropped), (782, 10, 3, 4));
    }

    #[test]
    fn a_second_look_sees_what_has_changed() {
        let root = kernel(&FILES);
        let meter = Meter::open(&open(root.path()), root.path(), 7, false).unwrap();
        assert_eq!(meter.read().unwrap().networks, []);
        std::fs::write(root.path().join("pids.current"), "4\n").unwrap();
        assert_eq!(meter.read().unwrap().pids, 4);
    }

    #[test]
    fn a_kernel_without_block_controllers_counts_no_blocks() {
        let root = kernel(&FILES);
        std::fs::remove_file(root.path().join("io.stat")).unwrap();
        assert_eq!(Meter::open(&open(root.path()), root.path(), 7, true).unwrap().read().unwrap().io, []);
        std::fs::remove_file(root.path().join("cpu.stat")).unwrap();
        assert!(Meter::open(&open(root.path()), root.path(), 7, true).is_err());
    }

    #[test]
    fn long_files_are_read_whole() {
        let root = kernel(&[("long", &"x".repeat(10_000))]);
        assert_eq!(whole(&File::open(root.path().join("long")).unwrap()).unwrap().len(), 10_000);
    }
}
