//! The Linux half: PID 1, the agent and the first steps of every container, in one static binary.
fn main() {}
