//! Logs with limits, logs that no disk takes, and those who are attached to them.

use std::os::unix::fs::PermissionsExt;

use tokio::time::{Duration, timeout};

use super::*;

fn limited(most_bytes: u64, most_files: usize) -> (tempfile::TempDir, Log) {
    let folder = tempfile::tempdir().unwrap();
    let log = open(&folder, most_bytes, most_files);
    (folder, log)
}

fn open(folder: &tempfile::TempDir, most_bytes: u64, most_files: usize) -> Log {
    let keeping = Keeping { most_bytes: Some(most_bytes), most_files, ..Keeping::default() };
    Log::open(&folder.path().join("log"), keeping).unwrap()
}

fn files(folder: &tempfile::TempDir) -> Vec<(String, u64)> {
    // One that has been packed since the folder was listed is there no more.
    let file = |entry: std::io::Result<std::fs::DirEntry>| {
        let entry = entry.unwrap();
        Some((entry.file_name().into_string().unwrap(), entry.metadata().ok()?.len()))
    };
    let mut files: Vec<_> = folder.path().read_dir().unwrap().filter_map(file).collect();
    files.sort();
    files
}

/// Numbered lines, each a record of its own.
fn write(log: &Log, numbers: std::ops::Range<i64>) {
    for number in numbers {
        log.append(Stream::Stdout, format!("line {number}\n").as_bytes(), number).unwrap();
    }
}

async fn numbers(log: &Log, tail: Option<u64>, since: Option<i64>) -> Vec<i64> {
    lines_of(log, tail, since).await.into_iter().map(|piece| piece.time).collect()
}

#[tokio::test]
async fn a_log_stays_within_its_limit_and_keeps_the_newest() {
    let (folder, log) = limited(1000, 3);
    write(&log, 0..500);
    let files = files(&folder);
    assert_eq!(files.len(), 3, "{files:?}");
    assert!(files.iter().all(|(_, bytes)| *bytes <= 1000), "{files:?}");
    let kept = numbers(&log, None, None).await;
    assert!(kept.len() > 60, "{} lines are kept", kept.len());
    assert_eq!(kept, (500 - kept.len() as i64..500).collect::<Vec<_>>());
}

#[tokio::test]
async fn what_is_left_begins_with_a_whole_line_unless_there_is_none() {
    let (_folder, log) = limited(4000, 2);
    let text: String = (0..3000).map(|number| format!("{number}\n")).collect();
    log.append(Stream::Stdout, text.as_bytes(), 1).unwrap();
    let lines: Vec<String> =
        lines_of(&log, None, None).await.iter().map(|piece| String::from_utf8_lossy(&piece.data).into()).collect();
    let shown: String = lines.concat();
    let first: usize = shown.split('\n').next().unwrap().parse().unwrap();
    assert_eq!(shown, (first..3000).map(|number| format!("{number}\n")).collect::<String>());
    log.append(Stream::Stdout, &[b'x'; 20_000], 2).unwrap();
    let shown: usize = lines_of(&log, None, None).await.iter().map(|piece| piece.data.len()).sum();
    assert!(shown > 4000, "{shown} bytes of a long line are shown");
}

#[tokio::test]
async fn one_large_write_is_cut_so_that_the_limit_is_one() {
    let (folder, log) = limited(4000, 2);
    log.append(Stream::Stdout, &[b'x'; 100_000], 1).unwrap();
    assert!(files(&folder).iter().map(|(_, bytes)| bytes).sum::<u64>() <= 8000);
}

#[tokio::test]
async fn tail_and_since_are_right_across_files_also_after_a_restart() {
    let (folder, log) = limited(1000, 4);
    write(&log, 0..100);
    for log in [log, open(&folder, 1000, 4)] {
        let kept = numbers(&log, None, None).await.len() as i64;
        for tail in [0, 1, 30, 31, 32, 60, kept, kept + 10] {
            let expected: Vec<i64> = (100 - tail.min(kept)..100).collect();
            assert_eq!(numbers(&log, Some(tail as u64), None).await, expected, "the last {tail}");
        }
        for since in [0, 100 - kept, 50, 75, 99, 100] {
            let expected: Vec<i64> = (since.max(100 - kept)..100).collect();
            assert_eq!(numbers(&log, None, Some(since)).await, expected, "since {since}");
        }
    }
}

