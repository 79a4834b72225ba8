//! Blobs come whole or not at all, whatever breaks.

use cove_registry::{Digest, RegistryError, Repository, blobs::Step};

use crate::{
    fake::{Fake, Fault},
    to_pull,
};

fn blob() -> Vec<u8> {
    (0..100_000u32).flat_map(u32::to_le_bytes).collect()
}

/// What comes, and how often it had to be waited.
async fn fetched(repository: &Repository, digest: &Digest, size: usize) -> Result<(Vec<u8>, u32), RegistryError> {
    let mut download = repository.download(digest, size as u64);
    let (mut bytes, mut waits) = (Vec::new(), 0);
    while let Some(step) = download.next().await? {
        match step {
            Step::Data(data) => bytes.extend_from_slice(&data),
            Step::Waiting(_) => waits += 1,
        }
    }
    assert!(download.next().await?.is_none(), "the end stays the end");
    Ok((bytes, waits))
}

async fn after(faults: &[Fault]) -> (Fake, Result<(Vec<u8>, u32), RegistryError>) {
    let fake = Fake::new().await;
    let digest = fake.blob(&blob());
    fake.fails(faults);
    let found = fetched(&to_pull(&fake).await, &digest, blob().len()).await;
    (fake, found)
}

#[tokio::test]
async fn a_connection_that_breaks_is_gone_on_with_where_it_broke() {
    let (fake, found) = after(&[Fault::CutAfter(70_000), Fault::CutAfter(100_000)]).await;
    let (bytes, waits) = found.unwrap();
    assert!(bytes == blob(), "something else came");
    assert_eq!(waits, 2);
    let ranges: Vec<String> =
        fake.asked().iter().filter_map(|asked| Some(asked.split_once("bytes=")?.1.to_owned())).collect();
    assert_eq!(ranges, ["70000-", "170000-"]);
}

#[tokio::test]
async fn a_registry_that_knows_no_ranges_is_listened_to_from_the_start() {
    let (_, found) = after(&[Fault::CutAfter(70_000), Fault::IgnoresRange]).await;
    assert!(found.unwrap().0 == blob(), "something else came");
}

#[tokio::test]
async fn an_answer_that_is_too_short_is_gone_on_with() {
    let (_, found) = after(&[Fault::EndsAfter(10)]).await;
    assert!(found.unwrap().0 == blob(), "something else came");
}

#[tokio::test]
async fn what_passes_is_waited_for_and_not_for_ever() {
    let passing = [Fault::Status(503, None), Fault::Status(429, Some(3600))];
    let (_, found) = after(&passing).await;
    assert_eq!(found.unwrap().1, 2);
    let (fake, found) = after(&[Fault::Status(503, None); 9]).await;
    assert_eq!(found.unwrap_err().to_string(), "received unexpected HTTP status: 503 Service Unavailable");
    assert_eq!(fake.asked().len(), 3, "{:?}", fake.asked());
}

#[tokio::test]
async fn a_registry_that_falls_silent_is_asked_again() {
    let (_, found) = after(&[Fault::Stall]).await;
    assert_eq!(found.unwrap().1, 1);
    let (_, found) = after(&[Fault::Stall; 3]).await;
    let said = found.unwrap_err().to_string();
    assert!(said.ends_with("i/o timeout"), "{said}");
}

#[tokio::test]
async fn what_does_not_pass_is_said_at_once() {
    let (fake, found) = after(&[Fault::Status(403, None)]).await;
    assert_eq!(found.unwrap_err().to_string(), "denied: requested access to the resource is denied");
    assert_eq!(fake.asked().len(), 1);
    let absent = Digest::of(b"absent");
    let error = fetched(&to_pull(&fake).await, &absent, 6).await.unwrap_err();
    assert_eq!(error.to_string(), "blob unknown: blob unknown to registry");
}

#[tokio::test]
async fn what_goes_in_circles_ends() {
    let (_, found) = after(&[Fault::Loop]).await;
    let said = found.unwrap_err().to_string();
    assert!(said.ends_with("stopped after 10 redirects"), "{said}");
}

#[tokio::test]
async fn something_else_is_refused() {
    let (_, found) = after(&[Fault::Wrong]).await;
    assert!(matches!(found, Err(RegistryError::WrongDigest { .. })), "{found:?}");
    let (_, found) = after(&[Fault::TooMuch]).await;
    assert!(matches!(found, Err(RegistryError::WrongSize { .. })), "{found:?}");
}

#[tokio::test]
async fn nobody_there_is_said_in_gos_words() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let host = listener.local_addr().unwrap();
    drop(listener);
    let name = cove_registry::Reference::parse(&format!("{host}/x")).unwrap();
    let (anyone, settings) = (cove_registry::Credentials::default(), cove_registry::RegistrySettings::default());
    let asked = crate::registries()
        .first_that(&name, cove_registry::repository::Access::Pull, &anyone, &settings, |_| async { Ok(()) })
        .await;
    assert_eq!(
        asked.unwrap_err().to_string(),
        format!("Get \"http://{host}/v2/\": dial tcp {host}: connect: connection refused")
    );
}
