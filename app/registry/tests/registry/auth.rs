//! What registries demand, and what they get.

use cove_registry::{Credentials, Digest, Reference, RegistrySettings, repository::Access};

use crate::{
    fake::{Door, Fake},
    named, registries, repository, someone,
};

#[tokio::test]
async fn a_password_is_given_to_who_demands_one() {
    let fake = Fake::new().await;
    let digest = fake.blob(b"x");
    fake.lock(Door::Basic);
    let known = repository(&fake, Access::Pull, &someone("me", "secret")).await.unwrap();
    assert_eq!(known.has(&digest).await.unwrap(), Some(1));
    let nobody = repository(&fake, Access::Pull, &Credentials::default()).await.unwrap();
    let said = nobody.fetch(&named(&fake, "a/b:1")).await.unwrap_err().to_string();
    assert_eq!(said, format!("Get \"http://{}/v2/a/b/manifests/1\": no basic auth credentials", fake.host()));
    let wrong = repository(&fake, Access::Pull, &someone("me", "wrong")).await.unwrap();
    let said = wrong.fetch(&named(&fake, "a/b:1")).await.unwrap_err().to_string();
    assert_eq!(said, "unauthorized: authentication required");
}

#[tokio::test]
async fn a_token_is_fetched_once_for_what_is_to_be_done() {
    let fake = Fake::new().await;
    let digest = fake.blob(b"x");
    fake.lock(Door::Bearer);
    let mine = repository(&fake, Access::Push, &someone("me", "secret")).await.unwrap();
    for _ in 0..3 {
        assert_eq!(mine.has(&digest).await.unwrap(), Some(1));
    }
    assert_eq!(fake.tokens(), 1);
    assert_eq!(fake.asked()[0], "token account=me&scope=repository:a/b:pull,push&service=test");
}

#[tokio::test]
async fn who_may_not_is_told_to_log_in() {
    let fake = Fake::new().await;
    fake.lock(Door::Bearer);
    let name = named(&fake, "a/b:1");
    let anyone = repository(&fake, Access::Pull, &Credentials::default()).await.unwrap();
    let said = anyone.fetch(&name).await.unwrap_err().of_pull(&name).to_string();
    assert_eq!(
        said,
        format!(
            "pull access denied for {}/a/b, repository does not exist or may require 'docker login': denied: requested \
             access to the resource is denied",
            fake.host()
        )
    );
    let wrong = repository(&fake, Access::Pull, &someone("me", "wrong")).await.unwrap();
    let said = wrong.fetch(&name).await.unwrap_err().to_string();
    assert_eq!(said, "unauthorized: incorrect username or password");
}

#[tokio::test]
async fn a_login_says_whether_somebody_is_known() {
    let fake = Fake::new().await;
    let name = Reference::parse(&format!("{}/x", fake.host())).unwrap();
    let (registries, settings) = (registries(), RegistrySettings::default());
    let login = |who: Credentials| {
        let (registries, name, settings) = (registries.clone(), name.clone(), settings.clone());
        async move { registries.login(&name, &who, &settings).await.map_err(|error| error.to_string()) }
    };
    fake.lock(Door::Basic);
    assert_eq!(login(someone("me", "secret")).await.unwrap(), "");
    let refused = format!("login attempt to http://{}/v2/ failed with status: 401 Unauthorized", fake.host());
    assert_eq!(login(someone("me", "wrong")).await.unwrap_err(), refused);
    fake.lock(Door::Bearer);
    assert_eq!(login(someone("me", "secret")).await.unwrap(), "again");
    assert_eq!(
        login(someone("me", "wrong")).await.unwrap_err(),
        format!("Get \"http://{}/v2/\": unauthorized: incorrect username or password", fake.host())
    );
}

#[tokio::test]
async fn a_mirror_that_fails_is_passed_over_and_secrets_are_not_for_it() {
    let (mirror, other) = (Fake::new().await, Fake::new().await);
    mirror.lock(Door::Basic);
    let digest = other.blob(b"x");
    let settings = RegistrySettings {
        mirrors: vec![format!("http://{}", mirror.host()), format!("http://{}", other.host())],
        ..RegistrySettings::default()
    };
    let name = Reference::parse("alpine").unwrap();
    let has = |digest: Digest| {
        let (name, settings) = (name.clone(), settings.clone());
        async move {
            let ask = |found: cove_registry::Repository| {
                let digest = digest.clone();
                async move { found.has(&digest).await }
            };
            registries().first_that(&name, Access::Pull, &someone("me", "secret"), &settings, ask).await
        }
    };
    assert_eq!(has(digest.clone()).await.unwrap(), Some(1));
    assert!(mirror.asked().is_empty(), "the password of Docker Hub went to a mirror: {:?}", mirror.asked());
    assert_eq!(other.asked(), [format!("HEAD /v2/library/alpine/blobs/{digest}")]);
}
