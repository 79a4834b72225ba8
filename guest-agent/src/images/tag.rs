//! Gives an image one more reference.

use super::catalogue::{Change, ImageRecord};
use super::lookup::find;
use super::reference::Reference;
use super::{ImageStore, ImagesError};

impl ImageStore {
    /// Makes `reference` mean `image`; another image loses it.
    ///
    /// # Errors
    /// There is no such image, or a name is malformed.
    pub fn tag(&self, image: &str, reference: &str) -> Result<(), ImagesError> {
        let reference = parse_tag(reference)?;
        let id = find(&self.0.catalogue.read()?, image)?;
        self.0.catalogue.write(|change| {
            let record = change.image(&id)?.ok_or_else(|| ImagesError::NotFound(image.to_owned()))?;
            put_tag(change, &id, record, &reference)
        })?;
        self.tell("tag", &id, &reference.familiar());
        Ok(())
    }
}

/// A reference that an image may be given.
pub(super) fn parse_tag(reference: &str) -> Result<Reference, ImagesError> {
    let reference = Reference::parse(reference)?;
    if reference.has_digest() {
        return Err(ImagesError::TagWithDigest);
    }
    if reference.familiar_name() == "sha256" {
        return Err(ImagesError::AmbiguousTag);
    }
    Ok(reference.or_latest())
}

/// Gives the image the reference and notes when.
pub(super) fn put_tag(
    change: &Change,
    id: &str,
    mut record: ImageRecord,
    reference: &Reference,
) -> Result<(), ImagesError> {
    record.tagged_nanos = now_nanos();
    change.put_image(id, &record)?;
    Ok(change.put_reference(&reference.canonical(), id)?)
}

/// Now, in nanoseconds since 1970.
pub(super) fn now_nanos() -> i64 {
    i64::try_from(jiff::Timestamp::now().as_nanosecond()).unwrap_or_default()
}
