//! Files: opened, read, written, cut, sought in, closed.

use std::{
    fs::{self, File, OpenOptions},
    io::{ErrorKind, Read as _, Seek as _, SeekFrom, Write as _},
    os::unix::fs::{FileExt as _, MetadataExt as _, PermissionsExt as _},
};

use crate::fixture::{How, Mounted};

/// Bytes that are nowhere the same.
fn noise(length: usize) -> Vec<u8> {
    let mut state = 0x2545_f491_u32;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 17;
        state ^= state << 5;
        state.to_le_bytes()[0]
    };
    (0..length).map(|_| next()).collect()
}

#[test]
fn what_is_written_on_one_side_is_read_on_the_other() {
    let share = Mounted::folder();
    let bytes = noise(3 << 20);
    fs::write(share.path("a"), &bytes).unwrap();
    assert!(fs::read(share.on_host("a")).unwrap() == bytes);
    fs::write(share.on_host("a"), b"short").unwrap();
    assert_eq!(fs::read(share.path("a")).unwrap(), b"short");
    fs::write(share.on_host("a"), b"other").unwrap();
    assert_eq!(fs::read(share.path("a")).unwrap(), b"other");
}

#[test]
fn a_file_grows_at_its_end_whoever_appends() {
    let share = Mounted::folder();
    let mut file = OpenOptions::new().create(true).append(true).open(share.path("log")).unwrap();
    file.write_all(b"one ").unwrap();
    OpenOptions::new().append(true).open(share.on_host("log")).unwrap().write_all(b"two ").unwrap();
    file.write_all(b"three").unwrap();
    assert_eq!(fs::read(share.on_host("log")).unwrap(), b"one two three");
}

#[test]
fn a_file_is_cut_and_stretched() {
    let share = Mounted::folder();
    fs::write(share.path("f"), noise(10_000)).unwrap();
    let file = OpenOptions::new().write(true).open(share.path("f")).unwrap();
    file.set_len(100).unwrap();
    assert_eq!(fs::metadata(share.on_host("f")).unwrap().len(), 100);
    file.set_len(5000).unwrap();
    let read = fs::read(share.path("f")).unwrap();
    assert!(read[..100] == noise(100) && read[100..].iter().all(|byte| *byte == 0));
    OpenOptions::new().write(true).truncate(true).open(share.path("f")).unwrap();
    assert_eq!(fs::metadata(share.path("f")).unwrap().len(), 0);
}

#[test]
fn an_open_file_outlives_its_name() {
    let share = Mounted::folder();
    let mut file = File::options().create(true).read(true).write(true).truncate(true).open(share.path("f")).unwrap();
    file.write_all(b"before").unwrap();
    fs::remove_file(share.path("f")).unwrap();
    file.write_all(b" after").unwrap();
    file.seek(SeekFrom::Start(0)).unwrap();
    let mut text = String::new();
    file.read_to_string(&mut text).unwrap();
    assert_eq!((text.as_str(), file.metadata().unwrap().nlink()), ("before after", 0));
    file.set_len(6).unwrap();
    file.set_permissions(fs::Permissions::from_mode(0o640)).unwrap();
    assert_eq!((file.metadata().unwrap().len(), file.metadata().unwrap().mode() & 0o777), (6, 0o640));
}

#[test]
fn holes_stay_holes_and_room_is_kept() {
    let share = Mounted::folder();
    let file = File::options().create(true).read(true).write(true).truncate(true).open(share.path("f")).unwrap();
    file.write_all_at(b"x", 1 << 20).unwrap();
    assert_eq!(rustix::fs::seek(&file, rustix::fs::SeekFrom::Data(0)).unwrap(), 1 << 20);
    assert_eq!(rustix::fs::seek(&file, rustix::fs::SeekFrom::Hole(0)).unwrap(), 0);
    rustix::fs::fallocate(&file, rustix::fs::FallocateFlags::empty(), 0, 1 << 16).unwrap();
    assert!(fs::metadata(share.on_host("f")).unwrap().blocks() >= 128);
    let copy = File::create(share.path("copy")).unwrap();
    assert_eq!(rustix::fs::copy_file_range(&file, None, &copy, None, 1 << 21).unwrap(), (1 << 20) + 1);
    assert!(fs::read(share.on_host("copy")).unwrap() == fs::read(share.on_host("f")).unwrap());
    file.sync_all().unwrap();
    file.sync_data().unwrap();
}

