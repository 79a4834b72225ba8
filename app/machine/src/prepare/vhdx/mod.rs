//! A data disk as a dynamic VHDX, which is what Hyper-V takes: it holds what has been written and no more.
//!
//! * `layout` — the structures of the format as bytes ([MS-VHDX]).
//!
//! ```text
//!  0        64 KiB   128 KiB  192 KiB        256 KiB        1 MiB  2 MiB     3 MiB
//!  identity header   header   region table   region table   log    metadata  block table, then blocks as they come
//! ```
//!
//! The block table has room for more than a new disk needs, so that a disk grows by one number in its metadata.

use std::{
    fs::File,
    io::{self, Read, Seek, SeekFrom, Write},
    path::Path,
};

mod layout;

use layout::{BAT, Header, METADATA, MIB, Metadata, Region, TABLE_BYTES, invalid};

/// Linux scatters small pieces over its disk, so Microsoft advises small blocks for it.
const BLOCK_BYTES: u32 = 1 << 20;

/// How far every disk can grow: 16 MiB of block table.
const ROOM_BYTES: u64 = 2 << 40;

const LOG: Region = Region { offset: MIB, length: 1 << 20 };
const METADATA_REGION: Region = Region { offset: 2 * MIB, length: 1 << 20 };
const BAT_OFFSET: u64 = 3 * MIB;

/// Makes an empty disk. What is in the way is replaced.
///
/// # Errors
/// If the file cannot be written, or the disk would be larger than the format allows.
pub(super) fn create(path: &Path, bytes: u64) -> io::Result<()> {
    super::replace(path, |file| write_empty(file, bytes))
}

fn write_empty(file: &mut File, bytes: u64) -> io::Result<()> {
    let length = layout::bat_bytes(bytes.max(ROOM_BYTES), BLOCK_BYTES).next_multiple_of(MIB);
    let bat = Region { offset: BAT_OFFSET, length: u32::try_from(length).map_err(|_| io::ErrorKind::FileTooLarge)? };
    let header = Header::new(LOG, random_id()?, random_id()?);
    let regions = layout::region_table(&[(BAT, bat), (METADATA, METADATA_REGION)]);
    write_at(file, 0, &layout::identity())?;
    for (number, offset) in (0..).zip(layout::HEADERS) {
        write_at(file, offset, header.with_sequence(number).bytes())?;
    }
    for offset in layout::REGION_TABLES {
        write_at(file, offset, &regions)?;
    }
    write_at(file, METADATA_REGION.offset, &layout::metadata(BLOCK_BYTES, bytes, random_id()?))?;
    // The log and the block table are zeroes: nothing to replay, and no block is there yet.
    file.set_len(BAT_OFFSET + length)
}

/// The size of the disk in bytes, as a guest sees it.
///
/// # Errors
/// If the file cannot be read or is no VHDX.
pub(super) fn size(file: &mut File) -> io::Result<u64> {
    Disk::read(file).map(|disk| disk.metadata.disk_bytes)
}

/// Makes a disk that no machine uses larger, if it is smaller, and says how large it is then. A disk that was in use when
/// the computer went down keeps its size: Windows first has to finish what it was writing, which the next start makes it do.
///
/// # Errors
/// If the file cannot be read or written, is no VHDX, or has no room in its table for so many blocks.
pub(super) fn grow(file: &mut File, bytes: u64) -> io::Result<u64> {
    let disk = Disk::read(file)?;
    let present = disk.metadata.disk_bytes;
    if present >= bytes {
        return Ok(present);
    }
    if layout::bat_bytes(bytes, disk.metadata.block_bytes) > u64::from(disk.bat.length) {
        return Err(invalid(
            "the table of blocks in the file has no room for so large a disk; a new disk would have it",
        ));
    }
    if disk.header.has_log() {
        tracing::warn!(bytes, "the data disk was not closed in order; it grows at the start after this one");
        return Ok(present);
    }
    // Both headers first, each to the older place of the two: whoever knows the disk sees that it is not the same any more.
    let (file_id, data_id) = (random_id()?, random_id()?);
    let mut header = disk.header;
    for offset in [disk.older_header, disk.newer_header] {
        header = header.changed(file_id, data_id);
        write_at(file, offset, header.bytes())?;
        file.sync_data()?;
    }
    // Eight bytes in one sector are written as a whole or not at all, so this needs no log.
    write_at(file, disk.metadata.disk_bytes_at, &bytes.to_le_bytes())?;
    file.sync_data()?;
    Ok(bytes)
}

/// What a file says of its disk.
struct Disk {
    header: Header,
    newer_header: u64,
    older_header: u64,
    bat: Region,
    metadata: Metadata,
}

