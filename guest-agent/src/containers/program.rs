//! The seams to what starts processes and to what keeps images, so that the rules of containers can be tested without a
//! kernel that obeys: [`Launcher`] and [`Program`] for [`crate::processes`], [`ImageSource`] for [`crate::images`].

use std::{
    error::Error,
    io::{self, Read},
    os::fd::{BorrowedFd, OwnedFd},
    path::PathBuf,
    sync::Arc,
};

use futures::future::{BoxFuture, FutureExt};

use crate::{
    cgroups::update::Change,
    images::{CommitRequest, HeldImage, ImageStore, ImagesError},
    logs::Stream,
    processes::{
        LaunchError, Process, Processes, SignalError,
        launch::{ContainerLaunch, ExecLaunch, ExitStatus},
    },
    user_namespaces::{self, Made},
};

/// Starts processes.
pub trait Launcher: Send + Sync + 'static {
    /// Starts a container's first process; its program has been executed when this returns.
    fn start_container(&self, launch: ContainerLaunch) -> BoxFuture<'_, Result<Arc<dyn Program>, LaunchError>>;
    /// Opens the files of an image, for reading. Blocks.
    ///
    /// # Errors
    /// If they cannot be put together.
    fn open_layers(&self, layers: &[PathBuf]) -> Result<OwnedFd, LaunchError>;
    /// Makes a user namespace. Blocks.
    ///
    /// # Errors
    /// If the kernel refuses.
    fn make_user_namespace(&self) -> io::Result<Made>;
    /// Makes a network namespace that belongs to a user namespace. Blocks.
    ///
    /// # Errors
    /// If the kernel refuses.
    fn make_network_namespace(&self, user_namespace: BorrowedFd<'_>) -> io::Result<OwnedFd>;
    /// Starts a further process.
    fn start_exec(&self, launch: ExecLaunch) -> BoxFuture<'_, Result<Arc<dyn Program>, LaunchError>>;
}

/// A process that was started.
pub trait Program: Send + Sync + std::fmt::Debug + 'static {
    /// Its id in the guest.
    fn pid(&self) -> u32;
    /// The user namespace that it is in; `None` for the guest's.
    ///
    /// # Errors
    /// If it has ended.
    fn user_namespace(&self) -> io::Result<Option<OwnedFd>>;
    /// Nanoseconds since 1970.
    fn started_at_nanos(&self) -> i64;
    /// What can be read of it.
    fn outputs(&self) -> Vec<(Stream, Arc<OwnedFd>)>;
    /// Where its standard input is written: a pipe or its terminal.
    fn input(&self) -> Option<Arc<OwnedFd>>;
    /// Gives its standard input an end; a terminal has none.
    fn close_input(&self) -> BoxFuture<'_, ()>;
    /// Sets the size of its terminal.
    ///
    /// # Errors
    /// If it has none.
    fn resize(&self, rows: u16, columns: u16) -> io::Result<()>;
    /// Waits for its end.
    fn wait(&self) -> BoxFuture<'_, ExitStatus>;
    /// How it ended; `None` while it runs.
    fn exited(&self) -> Option<ExitStatus>;
    /// Sends it a signal.
    ///
    /// # Errors
    /// If it has ended.
    fn signal(&self, signal: i32) -> Result<(), SignalError>;
    /// Kills it, and with a container's first process all others.
    fn kill_all(&self);
    /// Kills it with all that it started, without those that left its session.
    fn kill_session(&self);
    /// Freezes all processes of its container, or lets them go on.
    fn freeze(&self, freeze: bool) -> BoxFuture<'_, Result<(), Box<dyn Error + Send + Sync>>>;
    /// Whether the processes of its container are frozen.
    fn is_frozen(&self) -> bool;
    /// Changes the limits of its container.
    fn limit(&self, change: Change) -> BoxFuture<'_, Result<(), Box<dyn Error + Send + Sync>>>;
    /// Forgets it once it has ended.
    fn release(&self) -> BoxFuture<'_, Result<(), Box<dyn Error + Send + Sync>>>;
    /// Whether the kernel killed a process of the container for want of memory.
    fn oom_killed(&self) -> bool;
    /// Waits until there were more such kills than `known`; `None` when nobody counts them any more.
    fn oom_kills_beyond(&self, known: u64) -> BoxFuture<'_, Option<u64>>;
}

/// Keeps images. All calls block.
pub trait ImageSource: Send + Sync + 'static {
    /// Finds an image and keeps it for a container.
    ///
    /// # Errors
    /// If there is none.
    fn hold(&self, image: &str, container_id: &str) -> Result<HeldImage, ImagesError>;
    /// The image that a container keeps.
    ///
    /// # Errors
    /// If its files are damaged.
    fn held(&self, container_id: &str) -> Result<HeldImage, ImagesError>;
    /// A container no longer needs its image.
    ///
    /// # Errors
    /// If that cannot be written down.
    fn release(&self, container_id: &str) -> Result<(), ImagesError>;
    /// Forgets the containers that are not there any more.
    ///
    /// # Errors
    /// If that cannot be written down.
    fn retain(&self, exists: &dyn Fn(&str) -> bool) -> Result<(), ImagesError>;
    /// Makes an image of a container, from the tar of its changes if there are any. Returns its id.
    ///
    /// # Errors
    /// If the request makes no sense or the disk is full.
    fn commit(&self, request: &CommitRequest, changes: Option<Box<dyn Read + Send>>) -> Result<String, ImagesError>;
    /// Says that a container runs, or does not.
    fn set_running(&self, container_id: &str, running: bool);
    /// Id and size of an image.
    ///
    /// # Errors
    /// If there is none.
    fn find(&self, image: &str) -> Result<(String, u64), ImagesError>;
}