#[test]
fn times_are_kept_to_the_nanosecond() {
    let share = Mounted::folder();
    let file = File::create(share.path("f")).unwrap();
    let time = std::time::UNIX_EPOCH + std::time::Duration::new(1_234_567_890, 123_456_789);
    file.set_times(fs::FileTimes::new().set_accessed(time).set_modified(time)).unwrap();
    let (seen, host) = (fs::metadata(share.path("f")).unwrap(), fs::metadata(share.on_host("f")).unwrap());
    assert_eq!((seen.modified().unwrap(), seen.accessed().unwrap()), (time, time));
    assert_eq!((host.modified().unwrap(), host.mtime_nsec()), (time, 123_456_789));
}

#[test]
fn nothing_of_a_read_only_share_is_changed() {
    let how = How { read_only: true, ..How::default() };
    let share = Mounted::new(how, |host| fs::write(host.join("f"), "text").unwrap());
    let path = share.path("f");
    assert_eq!(fs::read(&path).unwrap(), b"text");
    let refused = [
        File::create(share.path("new")).err(),
        OpenOptions::new().append(true).open(&path).err(),
        OpenOptions::new().write(true).truncate(true).open(&path).err(),
        fs::create_dir(share.path("d")).err(),
        fs::remove_file(&path).err(),
        fs::rename(&path, share.path("g")).err(),
        fs::hard_link(&path, share.path("g")).err(),
        fs::set_permissions(&path, fs::Permissions::from_mode(0o777)).err(),
        std::os::unix::fs::symlink("x", share.path("l")).err(),
        rustix::fs::setxattr(&path, "user.a", b"1", rustix::fs::XattrFlags::empty()).err().map(Into::into),
    ];
    for error in refused {
        assert_eq!(error.map(|error| error.kind()), Some(ErrorKind::ReadOnlyFilesystem));
    }
    assert_eq!(fs::read_dir(share.on_host("")).unwrap().count(), 1);
}

#[test]
fn a_single_file_is_shared_and_nothing_beside_it() {
    let how = How { file: Some("config"), ..How::default() };
    let share = Mounted::new(how, |host| {
        fs::write(host.join("config"), "one").unwrap();
        fs::write(host.join("secret"), "two").unwrap();
    });
    let path = share.path("file");
    assert_eq!(fs::read(&path).unwrap(), b"one");
    fs::write(&path, "changed").unwrap();
    assert_eq!(fs::read(share.on_host("config")).unwrap(), b"changed");
    // An editor that saves by renaming makes another file of the same name.
    fs::write(share.on_host("saved"), "renamed").unwrap();
    fs::rename(share.on_host("saved"), share.on_host("config")).unwrap();
    assert_eq!(fs::read(&path).unwrap(), b"renamed");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
    assert_eq!(fs::metadata(share.on_host("config")).unwrap().mode() & 0o777, 0o600);
    assert!(fs::read_dir(&path).is_err());
}

/// As fsx does it: written, read, cut and stretched at random places, through two descriptors, a file is what a model says.
#[test]
fn a_file_is_what_a_model_says_whatever_is_done_to_it() {
    const MOST: usize = 1 << 18;
    const STEPS: u32 = 4_000;
    let share = Mounted::folder();
    let open = || OpenOptions::new().read(true).write(true).create(true).truncate(false).open(share.path("f")).unwrap();
    let (one, mut other) = (open(), open());
    let mut model: Vec<u8> = Vec::new();
    let mut state = 0x9e37_79b9_u64;
    let mut below = |limit: usize| {
        // xorshift64.
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        usize::try_from(state >> 11).unwrap() % limit.max(1)
    };
    for step in 0..STEPS {
        let (at, length) = (below(MOST), 1 + below(1 << 14));
        match below(8) {
            0..4 => {
                let bytes = vec![step.to_le_bytes()[0] | 1; length];
                model.resize(model.len().max(at + length), 0);
                model[at..at + length].copy_from_slice(&bytes);
                one.write_all_at(&bytes, at as u64).unwrap();
            }
            4 => {
                model.resize(at, 0);
                other.set_len(at as u64).unwrap();
            }
            5 => other = open(),
            _ => {
                let mut read = vec![0; length];
                let there = model.len().saturating_sub(at).min(length);
                other.read_exact_at(&mut read[..there], at as u64).unwrap();
                assert!(
                    read[..there] == *model.get(at..at + there).unwrap_or_default(),
                    "step {step}: {there} bytes at {at}"
                );
                assert_eq!(other.metadata().unwrap().len(), model.len() as u64, "step {step}");
            }
        }
        if step % 500 == 0 {
            assert!(fs::read(share.on_host("f")).unwrap() == model, "step {step}: the host's is another");
        }
    }
    assert!(fs::read(share.on_host("f")).unwrap() == model && fs::read(share.path("f")).unwrap() == model);
}