impl Disk {
    fn read(file: &mut File) -> io::Result<Self> {
        layout::check_identity(&read_at(file, 0, 8)?)?;
        let [first, second] = layout::HEADERS;
        let headers = (
            Header::parse(&read_at(file, first, layout::HEADER_BYTES)?),
            Header::parse(&read_at(file, second, layout::HEADER_BYTES)?),
        );
        let (header, newer_header, older_header) = match headers {
            (Some(one), Some(other)) if one.sequence() < other.sequence() => (other, second, first),
            (Some(one), _) => (one, first, second),
            (None, Some(other)) => (other, second, first),
            (None, None) => return Err(invalid("neither header of the VHDX is whole")),
        };
        let mut tables = Vec::new();
        for offset in layout::REGION_TABLES {
            tables.push(read_at(file, offset, TABLE_BYTES)?);
        }
        let find = |id| {
            let region = tables.iter().find_map(|table| layout::find_region(table, id));
            region.ok_or_else(|| invalid("the VHDX does not say where its parts are"))
        };
        let (bat, region) = (find(BAT)?, find(METADATA)?);
        let length = usize::try_from(region.length).map_err(io::Error::other)?;
        let metadata = Metadata::parse(&read_at(file, region.offset, length)?, region.offset)?;
        Ok(Self { header, newer_header, older_header, bat, metadata })
    }
}

/// RFC 9562, version 4, in the byte order of Windows.
fn random_id() -> io::Result<[u8; 16]> {
    let mut id = [0; 16];
    getrandom::fill(&mut id).map_err(io::Error::other)?;
    id[7] = id[7] & 0x0f | 0x40;
    id[8] = id[8] & 0x3f | 0x80;
    Ok(id)
}

fn write_at(file: &mut File, offset: u64, bytes: &[u8]) -> io::Result<()> {
    file.seek(SeekFrom::Start(offset))?;
    file.write_all(bytes)
}

fn read_at(file: &mut File, offset: u64, length: usize) -> io::Result<Vec<u8>> {
    file.seek(SeekFrom::Start(offset))?;
    let mut bytes = vec![0; length];
    match file.read_exact(&mut bytes) {
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Err(invalid("the file is too short for a VHDX")),
        read => read.map(|()| bytes),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn disk(bytes: u64) -> File {
        let mut file = tempfile::tempfile().unwrap();
        write_empty(&mut file, bytes).unwrap();
        file
    }

    #[test]
    fn a_disk_grows_and_never_shrinks() {
        let mut file = disk(1 << 30);
        assert_eq!(size(&mut file).unwrap(), 1 << 30);
        assert_eq!(grow(&mut file, 3 << 30).unwrap(), 3 << 30);
        assert_eq!(grow(&mut file, 2 << 30).unwrap(), 3 << 30);
        assert_eq!(size(&mut file).unwrap(), 3 << 30);
    }

    #[test]
    fn growing_shows_in_both_headers() {
        let mut file = disk(1 << 30);
        let ids = |file: &mut File| layout::HEADERS.map(|at| read_at(file, at + 16, 32).unwrap());
        let before = ids(&mut file);
        grow(&mut file, 2 << 30).unwrap();
        let [one, other] = ids(&mut file);
        assert_eq!(one, other);
        assert!(!before.contains(&one));
    }

    #[test]
    fn one_damaged_header_and_one_damaged_table_do_no_harm() {
        for (header, table) in layout::HEADERS.into_iter().zip(layout::REGION_TABLES) {
            let mut file = disk(1 << 30);
            write_at(&mut file, header + 20, &[0xff; 8]).unwrap();
            write_at(&mut file, table + 20, &[0xff; 8]).unwrap();
            assert_eq!(grow(&mut file, 2 << 30).unwrap(), 2 << 30);
        }
    }

    #[test]
    fn a_disk_whose_log_is_to_be_replayed_is_left_as_it_is() {
        let mut file = disk(1 << 30);
        for offset in layout::HEADERS {
            let header = Header::parse(&read_at(&mut file, offset, layout::HEADER_BYTES).unwrap()).unwrap();
            write_at(&mut file, offset, header.with_log([1; 16]).bytes()).unwrap();
        }
        let all = |file: &mut File| read_at(file, 0, 4 << 20).unwrap();
        let before = all(&mut file);
        assert_eq!(grow(&mut file, 2 << 30).unwrap(), 1 << 30);
        assert!(before == all(&mut file), "the file was changed");
    }

    #[test]
    fn what_the_table_has_no_room_for_is_an_error() {
        let mut file = disk(1 << 30);
        assert_eq!(grow(&mut file, ROOM_BYTES).unwrap(), ROOM_BYTES);
        let error = grow(&mut file, ROOM_BYTES + (128 << 30)).unwrap_err();
        assert!(error.to_string().contains("no room"), "{error}");
        assert_eq!(size(&mut disk(ROOM_BYTES * 2)).unwrap(), ROOM_BYTES * 2);
    }

    #[test]
    fn what_is_no_vhdx_is_said_to_be_none() {
        let mut file = tempfile::tempfile().unwrap();
        assert!(size(&mut file).unwrap_err().to_string().contains("too short"));
        file.set_len(8 << 20).unwrap();
        assert!(size(&mut file).unwrap_err().to_string().contains("is not a VHDX"));
        for damage in [layout::HEADERS, layout::REGION_TABLES] {
            let mut file = disk(1 << 30);
            for offset in damage {
                write_at(&mut file, offset + 8, &[0xff; 64]).unwrap();
            }
            assert_eq!(size(&mut file).unwrap_err().kind(), io::ErrorKind::InvalidData);
        }
    }
}
