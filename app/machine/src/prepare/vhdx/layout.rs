//! The structures of a VHDX as bytes: [MS-VHDX], "Virtual Hard Disk v2 (VHDX) File Format". Pure. All numbers are
//! little-endian, and what is not named here is zero.

use std::io;

pub(super) const MIB: u64 = 1 << 20;

/// Where the two headers are (2.2.2), and how long one is.
pub(super) const HEADERS: [u64; 2] = [64 << 10, 128 << 10];
pub(super) const HEADER_BYTES: usize = 4 << 10;

/// Where the two copies of the region table are (2.2.3), and how long one is; the metadata's table is as long.
pub(super) const REGION_TABLES: [u64; 2] = [192 << 10, 256 << 10];
pub(super) const TABLE_BYTES: usize = 64 << 10;

/// An id as the format has it: the first three fields of a GUID are numbers.
pub(super) type Id = [u8; 16];

/// The regions: the table of blocks, and the metadata.
pub(super) const BAT: Id = id(0x2DC27766_F623_4200_9D64_115E9BFD4A08);
pub(super) const METADATA: Id = id(0x8B7CA206_4790_4B9A_B8FE_575F050F886E);

const FILE_PARAMETERS: Id = id(0xCAA16737_FA36_4D43_B3B6_33F0AA44E76B);
const DISK_SIZE: Id = id(0x2FA54224_CD1B_4876_B211_5DBED83BF4B8);
const DISK_ID: Id = id(0xBECA12AB_B2E6_4523_93EF_C309E000C746);
const LOGICAL_SECTOR: Id = id(0x8141BF1D_A96F_4709_BA47_F233A8FAAB5F);
const PHYSICAL_SECTOR: Id = id(0xCDA348C7_445D_4471_9CC9_E9885251C556);

/// Flags of a metadata entry (2.6.1.2): it is about the disk and not the file; who does not know it must not use the file.
const IS_VIRTUAL_DISK: u32 = 2;
const IS_REQUIRED: u32 = 4;
/// A flag of the file parameters: the disk is the difference to another one.
const HAS_PARENT: u32 = 2;

const LOGICAL_SECTOR_BYTES: u32 = 512;
const PHYSICAL_SECTOR_BYTES: u32 = 4096;
/// Sectors that one block of a sector bitmap describes. Their entries in the block table are there, if always empty, in
/// disks that have no bitmaps too (2.5).
const BITMAP_SECTORS: u64 = 1 << 23;

const ENTRY_BYTES: usize = 32;

const fn id(guid: u128) -> Id {
    let [a, b, c, d, e, f, g, h, rest @ ..] = guid.to_be_bytes();
    let [i, j, k, l, m, n, o, p] = rest;
    [d, c, b, a, f, e, h, g, i, j, k, l, m, n, o, p]
}

/// A part of the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Region {
    pub(super) offset: u64,
    pub(super) length: u32,
}

/// The error of a file that is not as it must be.
pub(super) fn invalid(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what)
}

/// The file's first words: what it is, and who made it.
pub(super) fn identity() -> Vec<u8> {
    let creator = "Cove".encode_utf16().flat_map(u16::to_le_bytes);
    b"vhdxfile".iter().copied().chain(creator).collect()
}

/// Whether the file is what its name says.
pub(super) fn check_identity(start: &[u8]) -> io::Result<()> {
    if start.starts_with(b"vhdxfile") {
        Ok(())
    } else {
        Err(invalid("the file is not a VHDX, though its name says so"))
    }
}

/// A header. The newer one of two says where the log is, and whether it has to be replayed.
#[derive(Debug, Clone)]
pub(super) struct Header(Vec<u8>);

impl Header {
    const SEQUENCE: usize = 8;
    const FILE_ID: usize = 16;
    const DATA_ID: usize = 32;
    const LOG_ID: usize = 48;

    pub(super) fn new(log: Region, file_id: Id, data_id: Id) -> Self {
        let mut bytes = vec![0; HEADER_BYTES];
        put(&mut bytes, 0, b"head");
        put(&mut bytes, Self::FILE_ID, &file_id);
        put(&mut bytes, Self::DATA_ID, &data_id);
        put(&mut bytes, 66, &1_u16.to_le_bytes()); // version of the format
        put(&mut bytes, 68, &log.length.to_le_bytes());
        put(&mut bytes, 72, &log.offset.to_le_bytes());
        Self(bytes).sealed()
    }

    /// `None` if it is not whole.
    pub(super) fn parse(bytes: &[u8]) -> Option<Self> {
        (bytes.starts_with(b"head") && is_sealed(bytes)).then(|| Self(bytes.to_vec()))
    }

    pub(super) fn bytes(&self) -> &[u8] {
        &self.0
    }

    pub(super) fn sequence(&self) -> u64 {
        number(&self.0, Self::SEQUENCE, 8).unwrap_or(0)
    }

