//! Streams that may be compressed: recognised by their first bytes, as dockerd does, never by a media type.

use std::io::{self, BufRead, BufReader, Read};
use std::sync::{Condvar, Mutex, PoisonError};

use flate2::bufread::MultiGzDecoder;
use ruzstd::decoding::errors::{FrameDecoderError, ReadFrameHeaderError};
use ruzstd::decoding::{BlockDecodingStrategy, FrameDecoder};

/// Largest zstd window, hence memory, that is accepted. The library that containerd and skopeo have writes none above 32 MiB
/// at any level (and reads up to 512 MiB); `zstd -19` writes 8 MiB, `zstd --long` and `--ultra -22` 128 MiB.
const LARGEST_WINDOW: u64 = 32 << 20;
/// Windows that all streams together may have: who wants more than is left waits.
const WINDOWS: u64 = LARGEST_WINDOW;
/// Input is read in pieces of this size.
const INPUT: usize = 128 << 10;

/// How a stream is compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Compression {
    None,
    Gzip,
    Zstd,
    /// Something that dockerd would start a program for, or does not know.
    Unsupported(&'static str),
}

/// The plain bytes of `source`.
///
/// # Errors
/// It cannot be read, or is compressed by bzip2 or xz.
pub(crate) fn plain<'a, R: Read + 'a>(source: R) -> io::Result<Box<dyn Read + 'a>> {
    let (start, source) = peek(source)?;
    let input = BufReader::with_capacity(INPUT, io::Cursor::new(start.clone()).chain(source));
    Ok(match recognise(&start) {
        Compression::None => Box::new(input),
        Compression::Gzip => Box::new(MultiGzDecoder::new(input)),
        Compression::Zstd => Box::new(Zstd::new(input)),
        Compression::Unsupported(name) => {
            return Err(io::Error::new(io::ErrorKind::InvalidData, format!("{name} compression is not supported")));
        }
    })
}

/// The first bytes of `source`, and what comes after them.
fn peek<R: Read>(mut source: R) -> io::Result<(Vec<u8>, R)> {
    let mut start = Vec::with_capacity(16);
    source.by_ref().take(16).read_to_end(&mut start)?;
    Ok((start, source))
}

fn recognise(start: &[u8]) -> Compression {
    let skippable_zstd = start.len() >= 4 && start[0] & 0xf0 == 0x50 && start[1..4] == [0x2a, 0x4d, 0x18];
    match start {
        [0x1f, 0x8b, 0x08, ..] => Compression::Gzip,
        [0x28, 0xb5, 0x2f, 0xfd, ..] => Compression::Zstd,
        _ if skippable_zstd => Compression::Zstd,
        [b'B', b'Z', b'h', ..] => Compression::Unsupported("bzip2"),
        [0xfd, b'7', b'z', b'X', b'Z', 0, ..] => Compression::Unsupported("xz"),
        _ => Compression::None,
    }
}

/// All frames of a zstd stream, one after the other.
struct Zstd<R> {
    input: R,
    decoder: FrameDecoder,
    in_frame: bool,
    /// For the decoder's memory, which grows and stays.
    window: Option<Window>,
}

impl<R: BufRead> Zstd<R> {
    fn new(input: R) -> Self {
        Self { input, decoder: FrameDecoder::new(), in_frame: false, window: None }
    }

    /// Opens the next frame that has content. False at the end of the input.
    fn open_frame(&mut self) -> io::Result<bool> {
        while !self.input.fill_buf()?.is_empty() {
            let (header, window) = frame_header(&mut self.input)?;
            self.make_room(window)?;
            match self.decoder.init(header.as_slice().chain(&mut self.input)) {
                Ok(()) => return Ok(true),
                Err(FrameDecoderError::ReadFrameHeaderError(ReadFrameHeaderError::SkipFrame { length, .. })) => {
                    let length = u64::from(length);
                    if io::copy(&mut self.input.by_ref().take(length), &mut io::sink())? < length {
                        return Err(io::ErrorKind::UnexpectedEof.into());
                    }
                }
                Err(error) => return Err(io::Error::new(io::ErrorKind::InvalidData, error)),
            }
        }
        Ok(false)
    }

    /// Waits until there is memory for a window. What it has already is given back before: two that wait for one another's
    /// would wait for ever.
    fn make_room(&mut self, window: u64) -> io::Result<()> {
        if window > LARGEST_WINDOW {
            let words = format!("a zstd window of {window} bytes is not supported: {LARGEST_WINDOW} is the most");
            return Err(io::Error::new(io::ErrorKind::InvalidData, words));
        }
        // The decoder's buffer is a power of two and two blocks.
        let bytes = window.next_power_of_two();
        if self.window.as_ref().is_some_and(|has| has.0 >= bytes) {
            return Ok(());
        }
        self.decoder = FrameDecoder::new();
        self.window = None;
        self.window = Some(Window::take(bytes));
        self.decoder = decoder()?;
        Ok(())
    }
}

