//! The kernel of arm64, which Debian ships uncompressed: an Image with a header
//! (the kernel's Documentation/arch/arm64/booting.rst).

use anyhow::{Result, bail};

const MAGIC: usize = 0x38;

/// The kernel itself, if it is one that a machine can enter directly.
///
/// # Errors
/// If it is no Image, or one that has to unpack itself first, which needs a firmware.
pub fn checked(image: &[u8]) -> Result<Vec<u8>> {
    if image.get(4..8) == Some(b"zimg") {
        bail!("it unpacks itself by EFI, and the machine has none");
    }
    if image.get(MAGIC..MAGIC + 4) != Some(b"ARM\x64") {
        bail!("not an arm64 Image");
    }
    Ok(image.to_vec())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_image_is_taken_as_it_is_and_others_are_refused() {
        let mut image = vec![0; 64];
        assert!(checked(&image).is_err() && checked(b"").is_err());
        image[MAGIC..].copy_from_slice(b"ARM\x64\0\0\0\0");
        assert_eq!(checked(&image).unwrap(), image);
        image[4..8].copy_from_slice(b"zimg");
        assert!(checked(&image).unwrap_err().to_string().contains("EFI"));
    }
}
