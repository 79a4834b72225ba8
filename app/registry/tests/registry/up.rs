//! Blobs and manifests go up, and nothing goes twice.

use bytes::Bytes;
use cove_registry::{
    Credentials, Digest, RegistryError, Repository,
    blobs::{Mounted, Source, upload::Whole},
    manifests::OCI_MANIFEST,
    repository::Access,
};

use crate::{fake::Fake, named, repository};

async fn to_push(fake: &Fake) -> Repository {
    repository(fake, Access::Push, &Credentials::default()).await.unwrap()
}

#[tokio::test]
async fn a_blob_goes_up_in_pieces_and_is_there() {
    struct Pieces(u8);
    impl Source for Pieces {
        async fn next(&mut self) -> Result<Option<Bytes>, RegistryError> {
            self.0 += 1;
            Ok((self.0 <= 3).then(|| vec![self.0; 50_000].into()))
        }
    }
    let fake = Fake::new().await;
    let repository = to_push(&fake).await;
    let Mounted::Open(upload) = repository.open(None).await.unwrap() else { panic!("mounted") };
    let mut told = Vec::new();
    let (digest, size) = repository.send(upload, &mut Pieces(0), |sent| told.push(sent)).await.unwrap();
    assert_eq!((size, told), (150_000, vec![50_000, 100_000, 150_000]));
    assert_eq!(repository.has(&digest).await.unwrap(), Some(150_000));
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
    }
    let fake = Fake::new().await;
    let repository = to_push(&fake).await;
    let Mounted::Open(upload) = repository.open(None).await.unwrap() else { panic!("mounted") };
    let broken = repository.send(upload, &mut Breaks(false), drop).await.unwrap_err();
    assert_eq!(broken.to_string(), "read what is to be sent: the disk broke");
    assert_eq!(repository.has(&Digest::of(b"half")).await.unwrap(), None);
}

#[tokio::test]
async fn what_another_repository_has_is_mounted_and_what_it_lacks_is_sent() {
    let fake = Fake::new().await;
    let there = fake.blob(b"there");
    let repository = to_push(&fake).await;
    assert!(matches!(repository.open(Some((&there, "other/x"))).await.unwrap(), Mounted::Yes));
    let absent = Digest::of(b"absent");
    let Mounted::Open(upload) = repository.open(Some((&absent, "other/x"))).await.unwrap() else { panic!("mounted") };
    let sent = repository.send(upload, &mut Whole::of(b"absent".to_vec()), drop).await.unwrap();
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
