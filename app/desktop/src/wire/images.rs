//! Images.

use cove_proto::v1;
use serde::Serialize;

use super::time;

/// `Image` of bridge.ts.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Image {
    id: String,
    tags: Vec<String>,
    created_at: Option<String>,
    os: String,
    arch: String,
    variant: String,
    size_bytes: u64,
    layer_bytes: Vec<u64>,
    containers: u32,
}

impl From<v1::Image> for Image {
    fn from(image: v1::Image) -> Self {
        Self {
            id: image.id,
            tags: image.tags,
            created_at: time(image.created_at),
            os: image.os,
            arch: image.arch,
            variant: image.variant,
            size_bytes: image.size_bytes,
            layer_bytes: image.layer_bytes,
            containers: image.containers,
        }
    }
}
