//! The guest's own cgroups, made once by PID 1: `/cove/init`, `/cove/agent` and `/containers`.

use std::{fs, io, path::Path};

/// Memory that the agent keeps when containers want all of it: what it needs with ten containers, and room.
const AGENT_MEMORY_MIN: &str = "33554432";

/// What is handed down.
pub(super) const CONTROLLERS: &str = "+cpu +memory +pids +io +cpuset";

/// Makes the cgroups below `root`, hands the controllers down, and moves the calling process to `/cove/init`.
///
/// # Errors
/// When the kernel lacks a controller.
pub fn make(root: &Path) -> io::Result<()> {
    for folder in ["cove", "cove/init", "cove/agent", "containers"] {
        fs::create_dir_all(root.join(folder))?;
    }
    for folder in ["", "containers", "cove"] {
        fs::write(root.join(folder).join("cgroup.subtree_control"), CONTROLLERS)?;
    }
    // A limit protects only within the limit of the cgroup above it.
    for folder in ["cove", "cove/agent"] {
        fs::write(root.join(folder).join("memory.min"), AGENT_MEMORY_MIN)?;
    }
    fs::write(root.join("cove/init/cgroup.procs"), "0")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn controllers_reach_containers_and_the_agent_keeps_its_memory() {
        let root = tempfile::tempdir().unwrap();
        make(root.path()).unwrap();
        let read = |path: &str| fs::read_to_string(root.path().join(path)).unwrap();
        for folder in ["", "containers/", "cove/"] {
            assert!(read(&format!("{folder}cgroup.subtree_control")).contains("+pids"));
        }
        assert_eq!(read("cove/agent/memory.min"), AGENT_MEMORY_MIN);
        assert_eq!(read("cove/init/cgroup.procs"), "0");
    }
}