#[tokio::test]
async fn an_agent_that_takes_over_rotates_on() {
    let (folder, log) = limited(1000, 3);
    write(&log, 0..100);
    drop(log);
    let log = open(&folder, 1000, 3);
    write(&log, 100..200);
    assert_eq!(files(&folder).len(), 3);
    let kept = numbers(&log, None, None).await;
    assert_eq!(kept, (200 - kept.len() as i64..200).collect::<Vec<_>>());
}

#[tokio::test]
async fn compressed_files_are_read_like_others() {
    let (folder, log) = limited(1000, 3);
    write(&log, 0..90);
    let before = numbers(&log, None, None).await;
    log.pack();
    let names: Vec<String> = files(&folder).into_iter().map(|(name, _)| name).collect();
    assert_eq!(names.iter().filter(|name| name.ends_with(".gz")).count(), 2, "{names:?}");
    assert_eq!(numbers(&log, None, None).await, before);
    assert_eq!(numbers(&log, Some(60), None).await, (30..90).collect::<Vec<_>>());
    // Half a compressed file is what a kill leaves; the plain one is still there then.
    std::fs::write(folder.path().join("log.9.9.gz.new"), b"half").unwrap();
    let log = open(&folder, 1000, 3);
    assert_eq!(numbers(&log, None, None).await, before);
    assert_eq!(files(&folder).len(), 3);
    write(&log, 90..200);
    assert_eq!(numbers(&log, Some(30), None).await, (170..200).collect::<Vec<_>>());
}

#[tokio::test]
async fn what_a_power_cut_left_of_a_rotated_file_is_read() {
    let (folder, log) = limited(1000, 3);
    write(&log, 0..90);
    let before = numbers(&log, None, None).await;
    let (oldest, bytes) = files(&folder).into_iter().find(|(name, _)| name != "log").unwrap();
    let file = std::fs::OpenOptions::new().write(true).open(folder.path().join(&oldest)).unwrap();
    file.set_len(bytes - 1).unwrap();
    let log = open(&folder, 1000, 3);
    let after = numbers(&log, None, None).await;
    assert_eq!(after.len(), before.len() - 1, "one record was torn");
    log.pack();
    assert_eq!(numbers(&log, None, None).await, after);
    assert_eq!(numbers(&open(&folder, 1000, 3), None, None).await, after);
}

#[tokio::test]
async fn rotation_compresses_by_itself() {
    let folder = tempfile::tempdir().unwrap();
    let keeping = Keeping { on_disk: true, most_bytes: Some(1000), most_files: 3, packed: true };
    let log = Log::open(&folder.path().join("log"), keeping).unwrap();
    write(&log, 0..90);
    // What the thread has not done yet is done here.
    log.pack();
    timeout(Duration::from_secs(10), async {
        while files(&folder).iter().filter(|(name, _)| name.ends_with(".gz")).count() < 2 {
            tokio::task::yield_now().await;
        }
    })
    .await
    .unwrap();
    assert_eq!(numbers(&log, Some(60), None).await, (30..90).collect::<Vec<_>>());
}

#[tokio::test]
async fn who_follows_slowly_misses_what_is_rotated_away_and_goes_on() {
    let (_folder, log) = limited(1000, 2);
    log.begin_run();
    write(&log, 0..5);
    let mut follower = Reader::new(&log, 0, Stop::RunEndFrom(log.end()));
    assert_eq!(follower.next().await.unwrap().unwrap().len(), 5);
    write(&log, 5..200);
    log.end_run(200).unwrap();
    let mut seen = Vec::new();
    while let Some(entries) = follower.next().await.unwrap() {
        seen.extend(entries.into_iter().filter(|entry| entry.mark != Mark::RunEnd).map(|entry| entry.time));
    }
    assert_eq!(seen.last(), Some(&199));
    assert!(seen.first().unwrap() > &5 && seen.is_sorted());
}

#[tokio::test]
async fn who_is_attached_misses_nothing_and_then_the_files_go() {
    let (folder, log) = limited(1000, 2);
    log.begin_run();
    let claim = Attached::new(&log);
    let mut reader = Reader::new(&log, log.end(), Stop::RunEndFrom(log.end())).attached(claim);
    write(&log, 0..200);
    assert!(*log.full().borrow(), "the container has to wait");
    log.ending();
    assert!(!*log.full().borrow(), "what is left when it has ended does not");
    assert!(files(&folder).len() > 2);
    log.end_run(200).unwrap();
    let mut seen = Vec::new();
    while let Some(entries) = reader.next().await.unwrap() {
        seen.extend(entries.into_iter().filter(|entry| entry.mark != Mark::RunEnd).map(|entry| entry.time));
    }
    assert_eq!(seen, (0..200).collect::<Vec<_>>());
    assert!(!*log.full().borrow());
    assert_eq!(files(&folder).len(), 2);
}

