//! The Linux half of Cove. PID 1 ([`init`]) starts and reaps; the agent ([`agent`]) decides; a child of PID 1 becomes a
//! container ([`container_init`]).
//!
//! The engine, in the words of its users:
//! * [`agent`] — composition root: listeners, handshake, the order of starting up.
//! * [`rpc`] — the services of `cove.v1`: decode, one call, encode.
//! * [`containers`], [`execs`] — what users see, and their states.
//! * [`volumes`] — folders that outlive containers.
//! * [`shares`] — folders of the host.
//! * [`networks`] — the bridges that containers are on, their addresses and names.
//! * [`host`] — what only the host can do: asking it, and the raw streams that it dials.
//! * [`logs`] — what containers wrote.
//! * [`events`] — what happens, for those who watch.
//! * [`images`] — the image store, layers, load and save.
//! * [`disk`] — the data disk.
//! * [`state`] — the database on it.
//! * [`clock`], [`names`] — the guest's clock; names for containers that were given none.
//!
//! The runtime, in the words of the kernel:
//! * [`init`] — PID 1: boot, the agent, spawning, reaping, power off, and the protocol that the agent speaks with it.
//! * [`processes`] — the agent's side of that protocol: start, stdio, wait, signals.
//! * [`container_init`] — the ordered list of steps by which a process becomes a container.
//! * [`namespaces`], [`user_namespaces`], [`cgroups`], [`rootfs`] — what it is walled off by.
//! * [`capabilities`], [`seccomp`], [`rlimits`], [`users`] — what it may do and as whom.
//! * [`stats`] — what it uses.
//! * [`detach_keys`] — keys by which a client lets go of a terminal.
//! * [`streams`] — pipes and terminals on the runtime, without blocking it.
//! * [`sys`] — system calls that no crate wraps; the only unsafe code.

pub mod agent;
pub mod capabilities;
pub mod cgroups;
pub mod clock;
pub mod container_init;
pub mod containers;
pub mod detach_keys;
pub mod disk;
pub mod events;
pub mod execs;
pub mod host;
pub mod images;
pub mod init;
pub mod logs;
pub mod names;
pub mod namespaces;
pub mod networks;
pub mod processes;
pub mod rlimits;
pub mod rootfs;
pub mod rpc;
pub mod seccomp;
pub mod shares;
pub mod state;
pub mod stats;
pub mod streams;
pub mod sys;
pub mod user_namespaces;
pub mod users;
pub mod volumes;
mod within;
