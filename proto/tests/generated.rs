//! The committed code is what the `.proto` files say. To bring it up to date:
//! `COVE_UPDATE=1 cargo test -p cove-proto --test generated`.

#![expect(clippy::unwrap_used, reason = "all of this file is a test")]

use std::{fs, path::Path};

use protox::prost::Message as _;

const FILES: [&str; 14] = [
    "machine",
    "registry",
    "guest",
    "containers",
    "execs",
    "files",
    "images",
    "volumes",
    "networks",
    "events",
    "host",
    "streams",
    "egress",
    "shares",
];

#[test]
fn committed_code_is_what_the_proto_files_say() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let files: Vec<String> = FILES.iter().map(|name| format!("cove/v1/{name}.proto")).collect();
    let found = fs::read_dir(root.join("cove/v1")).unwrap().count();
    assert_eq!(found, FILES.len(), "a file of cove/v1 is missing from the list in this test");

    let mut compiler = protox::Compiler::new([root]).unwrap();
    compiler.include_source_info(true).include_imports(true);
    compiler.open_files(&files).unwrap();
    let with_comments = compiler.file_descriptor_set();

    let scratch = tempfile::tempdir().unwrap();
    tonic_prost_build::configure().out_dir(scratch.path()).compile_fds(with_comments.clone()).unwrap();
    let rust = fs::read(scratch.path().join("cove.v1.rs")).unwrap();

    let mut descriptors = with_comments;
    for file in &mut descriptors.file {
        file.source_code_info = None;
    }
    check(&root.join("src/generated/cove.v1.rs"), &rust);
    check(&root.join("src/generated/descriptors.binpb"), &descriptors.encode_to_vec());
}

fn check(path: &Path, expected: &[u8]) {
    if std::env::var_os("COVE_UPDATE").is_some() {
        fs::write(path, expected).unwrap();
    }
    assert!(
        fs::read(path).unwrap_or_default() == expected,
        "{} is out of date; run: COVE_UPDATE=1 cargo test -p cove-proto --test generated",
        path.display()
    );
}