#[tokio::test]
async fn who_leaves_holds_nothing_up() {
    let (folder, log) = limited(1000, 2);
    let claim = Attached::new(&log);
    let reader = Reader::new(&log, 0, Stop::RunEndFrom(0)).attached(claim);
    write(&log, 0..200);
    let mut full = log.full();
    assert!(*full.borrow_and_update());
    drop(reader);
    full.changed().await.unwrap();
    assert!(!*full.borrow());
    assert_eq!(files(&folder).len(), 2);
}

/// A log whose folder cannot be written to; as root nothing stops a write, so a folder that is missing does.
fn unwritable() -> (tempfile::TempDir, Log) {
    let folder = tempfile::tempdir().unwrap();
    std::fs::set_permissions(folder.path(), std::fs::Permissions::from_mode(0o500)).unwrap();
    let log = Log::open(&folder.path().join("missing/log"), Keeping::default()).unwrap();
    (folder, log)
}

#[tokio::test]
async fn what_the_disk_does_not_take_reaches_those_who_are_attached_in_order_and_is_said_once() {
    let (folder, log) = unwritable();
    log.begin_run();
    let claim = Attached::new(&log);
    let reader = Reader::new(&log, log.end(), Stop::RunEndFrom(log.end())).attached(claim);
    let large = vec![b'x'; 600_000];
    assert!(log.append(Stream::Stdout, &large, 1).is_err());
    assert!(log.append(Stream::Stdout, b"two ", 2).is_ok(), "it was said");
    // The disk has room again.
    std::fs::create_dir(folder.path().join("missing")).unwrap();
    log.append(Stream::Stdout, b"three", 3).unwrap();
    log.end_run(4).unwrap();
    let mut reader = reader;
    let mut seen = Vec::new();
    while let Some(entries) = reader.next().await.unwrap() {
        seen.extend(entries);
    }
    assert!(bytes_of(&seen, Stream::Stdout) == [&large[..], b"two three"].concat(), "the bytes differ");
    drop(reader);
    let kept = read(&log, 0, Stop::At(log.end())).await;
    assert_eq!(bytes_of(&kept, Stream::Stdout), b"three");
}

#[tokio::test]
async fn without_anybody_attached_what_the_disk_does_not_take_is_nowhere() {
    let (_folder, log) = unwritable();
    let _ = log.append(Stream::Stdout, b"lost", 1);
    assert_eq!((log.end(), *log.full().borrow()), (0, false));
}

#[tokio::test]
async fn a_log_that_is_not_kept_reaches_those_who_are_attached_and_makes_the_container_wait_for_them() {
    let folder = tempfile::tempdir().unwrap();
    let keeping = Keeping { on_disk: false, ..Keeping::default() };
    let log = Log::open(&folder.path().join("log"), keeping).unwrap();
    log.begin_run();
    let mut reader = Reader::new(&log, 0, Stop::RunEndFrom(0)).attached(Attached::new(&log));
    let (reading, mut writing) = std::io::pipe().unwrap();
    let text: Vec<u8> = (0..5_000_000_u32).map(|n| n as u8).collect();
    let expected = text.clone();
    let writer = std::thread::spawn(move || writing.write_all(&text).unwrap());
    let pumping = tokio::spawn({
        let log = log.clone();
        async move {
            pump::pump(&OwnedFd::from(reading), Stream::Stdout, log.clone()).await.unwrap();
            log.end_run(1).unwrap();
        }
    });
    log.full().wait_for(|full| *full).await.unwrap();
    assert!(!pumping.is_finished());
    let mut seen = Vec::new();
    while let Some(entries) = reader.next().await.unwrap() {
        seen.extend(entries);
    }
    writer.join().unwrap();
    pumping.await.unwrap();
    assert!(bytes_of(&seen, Stream::Stdout) == expected, "the bytes differ");
    assert_eq!(files(&folder), []);
}
