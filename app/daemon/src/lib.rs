//! `coved`: owns the machine, serves `cove.v1` and the Docker API to this user.
//!
//! * [`command`] — the command line.
//! * [`compose`] — a daemon from its parts, from lock to stop.
//! * [`serve`] — accept loops and connections of both endpoints.
//! * [`router`] — where a call of `cove.v1` goes: to a service here or, byte for byte, to the agent.
//! * [`rpc`] — the services that are implemented here.
//! * [`transfers`] — images between registries and the agent.
//! * [`agent`] — the agent as it is seen from here: its secret, connections, clock.
//! * [`requests`] — what the agent asks of the host.
//! * [`checks`] — what `CheckHost` looks at beyond the hypervisor.
//! * [`image`] — the guest image: where it is and what its manifest says.
//! * [`helper`] — `coved machine`, the process that owns the virtual machine.

pub mod agent;
pub mod checks;
pub mod command;
pub mod compose;
pub mod helper;
pub mod image;
pub mod requests;
pub mod router;
pub mod rpc;
pub mod serve;
pub mod shares;
pub mod transfers;
