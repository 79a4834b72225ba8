//! The life of the virtual machine. No OS code: a backend crate per hypervisor implements [`hypervisor::Hypervisor`].
//!
//! * [`hypervisor`] — what a hypervisor must offer, and what it is given.
//! * [`guest`] — what must be known of the system inside to say that it is up, and to stop it.
//! * [`lifecycle`] — [`Machine`]: the state machine, owned by one task.
//! * [`status`] — what it tells others: states, phases, failures.
//! * [`deadlines`] — how long each step may take.
//! * [`settings`] — how large the machine is.
//! * [`prepare`] — the files of a run: initramfs with the boot secret, data disk.
//! * [`console`] — what kernel and PID 1 wrote: tail, follow, rotation, cap.
//! * [`fake`] — a hypervisor in this process, for tests.
//! * [`conformance`] — the suite that every hypervisor passes.

pub mod conformance;
pub mod console;
pub mod deadlines;
pub mod fake;
pub mod guest;
pub mod hypervisor;
pub mod lifecycle;
pub mod prepare;
pub mod settings;
pub mod status;

pub use deadlines::Deadlines;
pub use guest::{Guest, GuestError};
pub use lifecycle::{ConnectError, Machine, MachineConfig, StartError, Started, StopError, StopOptions, Stopped};
pub use settings::{HostResources, MachineSettings};
pub use status::{Failure, FailureKind, Phase, State, Status};
