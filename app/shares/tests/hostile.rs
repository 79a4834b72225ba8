//! What a guest could send that no kernel would: names that lead elsewhere, nodes that are none, noise; and what a
//! container could do to folders while they are walked.

#![cfg(target_os = "linux")]
#![expect(clippy::unwrap_used, reason = "all of this is a test")]

use std::{
    fs,
    os::unix::fs::symlink,
    path::Path,
    sync::atomic::{AtomicBool, Ordering},
    time::Duration,
};

use cove_shares::{
    host::unix::UnixFolder,
    ownership::Ownership,
    server::{Server, Shared, nodes::ROOT},
    wire::message::HEADER_BYTES,
};

const LOOKUP: u32 = 1;
const OPEN: u32 = 14;
const READ: u32 = 15;
const OPEN_FOLDER: u32 = 27;

fn server(folder: &Path) -> Server<UnixFolder> {
    let shared = Shared {
        folder: UnixFolder::open_path(folder).unwrap(),
        file: None,
        read_only: false,
        ownership: Ownership::AsTheyAre,
        valid: Duration::from_secs(1),
        first_node: 0,
        watcher: None,
    };
    Server::new(shared).unwrap()
}

fn message(opcode: u32, node: u64, body: &[u8]) -> Vec<u8> {
    let length = u32::try_from(HEADER_BYTES + body.len()).unwrap();
    let mut bytes = [length.to_le_bytes(), opcode.to_le_bytes()].concat();
    bytes.extend(9_u64.to_le_bytes());
    bytes.extend(node.to_le_bytes());
    bytes.extend([0; 16]);
    bytes.extend(body);
    bytes
}

/// The answer's error and body.
fn ask(server: &Server<UnixFolder>, opcode: u32, node: u64, body: &[u8]) -> (i32, Vec<u8>) {
    let answer = server.answer(&message(opcode, node, body)).unwrap().unwrap();
    (i32::from_le_bytes(answer[4..8].try_into().unwrap()), answer[16..].to_vec())
}

fn number(body: &[u8]) -> u64 {
    u64::from_le_bytes(body[..8].try_into().unwrap())
}

fn look_up(server: &Server<UnixFolder>, folder: u64, name: &str) -> Result<u64, i32> {
    match ask(server, LOOKUP, folder, format!("{name}\0").as_bytes()) {
        (0, body) => Ok(number(&body)),
        (error, _) => Err(error),
    }
}

fn read(server: &Server<UnixFolder>, node: u64) -> Result<Vec<u8>, i32> {
    let (error, opened) = ask(server, OPEN, node, &[0; 8]);
    if error != 0 {
        return Err(error);
    }
    let body = [&opened[..8], &[0; 8], &4096_u32.to_le_bytes(), &[0; 20]].concat();
    match ask(server, READ, node, &body) {
        (0, bytes) => Ok(bytes),
        (error, _) => Err(error),
    }
}

/// A share with a folder in it, and a secret beside it.
fn beside_a_secret() -> tempfile::TempDir {
    let top = tempfile::tempdir().unwrap();
    for folder in ["share/d", "outside"] {
        fs::create_dir_all(top.path().join(folder)).unwrap();
    }
    fs::write(top.path().join("share/d/file"), "mine").unwrap();
    fs::write(top.path().join("outside/file"), "secret").unwrap();
    top
}

#[test]
fn no_name_leads_out() {
    let top = beside_a_secret();
    symlink("../outside", top.path().join("share/link")).unwrap();
    symlink("../outside/file", top.path().join("share/file")).unwrap();
    let server = server(&top.path().join("share"));
    for name in ["..", ".", "", "d/..", "../outside", "/etc", "d/file"] {
        assert_eq!(look_up(&server, ROOT, name), Err(-22), "{name:?}");
    }
    let (link, file) = (look_up(&server, ROOT, "link").unwrap(), look_up(&server, ROOT, "file").unwrap());
    assert_eq!(look_up(&server, link, "file"), Err(-20));
    assert_eq!(ask(&server, OPEN_FOLDER, link, &[0; 8]).0, -20);
    assert_eq!(read(&server, file), Err(-40));
    for nobody in [0, 99, u64::MAX] {
        assert_eq!((look_up(&server, nobody, "d"), read(&server, nobody)), (Err(-116), Err(-116)));
    }
}