impl Launcher for Processes {
    fn start_container(&self, launch: ContainerLaunch) -> BoxFuture<'_, Result<Arc<dyn Program>, LaunchError>> {
        Processes::start_container(self, launch).map(|started| started.map(as_program)).boxed()
    }

    fn open_layers(&self, layers: &[PathBuf]) -> Result<OwnedFd, LaunchError> {
        crate::rootfs::overlay::read_only(layers, None)
    }

    fn make_user_namespace(&self) -> io::Result<Made> {
        user_namespaces::make()
    }

    fn make_network_namespace(&self, user_namespace: BorrowedFd<'_>) -> io::Result<OwnedFd> {
        user_namespaces::make_network(user_namespace)
    }

    fn start_exec(&self, launch: ExecLaunch) -> BoxFuture<'_, Result<Arc<dyn Program>, LaunchError>> {
        Processes::start_exec(self, launch).map(|started| started.map(as_program)).boxed()
    }
}

/// A process behind its seam.
#[must_use]
pub fn as_program(process: Process) -> Arc<dyn Program> {
    Arc::new(process)
}

impl Program for Process {
    fn pid(&self) -> u32 {
        Process::pid(self)
    }

    fn user_namespace(&self) -> io::Result<Option<OwnedFd>> {
        user_namespaces::of_process(Process::pid(self))
    }

    fn started_at_nanos(&self) -> i64 {
        Process::started_at_nanos(self)
    }

    fn outputs(&self) -> Vec<(Stream, Arc<OwnedFd>)> {
        let stdio = self.stdio();
        let ends =
            [(Stream::Stdout, &stdio.terminal), (Stream::Stdout, &stdio.stdout), (Stream::Stderr, &stdio.stderr)];
        ends.into_iter().filter_map(|(stream, end)| end.clone().map(|end| (stream, end))).collect()
    }

    fn input(&self) -> Option<Arc<OwnedFd>> {
        self.stdio().terminal.clone().or_else(|| self.stdio().stdin())
    }

    fn close_input(&self) -> BoxFuture<'_, ()> {
        Process::close_stdin(self).boxed()
    }

    fn resize(&self, rows: u16, columns: u16) -> io::Result<()> {
        Process::resize(self, rows, columns)
    }

    fn wait(&self) -> BoxFuture<'_, ExitStatus> {
        Process::wait(self).boxed()
    }

    fn exited(&self) -> Option<ExitStatus> {
        Process::exited(self)
    }

    fn signal(&self, signal: i32) -> Result<(), SignalError> {
        Process::signal(self, signal)
    }

    fn kill_all(&self) {
        Process::kill_all(self);
    }

    fn kill_session(&self) {
        Process::kill_session(self);
    }

    fn freeze(&self, freeze: bool) -> BoxFuture<'_, Result<(), Box<dyn Error + Send + Sync>>> {
        async move { Ok(Process::freeze(self, freeze).await?) }.boxed()
    }

    fn is_frozen(&self) -> bool {
        Process::is_frozen(self)
    }

    fn limit(&self, change: Change) -> BoxFuture<'_, Result<(), Box<dyn Error + Send + Sync>>> {
        async move { Ok(Process::limit(self, change).await?) }.boxed()
    }

    fn release(&self) -> BoxFuture<'_, Result<(), Box<dyn Error + Send + Sync>>> {
        let process = self.clone();
        async move { Ok(Process::release(process).await?) }.boxed()
    }

    fn oom_killed(&self) -> bool {
        Process::oom_killed(self)
    }

    fn oom_kills_beyond(&self, known: u64) -> BoxFuture<'_, Option<u64>> {
        Process::oom_kills_beyond(self, known).boxed()
    }
}

impl ImageSource for ImageStore {
    fn hold(&self, image: &str, container_id: &str) -> Result<HeldImage, ImagesError> {
        ImageStore::hold(self, image, container_id)
    }

    fn held(&self, container_id: &str) -> Result<HeldImage, ImagesError> {
        ImageStore::held(self, container_id)
    }

    fn release(&self, container_id: &str) -> Result<(), ImagesError> {
        ImageStore::release(self, container_id)
    }

    fn retain(&self, exists: &dyn Fn(&str) -> bool) -> Result<(), ImagesError> {
        ImageStore::retain_holds(self, exists)
    }

    fn commit(&self, request: &CommitRequest, changes: Option<Box<dyn Read + Send>>) -> Result<String, ImagesError> {
        ImageStore::commit(self, request, changes)
    }

    fn set_running(&self, container_id: &str, running: bool) {
        ImageStore::set_running(self, container_id, running);
    }

    fn find(&self, image: &str) -> Result<(String, u64), ImagesError> {
        ImageStore::resolve(self, image).map(|summary| (summary.id, summary.size_bytes))
    }
}
