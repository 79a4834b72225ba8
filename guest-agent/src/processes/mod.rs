//! Processes of containers, as the agent sees them: started by PID 1 on request, known by pidfd, with their standard
//! streams. The kernel work of becoming a container is in `container_init`; what a container *is* to its users is in
//! `containers`.

pub mod launch;

// API that `containers` and `execs` build on (the runtime's author fills it in; keep these shapes):
//
// pub struct Processes: Clone + Send + Sync            // a handle to the one task that talks to PID 1
//   pub async fn connect(control: OwnedFd) -> Result<(Processes, Vec<Process>), ..>   // adopts what PID 1 holds
//   pub async fn start_container(&self, launch: ContainerLaunch) -> Result<Process, LaunchError>
//   pub async fn start_exec(&self, launch: ExecLaunch) -> Result<Process, LaunchError>
//   pub async fn power_off(&self)                      // PID 1 ends everything and powers off; does not return
//
// pub struct Process: Clone
//   pub fn id(&self) -> &str                           // container or exec id
//   pub fn kind(&self) -> Kind                         // Container | Exec { container_id }
//   pub fn pid(&self) -> u32
//   pub fn started_at_nanos(&self) -> i64
//   pub fn stdio(&self) -> &Stdio                      // engine's ends: stdin: Option<Arc<OwnedFd>>, stdout, stderr, terminal
//   pub async fn close_stdin(&self)                    // both here and in PID 1, so that the process sees EOF
//   pub fn resize(&self, rows, columns) -> io::Result<()>
//   pub async fn wait(&self) -> ExitStatus             // any number of callers, also after the end
//   pub fn exited(&self) -> Option<ExitStatus>
//   pub fn signal(&self, signal: i32) -> Result<(), SignalError>   // by pidfd, so never another process
//   pub fn kill_all(&self)                             // cgroup.kill: every process of the container
//   pub async fn release(self)                         // PID 1 forgets it; cgroup, mounts removed
//   pub fn oom_killed(&self) -> bool                   // memory.events oom_kill rose (for containers)
//
// pub enum LaunchError — Display in Docker's words after "failed to create task for container: ":
//   NotFound      exec: "nosuch": executable file not found in $PATH
//   NoEntry       exec: "/nosuch": stat /nosuch: no such file or directory
//   Permission    exec: "/etc/passwd": permission denied
//   User          unable to find user nosuch: no matching entries in passwd file
//   WorkingDir, Step { step, errno }, Cgroup, Rootfs, ...
//   fn exit_code(&self) -> i32                         // 127, 126, else 128
