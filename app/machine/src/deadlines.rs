//! How long each step of a start or a stop may take.

use std::time::Duration;

/// Deadlines. The defaults suit a host without hardware acceleration that is also busy: the kernel, up within a second with
/// acceleration and within 3 without, has been seen to take 80 beside compilers and other machines on two cores.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Deadlines {
    /// Checking the host and making the files of a run.
    pub prepare: Duration,
    /// From the request to the hypervisor until its monitor runs; includes finding out whether KVM works.
    pub vmm: Duration,
    /// From then until PID 1 speaks.
    pub kernel: Duration,
    /// From then until the agent answers; includes making or checking the file system of the data disk.
    pub agent: Duration,
    /// What stopping may take beyond the grace that containers have.
    pub power_off: Duration,
    /// How long a guest that could not be asked may take to power off after all.
    pub unasked: Duration,
    /// How long a kill may take.
    pub kill: Duration,
}

impl Default for Deadlines {
    fn default() -> Self {
        Self {
            prepare: Duration::from_secs(60),
            vmm: Duration::from_secs(90),
            kernel: Duration::from_secs(240),
            agent: Duration::from_secs(240),
            power_off: Duration::from_secs(30),
            unasked: Duration::from_secs(2),
            kill: Duration::from_secs(20),
        }
    }
}