/// A decoder that takes memory for a window at once. One that has had no frame yet lets its buffer grow instead, to twice as
/// much each time, and has the old one and the new one while it copies.
fn decoder() -> io::Result<FrameDecoder> {
    const HEADER: [u8; 6] = [0x28, 0xb5, 0x2f, 0xfd, 0, 0];
    let mut decoder = FrameDecoder::new();
    decoder.init(&HEADER[..]).map_err(io::Error::other)?;
    Ok(decoder)
}

/// The header of a frame (RFC 8878, 3.1.1.1) and the window that it asks for. Of what is none, its beginning.
fn frame_header(input: &mut impl Read) -> io::Result<(Vec<u8>, u64)> {
    let mut header = vec![0; 5];
    input.read_exact(&mut header)?;
    if recognise(&header) != Compression::Zstd || header[0] & 0xf0 == 0x50 {
        return Ok((header, 0));
    }
    let descriptor = header[4];
    let is_single = descriptor & 0x20 != 0;
    let dictionary = [0, 1, 2, 4][usize::from(descriptor & 3)];
    let size_bytes = [usize::from(is_single), 2, 4, 8][usize::from(descriptor >> 6)];
    header.resize(5 + usize::from(!is_single) + dictionary + size_bytes, 0);
    input.read_exact(&mut header[5..])?;
    let window = if is_single {
        let size = header[header.len() - size_bytes..].iter().rev().fold(0, |size, byte| size << 8 | u64::from(*byte));
        if size_bytes == 2 { size + 256 } else { size }
    } else {
        let base = 1_u64 << (10 + (header[5] >> 3));
        base + base / 8 * u64::from(header[5] & 7)
    };
    Ok((header, window))
}

static FREE: Mutex<u64> = Mutex::new(WINDOWS);
static GIVEN_BACK: Condvar = Condvar::new();

/// Bytes of windows that one stream has.
struct Window(u64);

impl Window {
    fn take(bytes: u64) -> Self {
        let free = FREE.lock().unwrap_or_else(PoisonError::into_inner);
        let mut free = GIVEN_BACK.wait_while(free, |free| *free < bytes).unwrap_or_else(PoisonError::into_inner);
        *free -= bytes;
        Self(bytes)
    }
}

impl Drop for Window {
    fn drop(&mut self) {
        *FREE.lock().unwrap_or_else(PoisonError::into_inner) += self.0;
        GIVEN_BACK.notify_all();
    }
}

