//! Blobs and manifests go up, and nothing goes twice.

use bytes::Bytes;
use cove_registry::{
    Credentials, Digest, RegistryError, Repository,
    blobs::{Source, Told, upload::Whole},
    manifests::OCI_MANIFEST,
    repository::Access,
};

use crate::{
    fake::{Fake, UploadFault},
    named, repository,
};

async fn to_push(fake: &Fake) -> Repository {
    repository(fake, Access::Push, &Credentials::default()).await.unwrap()
}

/// Three pieces.
struct Pieces(u8);

impl Source for Pieces {
    async fn next(&mut self) -> Result<Option<Bytes>, RegistryError> {
        self.0 += 1;
        Ok((self.0 <= 3).then(|| vec![self.0; 50_000].into()))
    }

    fn restart(&mut self) {
        self.0 = 0;
    }
}

/// Sends them; says how often it had to be waited.
async fn sent(fake: &Fake) -> Result<((Digest, u64), usize), RegistryError> {
    let mut waits = 0;
    let told = |told| waits += usize::from(matches!(told, Told::Waiting(_)));
    let sent = to_push(fake).await.upload(&mut Pieces(0), told).await?;
    Ok((sent, waits))
}

async fn is_there(fake: &Fake, digest: &Digest) -> bool {
    to_push(fake).await.has(digest).await.unwrap().is_some()
}

#[tokio::test]
async fn a_blob_goes_up_in_pieces_and_is_there() {
    let fake = Fake::new().await;
    let repository = to_push(&fake).await;
    let mut heard = Vec::new();
    let (digest, size) = repository.upload(&mut Pieces(0), |told| heard.push(told)).await.unwrap();
    assert_eq!((size, heard), (150_000, [50_000, 100_000, 150_000].map(Told::Sent).to_vec()));
    assert_eq!(repository.has(&digest).await.unwrap(), Some(150_000));
}

#[tokio::test]
async fn an_upload_that_breaks_is_gone_on_with_where_it_broke() {
    let fake = Fake::new().await;
    // In the middle of a piece, and where one ends.
    fake.fails_uploads(&[UploadFault::CutAfter(70_000), UploadFault::CutAfter(30_000)]);
    let ((digest, size), waits) = sent(&fake).await.unwrap();
    assert_eq!((size, waits, *fake.0.sent.lock().unwrap()), (150_000, 2, 150_000));
    assert!(is_there(&fake, &digest).await);
}

#[tokio::test]
async fn an_upload_that_the_registry_does_not_know_any_more_begins_again() {
    let fake = Fake::new().await;
    fake.fails_uploads(&[UploadFault::ForgottenAfter(70_000)]);
    let ((digest, _), waits) = sent(&fake).await.unwrap();
    assert_eq!((waits, *fake.0.sent.lock().unwrap()), (1, 220_000));
    assert!(is_there(&fake, &digest).await);
}

#[tokio::test]
async fn an_upload_that_gets_nowhere_is_given_up_and_one_that_goes_on_is_not() {
    let fake = Fake::new().await;
    fake.fails_uploads(&[UploadFault::ForgottenAfter(1000); 9]);
    let said = sent(&fake).await.unwrap_err().to_string();
    assert!(said.starts_with("Patch \"http://"), "{said}");
    assert_eq!(*fake.0.sent.lock().unwrap(), 3000);

    let fake = Fake::new().await;
    fake.fails_uploads(&[UploadFault::CutAfter(20_000); 7]);
    assert_eq!(sent(&fake).await.unwrap().1, 7);
}

#[tokio::test]
async fn an_end_that_was_heard_and_not_said_is_not_sent_again() {
    let fake = Fake::new().await;
    fake.fails_uploads(&[UploadFault::NotSaid]);
    let ((digest, _), waits) = sent(&fake).await.unwrap();
    assert_eq!((waits, *fake.0.sent.lock().unwrap()), (1, 150_000));
    assert!(is_there(&fake, &digest).await);
}

#[tokio::test]
async fn what_arrives_as_something_else_is_refused() {
    let fake = Fake::new().await;
    fake.fails_uploads(&[UploadFault::Garbled]);
    assert_eq!(sent(&fake).await.unwrap_err().to_string(), "digest invalid: provided digest did not match");
}

#[tokio::test]
async fn what_breaks_while_it_is_read_is_not_there_afterwards() {
    struct Breaks(bool);
    impl Source for Breaks {
        async fn next(&mut self) -> Result<Option<Bytes>, RegistryError> {
            if std::mem::replace(&mut self.0, true) {
                return Err(RegistryError::Source("the disk broke".into()));
            }
            Ok(Some(Bytes::from_static(b"half")))
        }

        fn restart(&mut self) {
            self.0 = false;
        }
    }
    let fake = Fake::new().await;
    let broken = to_push(&fake).await.upload(&mut Breaks(false), drop).await.unwrap_err();
    assert_eq!(broken.to_string(), "read what is to be sent: the disk broke");
    assert!(!is_there(&fake, &Digest::of(b"half")).await);
}

#[tokio::test]
async fn what_another_repository_has_is_mounted_and_what_it_lacks_is_sent() {
    let fake = Fake::new().await;
    let there = fake.blob(b"there");
    let repository = to_push(&fake).await;
    assert!(repository.mount(&there, "other/x").await.unwrap());
    let absent = Digest::of(b"absent");
    assert!(!repository.mount(&absent, "other/x").await.unwrap());
    let sent = repository.upload(&mut Whole::of(b"absent".to_vec()), drop).await.unwrap();
    assert_eq!(sent, (absent, 6));
}

#[tokio::test]
async fn a_manifest_arrives_byte_for_byte() {
    let fake = Fake::new().await;
    let text = br#"{"schemaVersion":2,  "odd": "spaces"}"#;
    to_push(&fake).await.put_manifest(&named(&fake, "a/b:2"), text, OCI_MANIFEST).await.unwrap();
    let found = fake.0.manifests.lock().unwrap()["2"].clone();
    assert_eq!(found, (OCI_MANIFEST.to_owned(), text.to_vec()));
}
