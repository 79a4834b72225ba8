//! The log as its users see it: what goes in comes out, at any place and whenever one asks.

mod rotation;

use std::{io::Write, os::fd::OwnedFd};

use super::{
    lines::{Piece, pieces},
    *,
};

/// Small numbers that differ from run to run of the loop, never from run to run of the test.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % sides
    }

    /// Text with few line feeds, many, or none; bytes that are no UTF-8.
    fn text(&mut self) -> Vec<u8> {
        let length = match self.roll(6) {
            0 => 1,
            1 => self.roll(20_000),
            _ => self.roll(60),
        };
        let density = 1 + self.roll(30);
        (0..=length).map(|_| if self.roll(density) == 0 { b'\n' } else { self.roll(256) as u8 }).collect()
    }
}

fn log() -> (tempfile::TempDir, Log) {
    let folder = tempfile::tempdir().unwrap();
    let log = Log::open(&folder.path().join("log"), Keeping::default()).unwrap();
    (folder, log)
}

async fn read(log: &Log, start: u64, stop: Stop) -> Vec<Entry> {
    let mut reader = Reader::new(log, start, stop);
    let mut all = Vec::new();
    while let Some(entries) = reader.next().await.unwrap() {
        assert!(!entries.is_empty());
        all.extend(entries);
    }
    all
}

fn bytes_of(entries: &[Entry], wanted: Stream) -> Vec<u8> {
    let of_stream = |entry: &&Entry| matches!(entry.mark, Mark::Chunk { stream, .. } if stream == wanted);
    entries.iter().filter(of_stream).flat_map(|entry| entry.data.to_vec()).collect()
}

async fn lines_of(log: &Log, tail: Option<u64>, since: Option<i64>) -> Vec<Piece> {
    let end = log.end();
    let Start { offset, mut skip } = start_of(log, end, tail, since).unwrap();
    let shown = |piece: &Piece| since.is_none_or(|since| piece.time >= since);
    let entries = read(log, offset, Stop::At(end)).await;
    entries.into_iter().flat_map(pieces).filter(|piece| skip.shows(piece)).filter(shown).collect()
}

#[tokio::test]
async fn every_byte_comes_out_in_order_on_its_stream() {
    let mut dice = Dice(42);
    for _ in 0..20 {
        let (_folder, log) = log();
        let (mut out, mut err) = (Vec::<u8>::new(), Vec::<u8>::new());
        for time in 0..200 {
            let text = dice.text();
            let stream = if dice.roll(2) == 0 { Stream::Stdout } else { Stream::Stderr };
            if stream == Stream::Stdout {
                out.extend(&text);
            } else {
                err.extend(&text);
            }
            log.append(stream, &text, time).unwrap();
        }
        let entries = read(&log, 0, Stop::At(log.end())).await;
        assert_eq!(bytes_of(&entries, Stream::Stdout), out);
        assert_eq!(bytes_of(&entries, Stream::Stderr), err);
    }
}

#[tokio::test]
async fn the_last_lines_are_those_that_counting_all_lines_gives() {
    let mut dice = Dice(7);
    for _ in 0..12 {
        let (_folder, log) = log();
        for time in 0..60 {
            let stream = if dice.roll(3) == 0 { Stream::Stderr } else { Stream::Stdout };
            log.append(stream, &dice.text(), time).unwrap();
        }
        let all = lines_of(&log, None, None).await;
        let total = all.iter().filter(|piece| !piece.continues).count() as u64;
        for tail in [0, 1, 2, 3, total / 2, total.saturating_sub(1), total, total + 5] {
            let mut drop = total.saturating_sub(tail);
            let mut began = [false; 2];
            let mut expected = Vec::new();
            for piece in &all {
                if !piece.continues {
                    began[piece.stream as usize] = drop == 0;
                    drop = drop.saturating_sub(1);
                }
                if began[piece.stream as usize] {
                    expected.push(piece.clone());
                }
            }
            assert_eq!(lines_of(&log, Some(tail), None).await, expected, "the last {tail} of {total}");
        }
    }
}

#[tokio::test]
async fn since_leaves_out_what_is_older_and_nothing_else() {
    let (_folder, log) = log();
    for time in 0..100 {
        log.append(Stream::Stdout, format!("{time}\n").as_bytes(), time).unwrap();
    }
    for since in [0, 1, 50, 99, 100] {
        let lines = lines_of(&log, None, Some(since)).await;
        assert_eq!(lines.len() as i64, 100 - since);
        assert!(lines.iter().all(|line| line.time >= since));
    }
    assert_eq!(lines_of(&log, Some(10), Some(95)).await.len(), 5);
    assert_eq!(lines_of(&log, Some(3), Some(95)).await.len(), 3);
}

#[tokio::test]
async fn a_line_in_two_reads_is_marked_as_one_line_whatever_comes_between() {
    let (_folder, log) = log();
    log.append(Stream::Stdout, b"one\ntw", 1).unwrap();
    log.append(Stream::Stderr, b"err\n", 2).unwrap();
    log.append(Stream::Stdout, b"o\n", 3).unwrap();
    let shape: Vec<_> = lines_of(&log, None, None).await.into_iter().map(|p| (p.data.to_vec(), p.continues)).collect();
    assert_eq!(
        shape,
        [(b"one\n".to_vec(), false), (b"tw".to_vec(), false), (b"err\n".to_vec(), false), (b"o\n".to_vec(), true)]
    );
    assert_eq!(lines_of(&log, Some(1), None).await.len(), 1);
}

#[tokio::test]
async fn a_new_run_begins_a_line() {
    let (_folder, log) = log();
    log.append(Stream::Stdout, b"no line feed", 1).unwrap();
    log.end_run(2).unwrap();
    log.append(Stream::Stdout, b"next", 3).unwrap();
    assert!(lines_of(&log, None, None).await.iter().all(|piece| !piece.continues));
}

