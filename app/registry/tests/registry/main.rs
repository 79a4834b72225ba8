//! The client before a registry in this process, which fails in every way that registries do.
//!
//! * `fake` — the registry.
//! * the rest — what is checked.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test says by a panic what is wrong")]

mod fake;

mod auth;
mod down;
mod manifests;
mod proxies;
mod up;

use std::time::Duration;

use cove_registry::{
    Credentials, Patience, Reference, Registries, RegistryError, RegistrySettings, Repository, Surroundings,
    repository::Access,
};

use self::fake::Fake;

/// Patience that is soon at its end.
fn patience() -> Patience {
    Patience {
        attempts: 3,
        first_wait: Duration::from_millis(1),
        longest_wait: Duration::from_millis(5),
        stall: Duration::from_millis(300),
    }
}

fn registries() -> Registries {
    Registries::new(Surroundings::default(), patience())
}

fn someone(username: &str, password: &str) -> Credentials {
    Credentials { username: username.into(), password: password.into(), ..Credentials::default() }
}

/// The repository "a/b" of the fake.
async fn repository(fake: &Fake, access: Access, credentials: &Credentials) -> Result<Repository, RegistryError> {
    let name = fake.name("a/b:1");
    registries().first_that(&name, access, credentials, &RegistrySettings::default(), |found| async { Ok(found) }).await
}

async fn to_pull(fake: &Fake) -> Repository {
    repository(fake, Access::Pull, &Credentials::default()).await.unwrap()
}

/// What the fake calls this.
fn named(fake: &Fake, rest: &str) -> Reference {
    fake.name(rest)
}