#[test]
fn a_folder_that_becomes_a_link_while_it_is_walked_leads_nowhere() {
    let top = beside_a_secret();
    let share = top.path().join("share");
    symlink("../outside", share.join("link")).unwrap();
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            // The two change places all the time.
            let (folder, link) = (share.join("d"), share.join("link"));
            while !done.load(Ordering::Relaxed) {
                let exchange = rustix::fs::RenameFlags::EXCHANGE;
                rustix::fs::renameat_with(rustix::fs::CWD, &folder, rustix::fs::CWD, &link, exchange).unwrap();
            }
        });
        let mut mine = 0;
        for _ in 0..3000 {
            // Each with nothing open yet, so that every folder is walked anew.
            let server = server(&share);
            let found = look_up(&server, ROOT, "d").and_then(|folder| {
                let file = look_up(&server, folder, "file")?;
                read(&server, file)
            });
            mine += usize::from(found == Ok(b"mine".to_vec()));
            assert_ne!(found, Ok(b"secret".to_vec()));
        }
        done.store(true, Ordering::Relaxed);
        assert!(mine > 0, "the folder was never read");
    });
}

#[test]
fn a_folder_that_was_replaced_is_not_the_one_that_the_guest_knows() {
    let top = beside_a_secret();
    let server = server(&top.path().join("share"));
    let folder = look_up(&server, ROOT, "d").unwrap();
    fs::rename(top.path().join("share/d"), top.path().join("share/e")).unwrap();
    fs::create_dir(top.path().join("share/d")).unwrap();
    assert_eq!(look_up(&server, folder, "file"), Err(-116));
    assert_ne!(look_up(&server, ROOT, "d"), Ok(folder));
}

#[test]
fn opening_what_is_no_file_has_no_effect() {
    let top = beside_a_secret();
    let fifo = top.path().join("share/fifo");
    rustix::fs::mknodat(rustix::fs::CWD, &fifo, rustix::fs::FileType::Fifo, 0o600.into(), 0).unwrap();
    let server = server(&top.path().join("share"));
    let node = look_up(&server, ROOT, "fifo").unwrap();
    assert_eq!(read(&server, node), Err(-6));
}

#[test]
fn noise_is_refused_and_harms_nothing() {
    let top = beside_a_secret();
    let server = server(&top.path().join("share"));
    let mut state = 0x9e37_79b9_u32;
    let mut random = || {
        state ^= state << 13;
        state ^= state >> 17;
        state ^= state << 5;
        state
    };
    for _ in 0..50_000 {
        let length = usize::try_from(random() % 120).unwrap();
        let body: Vec<u8> =
            (0..length).map(|_| if random() % 3 == 0 { random().to_le_bytes()[0] } else { 0 }).collect();
        let opcode = random() % 60;
        // Whatever would truly remove or fill something is left to the tests of names.
        if matches!(opcode, 43) {
            continue;
        }
        let mut bytes = message(opcode, u64::from(random() % 4), &body);
        if random() % 10 == 0 {
            bytes.truncate(bytes.len() - usize::try_from(random() % 8).unwrap());
        }
        let answer = server.answer(&bytes);
        if let Ok(Some(answer)) = answer {
            assert_eq!(u32::from_le_bytes(answer[..4].try_into().unwrap()), u32::try_from(answer.len()).unwrap());
        }
    }
    assert_eq!(fs::read(top.path().join("outside/file")).unwrap(), b"secret");
    assert_eq!(fs::read_dir(top.path()).unwrap().count(), 2);
}

#[test]
fn lengths_that_lie_are_no_messages() {
    let top = beside_a_secret();
    let server = server(&top.path().join("share"));
    let whole = message(LOOKUP, ROOT, b"d\0");
    for length in 0..whole.len() {
        assert!(server.answer(&whole[..length]).is_err(), "{length}");
    }
    assert!(server.answer(&[&whole[..], b"x"].concat()).is_err());
    assert!(server.answer(&vec![0; 2 << 20]).is_err());
}
