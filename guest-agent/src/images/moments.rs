//! Moments at which the agent may be killed or the power cut. What is on the disk then is for the next agent to make sense
//! of; a test ends the process at each of them.

/// One of these moments.
#[cfg(not(test))]
#[inline]
pub(super) fn moment() {}

#[cfg(test)]
pub(super) use tests::moment;

#[cfg(test)]
mod tests {
    use std::io::Read as _;
    use std::path::Path;
    use std::process::{Command, Stdio};
    use std::sync::Arc;
    use std::sync::atomic::{AtomicI64, Ordering};

    use crate::images::archives::{TarEntry, TestImage, docker_archive, gzip, tar};
    use crate::images::{Digest, ImageStore, IncomingImage, Limits, Privilege, RemoteLayer, StoreConfig};

    /// Moments until the end of the process; 0 and less for never.
    static LEFT: AtomicI64 = AtomicI64::new(0);

    pub(in crate::images) fn moment() {
        if LEFT.fetch_sub(1, Ordering::SeqCst) == 1 {
            std::process::abort();
        }
    }

    const AT: &str = "COVE_TEST_KILLED_AT";
    const FOLDER: &str = "COVE_TEST_KILLED_IN";
    const NAME: &str = "images::moments::tests::killed_at_any_moment_the_store_is_whole";

    fn open(folder: &Path) -> ImageStore {
        let mut config = StoreConfig::new(folder.join("store"));
        config.privilege = Privilege::None;
        config.arch = "amd64".to_owned();
        config.limits = Limits { reserved_bytes: 0, ..Limits::default() };
        let database = redb::Database::create(folder.join("state.redb")).unwrap();
        ImageStore::open(config, Arc::new(database)).unwrap()
    }

    fn layer(name: &str) -> Vec<u8> {
        // The second `f` takes the place of the first: the layer keeps both.
        tar(&[TarEntry::file("f", name), TarEntry::file(name, "x"), TarEntry::file("f", name.repeat(9))])
    }

    /// An image that is received, one that is loaded on the same ground, one that is committed; and all goes again.
    fn live(store: &ImageStore) {
        let image = TestImage::new(&[], &[layer("a"), layer("b")]);
        let blobs: Vec<_> = image.layers.iter().map(|layer| gzip(layer)).collect();
        let remote = |blob: &Vec<u8>| RemoteLayer {
            digest: Digest::of(blob),
            media_type: String::new(),
            size_bytes: blob.len() as u64,
        };
        let layers = blobs.iter().map(remote).collect();
        let incoming = IncomingImage { config: image.config(), layers, manifest: vec![1], ..Default::default() };
        let receipt = store.receive(incoming).unwrap();
        for index in receipt.missing().to_vec() {
            let incoming = store.incoming_image(receipt.name()).unwrap();
            incoming.layer(index, blobs[index].as_slice(), |_| ()).unwrap();
        }
        receipt.commit(&["received:1".to_owned()], &[], false).unwrap();
        drop(receipt);
        let loaded = TestImage::new(&["loaded:1"], &[layer("a"), layer("c")]);
        store.load(docker_archive(&[loaded]).as_slice()).unwrap();
        store.hold("loaded:1", "c0ffee").unwrap();
        let request = crate::images::CommitRequest {
            container: "c0ffee".to_owned(),
            reference: "committed:1".to_owned(),
            ..Default::default()
        };
        store.commit(&request, Some(Box::new(std::io::Cursor::new(layer("d"))))).unwrap();
        store.release("c0ffee").unwrap();
        for name in ["received:1", "committed:1", "loaded:1"] {
            store.remove(name, true).unwrap();
        }
    }

    #[test]
    fn killed_at_any_moment_the_store_is_whole() {
        if let (Ok(at), Ok(folder)) = (std::env::var(AT), std::env::var(FOLDER)) {
            // The process that is killed.
            let store = open(Path::new(&folder));
            LEFT.store(at.parse().unwrap(), Ordering::SeqCst);
            return live(&store);
        }
        let mut seen = std::collections::BTreeSet::new();
        for at in 1.. {
            let folder = tempfile::tempdir().unwrap();
            let mut child = Command::new(std::env::current_exe().unwrap())
                .args(["--exact", NAME, "--test-threads", "1"])
                .env(AT, at.to_string())
                .env(FOLDER, folder.path())
                .stdout(Stdio::null())
                .stderr(Stdio::piped())
                .spawn()
                .unwrap();
            let mut words = String::new();
            child.stderr.take().unwrap().read_to_string(&mut words).unwrap();
            let ended = child.wait().unwrap();
            let store = open(folder.path());
            // The container that held an image was never written down anywhere else.
            store.retain_holds(|_| false).unwrap();
            let report = store.check(true).unwrap();
            assert_eq!(report.problems, [""; 0], "at moment {at}");
            seen.insert(report.images);
            live(&store);
            assert_eq!(store.check(true).unwrap().problems, [""; 0], "and after going on from moment {at}");
            if ended.success() {
                assert_eq!(report.images, 0);
                assert!(at > 20, "only {at} moments");
                break;
            }
            assert!(words.is_empty() || !words.contains("panicked"), "{words}");
        }
        // It was cut off with none, one, two and three images.
        assert_eq!(seen.into_iter().collect::<Vec<_>>(), [0, 1, 2, 3]);
    }
}