    /// Whether something that was begun has to be finished from the log.
    pub(super) fn has_log(&self) -> bool {
        self.0[Self::LOG_ID..Self::LOG_ID + 16] != [0; 16]
    }

    pub(super) fn with_sequence(&self, sequence: u64) -> Self {
        self.with(Self::SEQUENCE, &sequence.to_le_bytes())
    }

    /// The next one, of a file and a disk that are not what they were.
    pub(super) fn changed(&self, file_id: Id, data_id: Id) -> Self {
        self.with_sequence(self.sequence().saturating_add(1))
            .with(Self::FILE_ID, &file_id)
            .with(Self::DATA_ID, &data_id)
    }

    #[cfg(test)]
    pub(super) fn with_log(&self, log_id: Id) -> Self {
        self.with(Self::LOG_ID, &log_id)
    }

    fn with(&self, at: usize, value: &[u8]) -> Self {
        let mut bytes = self.0.clone();
        put(&mut bytes, at, value);
        Self(bytes).sealed()
    }

    fn sealed(self) -> Self {
        Self(seal(self.0))
    }
}

/// A region table (2.2.3).
pub(super) fn region_table(regions: &[(Id, Region)]) -> Vec<u8> {
    let mut bytes = vec![0; TABLE_BYTES];
    put(&mut bytes, 0, b"regi");
    put(&mut bytes, 8, &(regions.len() as u32).to_le_bytes());
    for (entry, (id, region)) in bytes[16..].chunks_exact_mut(ENTRY_BYTES).zip(regions) {
        put(entry, 0, id);
        put(entry, 16, &region.offset.to_le_bytes());
        put(entry, 24, &region.length.to_le_bytes());
        put(entry, 28, &1_u32.to_le_bytes()); // required
    }
    seal(bytes)
}

/// A region of a table that is whole.
pub(super) fn find_region(table: &[u8], id: Id) -> Option<Region> {
    if !table.starts_with(b"regi") || !is_sealed(table) {
        return None;
    }
    let count = usize::try_from(number(table, 8, 4)?).ok()?;
    let entry = table.get(16..)?.chunks_exact(ENTRY_BYTES).take(count).find(|entry| entry.starts_with(&id))?;
    Some(Region { offset: number(entry, 16, 8)?, length: number(entry, 24, 4)?.try_into().ok()? })
}

/// What the metadata says of the disk.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Metadata {
    pub(super) block_bytes: u32,
    pub(super) disk_bytes: u64,
    /// Where in the file that number is.
    pub(super) disk_bytes_at: u64,
}

impl Metadata {
    /// Of a metadata region that begins at `offset` of its file.
    pub(super) fn parse(region: &[u8], offset: u64) -> io::Result<Self> {
        let missing = || invalid("the VHDX does not describe its disk");
        let item = |id| find_item(region, id).ok_or_else(missing);
        let value = |at, length| number(region, at, length).ok_or_else(missing);
        let (parameters, size, sector) = (item(FILE_PARAMETERS)?, item(DISK_SIZE)?, item(LOGICAL_SECTOR)?);
        if value(parameters + 4, 4)? & u64::from(HAS_PARENT) != 0 {
            return Err(invalid("the VHDX is the difference to another one, which Cove does not make"));
        }
        if value(sector, 4)? != u64::from(LOGICAL_SECTOR_BYTES) {
            return Err(invalid("the VHDX has sectors of another size than Cove makes"));
        }
        let block_bytes = u32::try_from(value(parameters, 4)?).map_err(|_| missing())?;
        if !block_bytes.is_power_of_two() || u64::from(block_bytes) < MIB {
            return Err(invalid("the VHDX has blocks of a size that the format does not allow"));
        }
        let disk_bytes_at = offset.checked_add(size as u64).ok_or_else(missing)?;
        Ok(Self { block_bytes, disk_bytes: value(size, 8)?, disk_bytes_at })
    }
}

fn find_item(region: &[u8], id: Id) -> Option<usize> {
    if !region.starts_with(b"metadata") {
        return None;
    }
    let count = usize::try_from(number(region, 10, 2)?).ok()?;
    let entry =
        region.get(32..TABLE_BYTES)?.chunks_exact(ENTRY_BYTES).take(count).find(|entry| entry.starts_with(&id))?;
    usize::try_from(number(entry, 16, 4)?).ok()
}

