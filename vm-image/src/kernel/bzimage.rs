//! The compressed kernel of x86: a boot sector with a header that says where the payload is
//! (the kernel's Documentation/arch/x86/boot.rst), and the payload, vmlinux compressed.

use std::io::Read;

use anyhow::{Context, Result, bail};
use lzma_rust2::XzReader;
use ruzstd::decoding::StreamingDecoder;

const SETUP_SECTS: usize = 0x1f1;
const MAGIC: usize = 0x202;
const VERSION: usize = 0x206;
const PAYLOAD_OFFSET: usize = 0x248;
const PAYLOAD_LENGTH: usize = 0x24c;

/// Takes the uncompressed ELF image out of a bzImage.
///
/// # Errors
/// If it is no bzImage, or its compression is not known here, or what comes out is no ELF file.
pub fn vmlinux(image: &[u8]) -> Result<Vec<u8>> {
    let mut payload = payload(image)?;
    let mut vmlinux = Vec::new();
    if payload.starts_with(b"\x28\xb5\x2f\xfd") {
        // The size of what comes out follows the one frame.
        StreamingDecoder::new(&mut payload)?.read_to_end(&mut vmlinux).context("broken zstd")?;
    } else if payload.starts_with(b"\xfd7zXZ\0") {
        XzReader::new(payload, false).read_to_end(&mut vmlinux).context("broken xz")?;
    } else {
        bail!("compressed in a way that is not known here: {:02x?}", payload.get(..6).unwrap_or(payload));
    }
    if !vmlinux.starts_with(b"\x7fELF") {
        bail!("what is compressed in it is no ELF file");
    }
    Ok(vmlinux)
}

fn payload(image: &[u8]) -> Result<&[u8]> {
    if image.get(MAGIC..MAGIC + 4) != Some(b"HdrS") {
        bail!("not a bzImage");
    }
    // 2.08 introduced the payload's fields.
    let version = image.get(VERSION..VERSION + 2).and_then(|b| b.try_into().ok()).map(u16::from_le_bytes);
    if version.is_none_or(|version| version < 0x208) {
        bail!("a bzImage of an old protocol");
    }
    let setup_sectors = match image.get(SETUP_SECTS) {
        // Older than the field itself.
        Some(0) | None => 4,
        Some(&sectors) => usize::from(sectors),
    };
    let start = (setup_sectors + 1) * 512 + field(image, PAYLOAD_OFFSET)?;
    image.get(start..).and_then(|rest| rest.get(..field(image, PAYLOAD_LENGTH).ok()?)).context("its payload is cut off")
}

fn field(image: &[u8], offset: usize) -> Result<usize> {
    let bytes = image.get(offset..offset + 4).and_then(|b| b.try_into().ok()).context("its header is cut off")?;
    usize::try_from(u32::from_le_bytes(bytes)).context("its payload is too large")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A bzImage of one setup sector, with its payload 16 bytes into the protected-mode code.
    fn image(payload: &[u8]) -> Vec<u8> {
        let mut image = vec![0; 1024 + 16];
        image[SETUP_SECTS] = 1;
        image[MAGIC..MAGIC + 4].copy_from_slice(b"HdrS");
        image[VERSION..VERSION + 2].copy_from_slice(&0x20f_u16.to_le_bytes());
        image[PAYLOAD_OFFSET..PAYLOAD_OFFSET + 4].copy_from_slice(&16_u32.to_le_bytes());
        image[PAYLOAD_LENGTH..PAYLOAD_LENGTH + 4].copy_from_slice(&(payload.len() as u32).to_le_bytes());
        image.extend_from_slice(payload);
        image.extend_from_slice(b"what follows the payload");
        image
    }

    /// A zstd frame with one raw block.
    fn zstd(data: &[u8]) -> Vec<u8> {
        let mut frame = vec![0x28, 0xb5, 0x2f, 0xfd, 0x20, data.len() as u8];
        let block = (data.len() as u32) << 3 | 1;
        frame.extend_from_slice(&block.to_le_bytes()[..3]);
        frame.extend_from_slice(data);
        frame
    }

    #[test]
    fn a_zstd_payload_is_taken_out_with_its_size_behind_it() {
        let mut payload = zstd(b"\x7fELF and so on");
        payload.extend_from_slice(&14_u32.to_le_bytes());
        assert_eq!(vmlinux(&image(&payload)).unwrap(), b"\x7fELF and so on");
    }

    #[test]
    fn other_payloads_are_refused() {
        let refused = |payload: &[u8]| vmlinux(&image(payload)).unwrap_err().to_string();
        assert!(refused(b"\x1f\x8bgzip").starts_with("compressed in a way that is not known here: [1f, 8b"));
        assert_eq!(refused(&zstd(b"MZ")), "what is compressed in it is no ELF file");
        assert_eq!(refused(&zstd(b"\x7fELF and so on")[..12]), "broken zstd");
    }

    #[test]
    fn what_is_no_bzimage_or_only_a_part_of_one_is_an_error() {
        let whole = image(&zstd(b"\x7fELF"));
        assert_eq!(vmlinux(b"\x7fELF").unwrap_err().to_string(), "not a bzImage");
        for length in [0x204, 0x207, 0x24a, 1024, 1045] {
            assert!(vmlinux(&whole[..length]).is_err(), "{length} bytes");
        }
        let mut old = whole;
        old[VERSION] = 0;
        assert_eq!(vmlinux(&old).unwrap_err().to_string(), "a bzImage of an old protocol");
    }
}