#[tokio::test]
async fn a_follower_sees_what_is_written_later_and_ends_with_the_run() {
    let (_folder, log) = log();
    log.append(Stream::Stdout, b"before\n", 1).unwrap();
    log.end_run(1).unwrap();
    let from = log.end();
    let follower = tokio::spawn({
        let log = log.clone();
        async move { read(&log, 0, Stop::RunEndFrom(from)).await }
    });
    tokio::task::yield_now().await;
    log.append(Stream::Stdout, b"after\n", 2).unwrap();
    log.end_run(2).unwrap();
    log.append(Stream::Stdout, b"another run\n", 3).unwrap();
    assert_eq!(bytes_of(&follower.await.unwrap(), Stream::Stdout), b"before\nafter\n");
}

#[tokio::test]
async fn a_follower_ends_when_the_container_is_removed() {
    let (_folder, log) = log();
    let mut reader = Reader::new(&log, 0, Stop::RunEndFrom(0));
    let waiting = tokio::spawn(async move { reader.next().await.unwrap() });
    tokio::task::yield_now().await;
    log.close();
    assert_eq!(waiting.await.unwrap(), None);
}

#[tokio::test]
async fn what_a_power_cut_left_of_the_last_record_is_cut_off() {
    let (folder, log) = log();
    let path = folder.path().join("log");
    log.append(Stream::Stdout, b"whole\n", 1).unwrap();
    let whole = log.end();
    log.append(Stream::Stderr, b"torn, this one, in the middle\n", 2).unwrap();
    let bytes = std::fs::read(&path).unwrap();
    for length in whole + 1..bytes.len() as u64 {
        std::fs::write(&path, &bytes[..length as usize]).unwrap();
        let log = Log::open(&path, Keeping::default()).unwrap();
        assert_eq!(log.end(), whole);
        log.append(Stream::Stdout, b"next\n", 3).unwrap();
        let entries = read(&log, 0, Stop::At(log.end())).await;
        assert_eq!(bytes_of(&entries, Stream::Stdout), b"whole\nnext\n");
    }
    let mut zeros = bytes[..whole as usize].to_vec();
    zeros.extend([0; 5000]);
    std::fs::write(&path, &zeros).unwrap();
    assert_eq!(Log::open(&path, Keeping::default()).unwrap().end(), whole);
}

#[tokio::test]
async fn an_agent_that_takes_over_knows_that_a_line_is_unfinished() {
    let (folder, log) = log();
    log.append(Stream::Stdout, b"half a ", 1).unwrap();
    log.append(Stream::Stderr, b"whole\n", 2).unwrap();
    let log = Log::open(&folder.path().join("log"), Keeping::default()).unwrap();
    log.append(Stream::Stdout, b"line\n", 3).unwrap();
    log.append(Stream::Stderr, b"another\n", 3).unwrap();
    let continues: Vec<_> = lines_of(&log, None, None).await.iter().map(|piece| piece.continues).collect();
    assert_eq!(continues, [false, false, true, false]);
}

#[tokio::test]
async fn a_log_that_nobody_wrote_to_is_empty_and_costs_no_file() {
    let (folder, log) = log();
    assert_eq!(lines_of(&log, None, None).await, []);
    assert_eq!(lines_of(&log, Some(5), Some(1)).await, []);
    assert!(!folder.path().join("log").exists());
}

#[tokio::test]
async fn a_pump_carries_a_pipe_into_the_log_to_the_last_byte() {
    let (_folder, log) = log();
    let (reading, writing) = std::io::pipe().unwrap();
    let reading = OwnedFd::from(reading);
    let mut dice = Dice(99);
    let text: Vec<u8> = (0..3_000_000).map(|_| dice.roll(256) as u8).collect();
    let expected = text.clone();
    let writer = std::thread::spawn(move || {
        let mut writing = writing;
        writing.write_all(&text).unwrap();
    });
    pump::pump(&reading, Stream::Stdout, log.clone()).await.unwrap();
    writer.join().unwrap();
    let entries = read(&log, 0, Stop::At(log.end())).await;
    assert!(bytes_of(&entries, Stream::Stdout) == expected, "the bytes differ");
}

#[tokio::test]
async fn a_pump_whose_log_cannot_be_written_goes_on_reading() {
    let folder = tempfile::tempdir().unwrap();
    let log = Log::open(&folder.path().join("missing/log"), Keeping::default()).unwrap();
    let (reading, mut writing) = std::io::pipe().unwrap();
    let writer = std::thread::spawn(move || writing.write_all(&vec![b'x'; 2_000_000]).unwrap());
    pump::pump(&OwnedFd::from(reading), Stream::Stdout, log.clone()).await.unwrap();
    writer.join().unwrap();
    assert_eq!(log.end(), 0);
}

#[tokio::test]
async fn a_run_whose_end_could_not_be_marked_ends_for_those_who_follow_and_the_next_is_followed_again() {
    let (_folder, log) = log();
    log.begin_run();
    log.append(Stream::Stdout, b"first\n", 1).unwrap();
    log.close();
    assert_eq!(bytes_of(&read(&log, 0, Stop::RunEndFrom(0)).await, Stream::Stdout), b"first\n");
    let (from, in_run) = log.position();
    assert!(!in_run);
    log.begin_run();
    let next = tokio::spawn({
        let log = log.clone();
        async move { read(&log, from, Stop::RunEndFrom(from)).await }
    });
    tokio::task::yield_now().await;
    log.append(Stream::Stdout, b"second\n", 2).unwrap();
    log.end_run(3).unwrap();
    assert_eq!(bytes_of(&next.await.unwrap(), Stream::Stdout), b"second\n");
}
