//! Starting a program that outlives its starter, and being asked to stop.

use std::{io, process::Command};

/// Makes `command` start a program with no tie to this one's terminal: closing the terminal or Ctrl+C there does not
/// reach it. Standard streams are the caller's to set; what is inherited stays open.
pub fn detach(command: &mut Command) -> &mut Command {
    imp::detach(command)
}

/// Lets this process, and what it starts from now on, have as many files open as is usual for a server: each stream of a
/// container is one, and programs that launchd starts begin with 256.
///
/// # Errors
/// What the system says; the limit is then what it was.
pub fn raise_open_files() -> io::Result<()> {
    imp::raise_open_files()
}

/// Asks to stop: SIGTERM or SIGINT; on Windows Ctrl+C, the end of the session and the shutdown of the machine.
#[derive(Debug)]
pub struct StopRequests(imp::Signals);

impl StopRequests {
    /// Listens from now on, so that a request that comes early is not lost.
    ///
    /// # Errors
    /// If the system does not let us listen.
    pub fn listen() -> io::Result<Self> {
        imp::Signals::listen().map(Self)
    }

    /// Waits for the next request and says what it was: "SIGTERM".
    pub async fn next(&mut self) -> &'static str {
        self.0.next().await
    }
}

#[cfg(unix)]
mod imp {
    #![expect(unsafe_code, reason = "setsid has to run in the child between fork and exec")]

    use std::{io, os::unix::process::CommandExt, process::Command};

    use nix::sys::resource::{Resource, getrlimit, setrlimit};
    use tokio::signal::unix::{Signal, SignalKind, signal};

    /// macOS calls its hard limit infinite and refuses more than OPEN_MAX (setrlimit(2) there).
    const OPEN_FILES: u64 = if cfg!(target_vendor = "apple") { 10_240 } else { 65_536 };

    pub(super) fn raise_open_files() -> io::Result<()> {
        let (soft, hard) = getrlimit(Resource::RLIMIT_NOFILE)?;
        let wanted = OPEN_FILES.min(hard);
        if soft < wanted {
            setrlimit(Resource::RLIMIT_NOFILE, wanted, hard)?;
        }
        Ok(())
    }

    pub(super) fn detach(command: &mut Command) -> &mut Command {
        // SAFETY: setsid(2) is async-signal-safe and the closure neither allocates nor takes a lock.
        unsafe { command.pre_exec(|| nix::unistd::setsid().map(drop).map_err(io::Error::from)) }
    }

    #[derive(Debug)]
    pub(super) struct Signals {
        terminate: Signal,
        interrupt: Signal,
    }

    impl Signals {
        pub(super) fn listen() -> io::Result<Self> {
            Ok(Self { terminate: signal(SignalKind::terminate())?, interrupt: signal(SignalKind::interrupt())? })
        }

        pub(super) async fn next(&mut self) -> &'static str {
            let (terminate, interrupt) = (&mut self.terminate, &mut self.interrupt);
            // The streams of signals never end.
            std::future::poll_fn(|cx| {
                if terminate.poll_recv(cx).is_ready() {
                    return std::task::Poll::Ready("SIGTERM");
                }
                interrupt.poll_recv(cx).map(|_| "SIGINT")
            })
            .await
        }
    }
}

#[cfg(windows)]
mod imp {
    #![expect(unsafe_code, reason = "what children inherit has no safe face in the standard library")]

    use std::{io, os::windows::process::CommandExt, process::Command, task::Poll};

    use tokio::signal::windows::{CtrlC, CtrlClose, CtrlShutdown, ctrl_c, ctrl_close, ctrl_shutdown};
    use windows_sys::Win32::{
        Foundation::{HANDLE_FLAG_INHERIT, SetHandleInformation},
        System::Console::{GetStdHandle, STD_ERROR_HANDLE, STD_INPUT_HANDLE, STD_OUTPUT_HANDLE},
    };

    /// DETACHED_PROCESS | CREATE_NEW_PROCESS_GROUP, from Windows' processthreadsapi.h.
    const DETACHED_IN_A_GROUP_OF_ITS_OWN: u32 = 0x0000_0008 | 0x0000_0200;

    /// Windows has no such limit.
    pub(super) fn raise_open_files() -> io::Result<()> {
        Ok(())
    }

    pub(super) fn detach(command: &mut Command) -> &mut Command {
        keep_own_streams();
        command.creation_flags(DETACHED_IN_A_GROUP_OF_ITS_OWN)
    }

    /// A child gets every handle that may be inherited, and our own streams are such if a shell gave them to us: whoever
    /// reads our output to its end would wait for the child's end too. Streams that a child is given on purpose are copies.
    fn keep_own_streams() {
        for stream in [STD_INPUT_HANDLE, STD_OUTPUT_HANDLE, STD_ERROR_HANDLE] {
            // SAFETY: it takes a number and gives a handle that stays ours, or none.
            let handle = unsafe { GetStdHandle(stream) };
            // SAFETY: it changes a flag; without such a stream it fails and there is nothing to keep.
            unsafe { SetHandleInformation(handle, HANDLE_FLAG_INHERIT, 0) };
        }
    }

    #[derive(Debug)]
    pub(super) struct Signals {
        interrupt: CtrlC,
        close: CtrlClose,
        shutdown: CtrlShutdown,
    }

    impl Signals {
        pub(super) fn listen() -> io::Result<Self> {
            Ok(Self { interrupt: ctrl_c()?, close: ctrl_close()?, shutdown: ctrl_shutdown()? })
        }

        pub(super) async fn next(&mut self) -> &'static str {
            let Self { interrupt, close, shutdown } = self;
            std::future::poll_fn(|cx| {
                if interrupt.poll_recv(cx).is_ready() {
                    return Poll::Ready("Ctrl+C");
                }
                if close.poll_recv(cx).is_ready() {
                    return Poll::Ready("the end of the session");
                }
                shutdown.poll_recv(cx).map(|_| "the shutdown of the computer")
            })
            .await
        }
    }
}

#[cfg(unix)]
#[cfg(test)]
mod tests {
    use nix::{
        sys::signal::{Signal, kill},
        unistd::Pid,
    };

    use super::*;

    #[test]
    fn the_limit_of_open_files_is_raised_and_never_lowered() {
        use nix::sys::resource::{Resource, getrlimit};
        let before = getrlimit(Resource::RLIMIT_NOFILE).unwrap();
        raise_open_files().unwrap();
        let after = getrlimit(Resource::RLIMIT_NOFILE).unwrap();
        assert!(after.0 >= before.0 && after.0 >= before.1.min(10_240) && after.1 == before.1, "{before:?} {after:?}");
    }

    #[tokio::test]
    async fn sigterm_is_a_request_to_stop() {
        let mut requests = StopRequests::listen().unwrap();
        kill(Pid::this(), Signal::SIGTERM).unwrap();
        assert_eq!(requests.next().await, "SIGTERM");
        kill(Pid::this(), Signal::SIGINT).unwrap();
        assert_eq!(requests.next().await, "SIGINT");
    }

    #[test]
    fn a_detached_program_leads_a_session_of_its_own() {
        let mut command = Command::new("sleep");
        let mut child = detach(command.arg("60")).spawn().unwrap();
        let pid = Pid::from_raw(i32::try_from(child.id()).unwrap());
        let session = nix::unistd::getsid(Some(pid)).unwrap();
        child.kill().unwrap();
        child.wait().unwrap();
        assert_eq!(session, pid);
    }
}
