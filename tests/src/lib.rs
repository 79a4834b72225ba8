//! Black-box tests: repository rules, end-to-end tests through the real clients, benches against peers. What they share:
//!
//! * [`world`] — a daemon with a home of its own, and a machine behind it; taken down in reverse order.
//! * [`command`] — a client's command, run to its end or watched while it runs.
//! * [`http`] — docker's API without docker, for what has to be asked often.
//! * [`image`] — images made here, without a registry.
//! * [`model`] — what a container is to Docker's API, to check answers by.
//! * [`outside`] — servers and addresses of this computer, for containers to find.
//! * [`name_server`] — a name server that knows a few names.
//! * [`registry`] — Debian's docker-registry, and a wire before it that can be cut.

pub mod command;
pub mod http;
pub mod image;
pub mod model;
pub mod name_server;
pub mod outside;
pub mod registry;
pub mod world;
