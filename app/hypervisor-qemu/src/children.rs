//! Processes that do not outlive this one: the kernel kills them when the thread that started them ends, so whoever starts
//! a machine does so from a thread that lives as long as it should (the helper has but one).
#![expect(unsafe_code, reason = "prctl and fcntl have to run in the child between fork and exec")]

use std::{
    collections::VecDeque,
    io,
    os::fd::{AsRawFd, BorrowedFd, RawFd},
    process::{ExitStatus, Stdio},
    sync::{Arc, Mutex, PoisonError},
};

use nix::{
    fcntl::{FcntlArg, FdFlag, fcntl},
    sys::{prctl, signal::Signal},
    unistd::getppid,
};
use tokio::{
    io::{AsyncBufReadExt, BufReader},
    process::{Child, Command},
    task::JoinHandle,
};

/// How much of what a child says about itself is kept.
const KEPT_LINES: usize = 10;
/// How much of it is logged: a guest that makes a child complain must not fill the host's disk.
const LOGGED_LINES: usize = 1000;

/// A child.
#[derive(Debug)]
pub(crate) struct Process {
    name: &'static str,
    pub(crate) child: Child,
    said: Arc<Mutex<VecDeque<String>>>,
    listening: Option<JoinHandle<()>>,
}

/// Starts a child that ends with us. Its standard error is kept and logged; `inherited` stay open in it under their numbers.
pub(crate) fn spawn(name: &'static str, command: &mut Command, inherited: &[BorrowedFd<'_>]) -> io::Result<Process> {
    let inherited: Vec<RawFd> = inherited.iter().map(AsRawFd::as_raw_fd).collect();
    let parent = nix::unistd::getpid();
    let before_exec = move || {
        prctl::set_pdeathsig(Signal::SIGKILL)?;
        if getppid() != parent {
            // The parent died before the line above could matter.
            return Err(io::Error::from_raw_os_error(nix::libc::ESRCH));
        }
        for fd in &inherited {
            // SAFETY: the number is that of a descriptor that the parent held over the fork.
            let fd = unsafe { BorrowedFd::borrow_raw(*fd) };
            fcntl(fd, FcntlArg::F_SETFD(FdFlag::empty()))?;
        }
        Ok(())
    };
    // SAFETY: the closure only makes system calls; it neither allocates nor takes a lock.
    unsafe { command.pre_exec(before_exec) };
    let mut child = command.stdin(Stdio::null()).stderr(Stdio::piped()).kill_on_drop(true).spawn()?;
    let said = Arc::<Mutex<VecDeque<String>>>::default();
    let listening = child.stderr.take().map(|stderr| {
        let said = said.clone();
        tokio::spawn(async move {
            let mut lines = BufReader::new(stderr).lines();
            let mut budget = LOGGED_LINES;
            while let Ok(Some(line)) = lines.next_line().await {
                if let Some(left) = budget.checked_sub(1) {
                    tracing::info!(process = name, "{line}");
                    budget = left;
                }
                let mut said = said.lock().unwrap_or_else(PoisonError::into_inner);
                said.push_back(line);
                if said.len() > KEPT_LINES {
                    said.pop_front();
                }
            }
        })
    });
    Ok(Process { name, child, said, listening })
}

impl Process {
    /// Waits for its end and says how it ended: "exited with 1: ...". Can be dropped and called again until it answers.
    pub(crate) async fn wait(&mut self) -> String {
        let status = self.child.wait().await;
        if let Some(listening) = self.listening.take() {
            // It ends with the pipe; what a grandchild might still say is not waited for.
            tokio::time::timeout(std::time::Duration::from_secs(1), listening).await.ok();
        }
        let how = match status {
            Ok(status) => ended(status),
            Err(error) => format!("cannot be waited for: {error}"),
        };
        let said = self.said.lock().unwrap_or_else(PoisonError::into_inner);
        if said.is_empty() { how } else { format!("{how}: {}", said.iter().cloned().collect::<Vec<_>>().join("; ")) }
    }

    /// Kills it and waits.
    pub(crate) async fn end(&mut self) {
        if let Err(error) = self.child.kill().await {
            tracing::warn!(process = self.name, %error, "could not kill");
        }
    }
}

fn ended(status: ExitStatus) -> String {
    use std::os::unix::process::ExitStatusExt;
    match (status.code(), status.signal()) {
        (Some(code), _) => format!("exited with {code}"),
        (None, Some(signal)) => format!("was ended by signal {signal}"),
        (None, None) => status.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn how_it_ended_includes_what_it_said() {
        let mut command = Command::new("sh");
        command.args(["-c", "echo no such device >&2; exit 3"]);
        let mut process = spawn("sh", &mut command, &[]).unwrap();
        assert_eq!(process.wait().await, "exited with 3: no such device");
    }

    #[tokio::test]
    async fn a_killed_child_says_by_which_signal() {
        let mut process = spawn("sleep", Command::new("sleep").arg("60"), &[]).unwrap();
        process.end().await;
        assert_eq!(process.wait().await, "was ended by signal 9");
    }

    #[test]
    fn a_child_ends_with_the_thread_that_started_it() {
        let pid = std::thread::spawn(|| {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            let _inside = runtime.enter();
            let process = spawn("sleep", Command::new("sleep").arg("60"), &[]).unwrap();
            let pid = process.child.id().unwrap();
            // As in a crash: nothing is dropped.
            std::mem::forget(process);
            pid
        })
        .join()
        .unwrap();
        let pid = nix::unistd::Pid::from_raw(i32::try_from(pid).unwrap());
        let status = nix::sys::wait::waitpid(pid, None).unwrap();
        assert_eq!(status, nix::sys::wait::WaitStatus::Signaled(pid, Signal::SIGKILL, false));
    }
}
