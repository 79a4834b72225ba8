//! Standard streams: pipes that PID 1 makes, or a terminal that the process makes in its container.

use std::os::fd::{AsRawFd, OwnedFd, RawFd};

use rustix::{
    fs::{FileType, Mode, OFlags, fchown, fstat, major, minor},
    io::Errno,
    pipe::{PipeFlags, pipe_with},
};

use super::{Newcomer, Step, terminal};
use crate::{
    init::protocol::{Report, Streams},
    processes::{error::LaunchFailure, launch::StdioSpec},
    users::User,
};

/// As much as the kernel buffers in a pipe for anybody: a program that writes in bursts then waits less for its reader.
const PIPE_BYTES: usize = 1 << 20;

/// The engine's ends.
#[derive(Debug, Default)]
pub(crate) struct EngineEnds {
    pub(crate) stdin: Option<OwnedFd>,
    pub(crate) stdout: Option<OwnedFd>,
    pub(crate) stderr: Option<OwnedFd>,
    pub(crate) terminal: Option<OwnedFd>,
}

/// The process's ends.
#[derive(Debug)]
pub(crate) enum ProcessEnds {
    /// A pipe each, /dev/null where there is none.
    Pipes([Option<OwnedFd>; 3]),
    /// A terminal, yet to be made, of so many rows and columns.
    Terminal(u16, u16),
}

impl EngineEnds {
    /// Which of them there are.
    pub(crate) fn there(&self) -> Streams {
        Streams {
            stdin: self.stdin.is_some(),
            stdout: self.stdout.is_some(),
            stderr: self.stderr.is_some(),
            terminal: self.terminal.is_some(),
        }
    }

    /// Those that there are, in the order in which they are sent.
    pub(crate) fn in_order(&self) -> impl Iterator<Item = &OwnedFd> {
        [&self.stdin, &self.stdout, &self.stderr, &self.terminal].into_iter().flatten()
    }
}

impl ProcessEnds {
    /// The numbers of the descriptors.
    pub(super) fn numbers(&self) -> Vec<RawFd> {
        match self {
            Self::Pipes(ends) => ends.iter().flatten().map(AsRawFd::as_raw_fd).collect(),
            Self::Terminal(..) => Vec::new(),
        }
    }
}

impl ProcessEnds {
    /// Makes them somebody's, by the guest's ids.
    pub(super) fn give_to(&self, id: u32) -> Result<(), Errno> {
        let Self::Pipes(ends) = self else { return Ok(()) };
        let (user, group) = (rustix::process::Uid::from_raw(id), rustix::process::Gid::from_raw(id));
        ends.iter().flatten().try_for_each(|end| fchown(end, Some(user), Some(group)))
    }
}

/// Makes the pipes that are asked for. The engine's ends are non-blocking, the process's are not: each end has its own
/// mode.
///
/// # Errors
/// EMFILE and the like.
pub(crate) fn make(spec: StdioSpec) -> Result<(EngineEnds, ProcessEnds), Errno> {
    let (stdin, stdout, stderr) = match spec {
        StdioSpec::Terminal { rows, columns } => {
            return Ok((EngineEnds::default(), ProcessEnds::Terminal(rows, columns)));
        }
        StdioSpec::Pipes { stdin, stdout, stderr } => (stdin, stdout, stderr),
    };
    let (their_in, our_in) = pipe(stdin)?;
    let (our_out, their_out) = pipe(stdout)?;
    let (our_err, their_err) = pipe(stderr)?;
    for end in [&our_in, &our_out, &our_err].into_iter().flatten() {
        rustix::fs::fcntl_setfl(end, OFlags::NONBLOCK)?;
    }
    let ours = EngineEnds { stdin: our_in, stdout: our_out, stderr: our_err, terminal: None };
    Ok((ours, ProcessEnds::Pipes([their_in, their_out, their_err])))
}

fn pipe(wanted: bool) -> Result<(Option<OwnedFd>, Option<OwnedFd>), Errno> {
    if !wanted {
        return Ok((None, None));
    }
    let (reader, writer) = pipe_with(PipeFlags::CLOEXEC)?;
    match rustix::pipe::fcntl_setpipe_size(&reader, PIPE_BYTES) {
        // PID 1 may have more than others, but where it may not the usual size does as well.
        Ok(_) | Err(Errno::PERM | Errno::NOMEM) => Ok((Some(reader), Some(writer))),
        Err(errno) => Err(errno),
    }
}

