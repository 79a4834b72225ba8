//! From a reference to the one image that is meant.

use cove_registry::{
    Digest, RegistryError,
    manifests::{DOCKER_LIST, OCI_INDEX, OCI_MANIFEST, platform::Platform},
};

use crate::{fake::Fake, named, to_pull};

fn image(config: &Digest) -> String {
    format!(
        r#"{{"schemaVersion":2,"config":{{"mediaType":"application/vnd.oci.image.config.v1+json","size":2,"digest":"{config}"}},"layers":[]}}"#
    )
}

fn index(entries: &[(&Digest, &str)]) -> String {
    let entries: Vec<String> = entries
        .iter()
        .map(|(digest, architecture)| {
            format!(
                r#"{{"mediaType":"{OCI_MANIFEST}","size":1,"digest":"{digest}","platform":{{"architecture":"{architecture}","os":"linux"}}}}"#
            )
        })
        .collect();
    format!(r#"{{"schemaVersion":2,"manifests":[{}]}}"#, entries.join(","))
}

#[tokio::test]
async fn an_index_leads_to_the_image_of_a_platform_and_keeps_its_own_digest() {
    let fake = Fake::new().await;
    let ours = fake.manifest("ours", OCI_MANIFEST, &image(&Digest::of(b"{}")));
    let theirs = fake.manifest("theirs", OCI_MANIFEST, &image(&Digest::of(b"{ }")));
    let top = fake.manifest("1", OCI_INDEX, &index(&[(&theirs, "arm64"), (&ours, "amd64")]));
    let repository = to_pull(&fake).await;
    let head = repository.head(&named(&fake, "a/b:1")).await.unwrap().unwrap();
    assert_eq!((&head.digest, head.media_type.as_str()), (&top, OCI_INDEX));
    let fetched = repository.fetch(&named(&fake, "a/b:1")).await.unwrap();
    let found = repository.image(fetched.clone(), &Platform::linux("amd64")).await.unwrap();
    assert_eq!((found.digest, Digest::of(&found.bytes)), (top, ours));
    let error = repository.image(fetched, &Platform::linux("s390x")).await.unwrap_err();
    assert_eq!(error.to_string(), "no matching manifest for linux/s390x in the manifest list entries");
}

#[tokio::test]
async fn an_index_that_is_its_own_entry_ends() {
    let fake = Fake::new().await;
    let digest = Digest::of(b"x");
    let text = index(&[(&digest, "amd64")]);
    // No content holds its own digest; the registry lies.
    fake.manifest("1", DOCKER_LIST, &text);
    let lie = (DOCKER_LIST.to_owned(), text.clone().into_bytes());
    fake.0.manifests.lock().unwrap().insert(digest.to_string(), lie);
    let repository = to_pull(&fake).await;
    let fetched = repository.fetch(&named(&fake, "a/b:1")).await.unwrap();
    let error = repository.image(fetched, &Platform::linux("amd64")).await.unwrap_err();
    assert!(matches!(error, RegistryError::WrongManifest { .. }), "{error}");
}

#[tokio::test]
async fn what_is_not_there_is_said_in_dockers_words() {
    let fake = Fake::new().await;
    let repository = to_pull(&fake).await;
    let name = named(&fake, "a/b:none");
    assert!(repository.head(&name).await.unwrap().is_none());
    let error = repository.fetch(&name).await.unwrap_err().of_pull(&name);
    assert_eq!(
        error.to_string(),
        format!("manifest for {}/a/b:none not found: manifest unknown: manifest unknown", fake.host())
    );
}

#[tokio::test]
async fn tags_come_page_by_page() {
    let fake = Fake::new().await;
    assert_eq!(to_pull(&fake).await.tags().await.unwrap(), ["one", "two"]);
}

#[tokio::test]
async fn a_manifest_that_never_ends_is_given_up() {
    let fake = Fake::new().await;
    fake.manifest("1", OCI_MANIFEST, &" ".repeat(5 << 20));
    let error = to_pull(&fake).await.fetch(&named(&fake, "a/b:1")).await.unwrap_err();
    assert_eq!(error.to_string(), "a manifest is larger than 4194304 bytes");
}