impl<R: BufRead> Read for Zstd<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if buffer.is_empty() {
            return Ok(0);
        }
        loop {
            if !self.in_frame {
                if !self.open_frame()? {
                    return Ok(0);
                }
                self.in_frame = true;
            }
            let count = self.decoder.read(buffer)?;
            if count > 0 {
                return Ok(count);
            }
            if self.decoder.is_finished() {
                self.in_frame = false;
                continue;
            }
            self.decoder
                .decode_blocks(&mut self.input, BlockDecodingStrategy::UptoBytes(INPUT))
                .map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))?;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    fn gzip(data: &[u8]) -> Vec<u8> {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(data).unwrap();
        encoder.finish().unwrap()
    }

    fn zstd(data: &[u8]) -> Vec<u8> {
        ruzstd::encoding::compress_to_vec(data, ruzstd::encoding::CompressionLevel::Fastest)
    }

    fn read(data: &[u8]) -> io::Result<Vec<u8>> {
        let mut out = Vec::new();
        plain(data)?.read_to_end(&mut out)?;
        Ok(out)
    }

    fn sample() -> Vec<u8> {
        (0..600_000_u32).flat_map(|n| (n / 7).to_le_bytes()).collect()
    }

    #[test]
    fn plain_gzip_and_zstd_give_the_same_bytes() {
        for data in [&b""[..], b"x", &sample()] {
            assert_eq!(read(data).unwrap(), data);
            assert_eq!(read(&gzip(data)).unwrap(), data);
            assert_eq!(read(&zstd(data)).unwrap(), data);
        }
    }

    #[test]
    fn members_and_frames_are_read_one_after_the_other() {
        assert_eq!(read(&[gzip(b"a"), gzip(b"b")].concat()).unwrap(), b"ab");
        let skippable = [0x5a, 0x2a, 0x4d, 0x18, 3, 0, 0, 0, 1, 2, 3];
        let frames = [&skippable[..], &zstd(b"a"), &skippable, &zstd(b"b"), &skippable].concat();
        assert_eq!(read(&frames).unwrap(), b"ab");
    }

    #[test]
    fn a_cut_stream_is_an_error() {
        for data in [gzip(&sample()), zstd(&sample())] {
            for cut in [12, data.len() / 2, data.len() - 1] {
                assert!(read(&data[..cut]).is_err(), "{cut} of {}", data.len());
            }
        }
    }

    /// A frame with this window, whose content is `blocks` times 128 KiB of one letter.
    fn frame(window: u8, blocks: u32) -> Vec<u8> {
        let block = |at: u32| (u32::from(at + 1 == blocks) | 1 << 1 | (128 << 10) << 3).to_le_bytes();
        let blocks = (0..blocks).flat_map(|at| [&block(at)[..3], b"a"].concat());
        [0x28, 0xb5, 0x2f, 0xfd, 0, window].into_iter().chain(blocks).collect()
    }

    #[test]
    fn a_window_of_the_limit_is_read_and_a_larger_one_refused_by_its_size() {
        // 2^(10 + 15) is 32 MiB; more has come than fits into it. The next eighth is too much.
        let data = frame(15 << 3, 8 * 33);
        assert!(read(&data).unwrap().into_iter().eq(std::iter::repeat_n(b'a', 33 << 20)), "something else came");
        for (window, bytes) in [(15 << 3 | 1, 36 << 20), (17 << 3, 128 << 20), (21 << 3, 2_u64 << 30)] {
            let refused = read(&frame(window, 1)).unwrap_err();
            let wanted = format!("a zstd window of {bytes} bytes is not supported: 33554432 is the most");
            assert_eq!(refused.to_string(), wanted);
        }
        // A single segment, whose window is its size.
        let refused = read(&[0x28, 0xb5, 0x2f, 0xfd, 0xe0, 1, 0, 0, 0, 1, 0, 0, 0]).unwrap_err();
        assert!(refused.to_string().starts_with("a zstd window of 4294967297 bytes"), "{refused}");
    }

    #[test]
    fn headers_of_frames_say_their_windows() {
        let window = |rest: &[u8]| {
            let all = [&[0x28, 0xb5, 0x2f, 0xfd][..], rest].concat();
            let (header, window) = frame_header(&mut all.as_slice()).unwrap();
            assert_eq!(header, all);
            window
        };
        assert_eq!(window(&[0, 13 << 3]), 8 << 20);
        assert_eq!(window(&[0, 13 << 3 | 4]), 12 << 20);
        // With a dictionary and a size; in a single segment of one, two, four and eight bytes.
        assert_eq!(window(&[0x82, 0, 1, 1, 9, 9, 9, 9]), 1024);
        assert_eq!(window(&[0x20, 7]), 7);
        assert_eq!(window(&[0x60, 1, 0]), 257);
        assert_eq!(window(&[0xa0, 0, 0, 0x10, 0]), 1 << 20);
        assert_eq!(window(&[0xe0, 0, 0, 0, 0, 1, 0, 0, 0]), 1 << 32);
        assert!(frame_header(&mut &[0x28, 0xb5, 0x2f, 0xfd, 0][..]).is_err());
    }

    #[test]
    fn streams_that_want_more_than_there_is_all_come_to_their_end() {
        // Frames whose windows grow, so that each stream gives back what it has to get more: a small one, and raw blocks
        // of the letter "a" with windows of 4, 8 and 16 MiB.
        let raw = |window: u8| [0x28, 0xb5, 0x2f, 0xfd, 0, window << 3, 1 | 1 << 3, 0, 0, b'a'];
        let data = [&zstd(b"a")[..], &raw(12), &raw(13), &raw(14), &raw(12)].concat();
        std::thread::scope(|scope| {
            let streams: Vec<_> = (0..8).map(|_| scope.spawn(|| read(&data).unwrap())).collect();
            streams.into_iter().for_each(|stream| assert_eq!(stream.join().unwrap(), b"aaaaa"));
        });
        // Others may have some at this moment; if one had kept its own, this would wait for ever.
        assert_eq!(Window::take(WINDOWS).0, WINDOWS);
    }

    #[test]
    fn other_compressions_are_named_in_the_error() {
        assert_eq!(read(b"BZh91AY&SY").unwrap_err().to_string(), "bzip2 compression is not supported");
        assert_eq!(read(b"\xfd7zXZ\0\0\0").unwrap_err().to_string(), "xz compression is not supported");
    }
}
