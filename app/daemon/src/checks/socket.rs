//! Can the endpoints be named?

use cove_machine::hypervisor::Check;
use cove_platform::home::Home;

use super::{ok, problem};

const NAME: &str = "socket.path";

pub(super) fn check(home: &Home) -> Check {
    let (engine, docker) = (home.engine_endpoint(), home.docker_endpoint());
    match engine.check().and(docker.check()) {
        Ok(()) => ok(NAME, format!("the Docker API is at {docker}")),
        Err(error) => problem(NAME, error.to_string(), "Set COVE_HOME to a shorter folder".to_owned()),
    }
}
