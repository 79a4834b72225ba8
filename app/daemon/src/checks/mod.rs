//! What `CheckHost` looks at beyond the hypervisor. Each check only looks.
//!
//! * `image` — is there something to boot?
//! * `disk` — is there room for what containers write?
//! * `socket` — can the endpoints be named?
//! * `docker` — is there a `docker` that comes to us?

mod disk;
mod docker;
mod image;
mod socket;

use std::{env, fmt::Display};

use cove_machine::hypervisor::{Check, Verdict};
use cove_platform::home::{self, Home};

use crate::image::GuestImage;

/// All of them, in the order in which a person would fix them. Reads files: not for an async task.
#[must_use]
pub fn all(home: &Home, guest_image: &GuestImage) -> Vec<Check> {
    let docker = docker::Surroundings {
        path: env::var_os("PATH"),
        docker_host: env::var("DOCKER_HOST").ok(),
        config: env::var_os("DOCKER_CONFIG").map(Into::into).or_else(|| Some(home::user_folder()?.join(".docker"))),
    };
    let mut checks = vec![image::check(guest_image), socket::check(home), disk::check(home)];
    checks.extend(docker::check(&docker, home));
    checks
}

/// The checks themselves could not be made.
#[must_use]
pub fn failed(why: &dyn Display) -> Check {
    problem("checks", format!("the checks could not be made: {why}"), "Report this as a bug of Cove".to_owned())
}

fn ok(name: &str, finding: String) -> Check {
    Check { name: name.to_owned(), verdict: Verdict::Ok, finding, fix: String::new() }
}

fn warning(name: &str, finding: String, fix: String) -> Check {
    Check { name: name.to_owned(), verdict: Verdict::Warning, finding, fix }
}

fn problem(name: &str, finding: String, fix: String) -> Check {
    Check { name: name.to_owned(), verdict: Verdict::Problem, finding, fix }
}