/// The metadata of a new disk (2.6): a table, and behind it what it points to.
pub(super) fn metadata(block_bytes: u32, disk_bytes: u64, disk_id: Id) -> Vec<u8> {
    let parameters = [block_bytes.to_le_bytes(), [0; 4]].concat();
    let items: [(Id, &[u8], u32); 5] = [
        (FILE_PARAMETERS, &parameters, IS_REQUIRED),
        (DISK_SIZE, &disk_bytes.to_le_bytes(), IS_REQUIRED | IS_VIRTUAL_DISK),
        (DISK_ID, &disk_id, IS_REQUIRED | IS_VIRTUAL_DISK),
        (LOGICAL_SECTOR, &LOGICAL_SECTOR_BYTES.to_le_bytes(), IS_REQUIRED | IS_VIRTUAL_DISK),
        (PHYSICAL_SECTOR, &PHYSICAL_SECTOR_BYTES.to_le_bytes(), IS_REQUIRED | IS_VIRTUAL_DISK),
    ];
    let mut bytes = vec![0; TABLE_BYTES];
    put(&mut bytes, 0, b"metadata");
    put(&mut bytes, 10, &(items.len() as u16).to_le_bytes());
    for (number, (id, value, flags)) in items.into_iter().enumerate() {
        let (entry, at) = (32 + number * ENTRY_BYTES, bytes.len() as u32);
        put(&mut bytes, entry, &id);
        put(&mut bytes, entry + 16, &at.to_le_bytes());
        put(&mut bytes, entry + 20, &(value.len() as u32).to_le_bytes());
        put(&mut bytes, entry + 24, &flags.to_le_bytes());
        bytes.extend_from_slice(value);
    }
    bytes
}

/// How long the block table of such a disk is at least (2.5): a number for each block, and one for the bitmap after each
/// run of blocks that one bitmap describes, but for the last.
pub(super) fn bat_bytes(disk_bytes: u64, block_bytes: u32) -> u64 {
    let per_bitmap = (BITMAP_SECTORS * u64::from(LOGICAL_SECTOR_BYTES) / u64::from(block_bytes)).max(1);
    let blocks = disk_bytes.div_ceil(u64::from(block_bytes));
    (blocks + blocks.saturating_sub(1) / per_bitmap) * 8
}

fn put(bytes: &mut [u8], at: usize, value: &[u8]) {
    bytes[at..at + value.len()].copy_from_slice(value);
}

/// A number of up to eight bytes; `None` if it is beyond the end.
fn number(bytes: &[u8], at: usize, length: usize) -> Option<u64> {
    let value = bytes.get(at..at.checked_add(length)?)?;
    Some(value.iter().rev().fold(0, |number, byte| number << 8 | u64::from(*byte)))
}

/// Where headers and region tables keep their checksum, which is made as if it were zero.
const CHECKSUM: usize = 4;

fn seal(mut bytes: Vec<u8>) -> Vec<u8> {
    put(&mut bytes, CHECKSUM, &[0; 4]);
    let checksum = crc32c(&bytes);
    put(&mut bytes, CHECKSUM, &checksum.to_le_bytes());
    bytes
}

fn is_sealed(bytes: &[u8]) -> bool {
    seal(bytes.to_vec()) == bytes
}

/// CRC-32C of RFC 3720. At most 64 KiB, so no tables.
fn crc32c(bytes: &[u8]) -> u32 {
    const POLYNOMIAL: u32 = 0x82F6_3B78;
    !bytes
        .iter()
        .fold(!0, |crc, byte| (0..8).fold(crc ^ u32::from(*byte), |crc, _| (crc >> 1) ^ ((crc & 1) * POLYNOMIAL)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn crc32c_is_the_published_function() {
        // RFC 3720, B.4.
        assert_eq!(crc32c(&[0; 32]), 0x8a91_36aa);
        assert_eq!(crc32c(b"123456789"), 0xe306_9283);
    }

    #[test]
    fn ids_are_in_the_byte_order_of_windows() {
        assert_eq!(BAT[..8], [0x66, 0x77, 0xc2, 0x2d, 0x23, 0xf6, 0x00, 0x42]);
        assert_eq!(BAT[8..], [0x9d, 0x64, 0x11, 0x5e, 0x9b, 0xfd, 0x4a, 0x08]);
    }

    #[test]
    fn the_table_has_an_entry_for_each_bitmap_but_the_last() {
        let block = 1 << 20;
        assert_eq!(bat_bytes(1 << 20, block), 8);
        assert_eq!(bat_bytes(4 << 30, block), 4096 * 8);
        assert_eq!(bat_bytes((4 << 30) + 1, block), (4097 + 1) * 8);
        assert_eq!(bat_bytes(8 << 30, block), (8192 + 1) * 8);
    }

    #[test]
    fn metadata_is_read_as_it_was_written_and_damage_is_an_error() {
        let good = metadata(1 << 20, 5 << 30, [7; 16]);
        let parsed = Metadata::parse(&good, 2 * MIB).unwrap();
        assert_eq!((parsed.block_bytes, parsed.disk_bytes), (1 << 20, 5 << 30));
        assert_eq!(parsed.disk_bytes_at, 2 * MIB + TABLE_BYTES as u64 + 8);
        for (at, byte) in
            [(0, 0), (10, 0), (TABLE_BYTES + 4, 2), (TABLE_BYTES, 1), (TABLE_BYTES + 33, 4), (32 + 18, 0xff)]
        {
            let mut bad = good.clone();
            bad[at] = byte;
            assert!(Metadata::parse(&bad, 0).is_err(), "byte {at}");
        }
    }
}
