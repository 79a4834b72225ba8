//! What the agent and PID 1 say to each other, over one SOCK_SEQPACKET pair that PID 1 makes for each agent.
//!
//! A message is postcard in a sealed memfd (a request may be larger than a packet), announced by a small packet that
//! carries the memfd and the other descriptors by SCM_RIGHTS. PID 1 holds what must outlive an agent: the pidfd, the
//! exit status and the engine's ends of the standard streams of each process. A new agent is told of all of them first.
