//! Endpoints of Docker's API that this version of Cove does not have: each says so in its own words, so that nobody
//! takes an answer for more than it is. Lookups of single things answer that there are none, because `docker inspect`
//! goes through all kinds.

use http::Method;

use crate::error::{Error, unsupported};

/// A row of the table.
pub(super) struct Row {
    /// The method.
    pub(super) method: Method,
    /// The path, as in the table of routes.
    pub(super) path: &'static str,
    /// Makes the error from the parts of the path that the pattern names.
    pub(super) why: fn(&[String]) -> Error,
}

macro_rules! not_yet {
    ($method:ident $path:literal $what:literal) => {
        Row { method: Method::$method, path: $path, why: |_| unsupported($what) }
    };
}

macro_rules! not_found {
    ($method:ident $path:literal $format:literal) => {
        Row {
            method: Method::$method,
            path: $path,
            why: |places| Error::NotFound(format!($format, places.first().map_or("", String::as_str))),
        }
    };
}

macro_rules! no_swarm {
    ($method:ident $path:literal) => {
        Row { method: Method::$method, path: $path, why: |_| Error::NoSwarm }
    };
}

/// The table.
pub(super) static ROWS: &[Row] = &[
    not_yet!(POST "/session" "BuildKit (docker build)"),
    not_yet!(POST "/grpc" "BuildKit (docker build)"),
    not_yet!(POST "/build" "docker build"),
    not_yet!(POST "/build/prune" "docker builder prune"),
    not_yet!(POST "/build/cancel" "docker build"),
    // Containers.
    not_yet!(GET "/containers/{}/attach/ws" "attaching by WebSocket"),
    not_yet!(GET "/containers/{}/checkpoints" "docker checkpoint"),
    not_yet!(POST "/containers/{}/checkpoints" "docker checkpoint"),
    // Images.
    // Plugins and swarm.
    not_yet!(GET "/plugins" "docker plugin"),
    not_found!(GET "/plugins/{*}/json" "plugin \"{}\" not found"),
    no_swarm!(GET "/swarm"),
    Row { method: Method::POST, path: "/swarm/leave", why: |_| Error::NotInSwarm },
    not_yet!(POST "/swarm/init" "docker swarm"),
    not_yet!(POST "/swarm/join" "docker swarm"),
    no_swarm!(POST "/services/create"),
    no_swarm!(POST "/secrets/create"),
    no_swarm!(POST "/configs/create"),
    no_swarm!(GET "/nodes"),
    no_swarm!(GET "/nodes/{}"),
    no_swarm!(GET "/services"),
    no_swarm!(GET "/services/{}"),
    no_swarm!(GET "/tasks"),
    no_swarm!(GET "/tasks/{}"),
    no_swarm!(GET "/secrets"),
    no_swarm!(GET "/secrets/{}"),
    no_swarm!(GET "/configs"),
    no_swarm!(GET "/configs/{}"),
];