/// Puts the streams where programs expect them. A terminal is made, told to PID 1 and returned.
pub(super) fn connect(newcomer: &Newcomer) -> Result<Option<OwnedFd>, LaunchFailure> {
    match &newcomer.streams {
        ProcessEnds::Pipes(ends) => connect_pipes(ends).step("connect the standard streams").map(|()| None),
        ProcessEnds::Terminal(rows, columns) => {
            let (master, terminal) = terminal::make(*rows, *columns).step("make a terminal")?;
            newcomer.report(&Report::Terminal, vec![master]).step("hand the terminal over")?;
            terminal::control(&terminal).step("take the terminal")?;
            put(&terminal, &terminal, &terminal).step("connect the terminal")?;
            Ok(Some(terminal))
        }
    }
}

fn connect_pipes(ends: &[Option<OwnedFd>; 3]) -> Result<(), Errno> {
    let null = if ends.iter().any(Option::is_none) { Some(null()?) } else { None };
    let [stdin, stdout, stderr] = ends.each_ref().map(|end| end.as_ref().or(null.as_ref()).ok_or(Errno::BADF));
    put(stdin?, stdout?, stderr?)
}

fn put(stdin: &OwnedFd, stdout: &OwnedFd, stderr: &OwnedFd) -> Result<(), Errno> {
    rustix::stdio::dup2_stdin(stdin)?;
    rustix::stdio::dup2_stdout(stdout)?;
    rustix::stdio::dup2_stderr(stderr)
}

/// The container's /dev/null, if it is one: a container that runs may have replaced it.
fn null() -> Result<OwnedFd, Errno> {
    let flags = OFlags::RDWR | OFlags::NOFOLLOW | OFlags::NOCTTY | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let null = rustix::fs::open("/dev/null", flags, Mode::empty())?;
    if !is_null(&null)? {
        return Err(Errno::NODEV);
    }
    rustix::fs::fcntl_setfl(&null, OFlags::empty())?;
    Ok(null)
}

fn is_null(file: impl std::os::fd::AsFd) -> Result<bool, Errno> {
    let facts = fstat(file)?;
    let device = (major(facts.st_rdev), minor(facts.st_rdev));
    Ok(FileType::from_raw_mode(facts.st_mode) == FileType::CharacterDevice && device == (1, 3))
}

/// Lets the user open his streams again, by /dev/stdout or /proc/self/fd/1.
pub(super) fn give_to(user: &User) -> Result<(), LaunchFailure> {
    if user.uid == 0 {
        return Ok(());
    }
    let give = |stream: std::os::fd::BorrowedFd<'_>| -> Result<(), Errno> {
        if is_null(stream)? {
            return Ok(());
        }
        fchown(stream, Some(rustix::process::Uid::from_raw(user.uid)), None)
    };
    give(rustix::stdio::stdin()).step("change the owner of standard input")?;
    give(rustix::stdio::stdout()).step("change the owner of standard output")?;
    give(rustix::stdio::stderr()).step("change the owner of standard error")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_asked_for_is_made_and_only_our_ends_do_not_block() {
        let (ours, theirs) = make(StdioSpec::Pipes { stdin: true, stdout: false, stderr: true }).unwrap();
        assert_eq!(ours.there(), Streams { stdin: true, stdout: false, stderr: true, terminal: false });
        assert_eq!(ours.in_order().count(), 2);
        let ProcessEnds::Pipes([Some(stdin), None, Some(stderr)]) = theirs else { panic!("{theirs:?}") };
        let blocks = |fd: &OwnedFd| !rustix::fs::fcntl_getfl(fd).unwrap().contains(OFlags::NONBLOCK);
        assert!(blocks(&stdin) && blocks(&stderr) && !blocks(&ours.stdin.unwrap()));
        rustix::io::write(&stderr, b"x").unwrap();
        assert_eq!(rustix::io::read(ours.stderr.unwrap(), &mut [0; 4]), Ok(1));
    }

    #[test]
    fn devices_that_are_not_null_are_told_apart() {
        assert!(is_null(null().unwrap()).unwrap());
        assert!(!is_null(std::fs::File::open("/dev/zero").unwrap()).unwrap());
    }
}
