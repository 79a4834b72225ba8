//! What images take of the disk. A layer is the same in two images if all below it is the same: what the digests of the
//! layers up to it say.

use std::collections::HashMap;

use cove_proto::v1::Image;

/// The layers of all images.
pub(crate) struct Layers<'a> {
    /// Bytes of each, and how many images have it.
    known: HashMap<&'a [String], (u64, usize)>,
}

impl<'a> Layers<'a> {
    /// Counts the layers of these images.
    pub(crate) fn of(images: &'a [Image]) -> Self {
        let mut known: HashMap<&[String], (u64, usize)> = HashMap::new();
        for image in images {
            for (layer, bytes) in stack(image) {
                known.entry(layer).or_insert((bytes, 0)).1 += 1;
            }
        }
        Self { known }
    }

    /// Bytes of all, each counted once.
    pub(crate) fn bytes(&self) -> u64 {
        self.known.values().map(|(bytes, _)| bytes).sum()
    }

    /// Bytes of those that an image shares with another one.
    pub(crate) fn shared_bytes(&self, image: &'a Image) -> u64 {
        let shared = |layer: &[String]| self.known.get(layer).is_some_and(|(_, images)| *images > 1);
        stack(image).filter(|(layer, _)| shared(layer)).map(|(_, bytes)| bytes).sum()
    }
}

/// The layers of an image, each with all below it, and their bytes.
fn stack(image: &Image) -> impl Iterator<Item = (&[String], u64)> {
    let ids = &image.layer_diff_ids;
    image.layer_bytes.iter().enumerate().filter_map(|(top, bytes)| Some((ids.get(..=top)?, *bytes)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn image(layers: &[(&str, u64)]) -> Image {
        Image {
            layer_diff_ids: layers.iter().map(|(id, _)| (*id).to_owned()).collect(),
            layer_bytes: layers.iter().map(|(_, bytes)| *bytes).collect(),
            ..Image::default()
        }
    }

    #[test]
    fn a_layer_is_counted_once_and_shared_only_on_the_same_ground() {
        let images = [
            image(&[("a", 100), ("b", 10)]),
            image(&[("a", 100), ("c", 1)]),
            // The same layer on another ground is another one.
            image(&[("c", 1), ("b", 10)]),
        ];
        let layers = Layers::of(&images);
        assert_eq!(layers.bytes(), 100 + 10 + 1 + 1 + 10);
        assert_eq!([0, 1, 2].map(|index: usize| layers.shared_bytes(&images[index])), [100, 100, 0]);
    }
}
