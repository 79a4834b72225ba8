//! Sends a layer to the host, which pushes it to a registry: the tar that it was unpacked from, put together again.

use std::io::Write;

use flate2::write::GzEncoder;

use super::digest::Digest;
use super::lookup::find;
use super::save::copy_layer;
use super::{ImageStore, ImagesError};

/// How a layer is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LayerCompression {
    /// As it is: its digest is the layer's.
    None,
    /// gzip. The same layer gives the same bytes: the header has neither a time nor a name.
    Gzip,
}

impl ImageStore {
    /// Writes the layer `diff_id` of `image` to `out`.
    ///
    /// # Errors
    /// There is no such image or layer (before anything is written); `out` fails; or the layer on the disk is damaged.
    pub fn send_layer(
        &self,
        image: &str,
        diff_id: &str,
        compression: LayerCompression,
        out: &mut impl Write,
    ) -> Result<(), ImagesError> {
        let digest = Digest::parse(diff_id).map_err(|_malformed| ImagesError::NoLayer(diff_id.to_owned()))?;
        let view = self.0.catalogue.read()?;
        let id = find(&view, image)?;
        let record = view.image(&id)?.ok_or_else(|| ImagesError::NotFound(image.to_owned()))?;
        let _kept = self.pin(record.layers.clone());
        for chain in &record.layers {
            let Some(layer) = view.layer(chain)?.filter(|layer| layer.diff_id == digest) else { continue };
            drop(view);
            return match compression {
                LayerCompression::None => copy_layer(self, out, &digest, chain, layer.tar_bytes),
                LayerCompression::Gzip => {
                    let mut gzip = GzEncoder::new(out, flate2::Compression::default());
                    copy_layer(self, &mut gzip, &digest, chain, layer.tar_bytes)?;
                    gzip.finish().map(drop).map_err(|error| ImagesError::Cancelled(error.to_string()))
                }
            };
        }
        Err(ImagesError::NoLayer(diff_id.to_owned()))
    }
}
