//! Lists images and applies dockerd's filters.

use std::collections::{BTreeMap, BTreeSet};

use super::lookup::{ImageSummary, find, summary};
use super::pattern;
use super::reference::Reference;
use super::remove::children;
use super::{ImageStore, ImagesError};

/// Filters as they came: the values of each key.
pub type Filters = BTreeMap<String, Vec<String>>;

/// Filters, read.
#[derive(Default)]
struct Wanted {
    created_before: Option<i64>,
    created_after: Option<i64>,
    dangling: Option<bool>,
    labels: Vec<String>,
    without_labels: Vec<String>,
    references: Vec<String>,
}

impl ImageStore {
    /// Lists images, the newest first. Keys: `before dangling label label! reference since until`; all keys must match,
    /// and all labels; of the other values any.
    ///
    /// # Errors
    /// An unknown filter or value, or `before` or `since` name no image.
    pub fn list(&self, filters: &Filters) -> Result<Vec<ImageSummary>, ImagesError> {
        let wanted = self.read_filters(filters)?;
        let view = self.0.catalogue.read()?;
        let (references, holds) = (view.references()?, view.holds()?);
        let parents: BTreeSet<String> = children(&view)?.into_iter().map(|(_, parent)| parent).collect();
        let mut images = Vec::new();
        for (id, _) in view.images()? {
            let containers = holds.iter().filter(|(_, hold)| hold.image == id).count();
            if let Some(image) = summary(&view, &id, &references, containers)?
                && let Some(image) = wanted.apply(image, parents.contains(&id))?
            {
                images.push(image);
            }
        }
        images.sort_by(|a, b| b.created_nanos.cmp(&a.created_nanos).then_with(|| a.id.cmp(&b.id)));
        Ok(images)
    }

    fn read_filters(&self, filters: &Filters) -> Result<Wanted, ImagesError> {
        let mut wanted = Wanted::default();
        for (key, values) in filters {
            match key.as_str() {
                "before" => {
                    for value in values {
                        wanted.before(self.created_of(value)?);
                    }
                }
                "since" => {
                    for value in values {
                        let created = self.created_of(value)?;
                        wanted.created_after = Some(wanted.created_after.map_or(created, |after| after.max(created)));
                    }
                }
                "until" => match values.as_slice() {
                    [] => {}
                    [value] => wanted.before(until(value)?),
                    _ => return Err(ImagesError::RepeatedUntil),
                },
                "dangling" => wanted.dangling = boolean(key, values)?,
                "label" => wanted.labels.clone_from(values),
                "label!" => wanted.without_labels.clone_from(values),
                "reference" => wanted.references.clone_from(values),
                _ => return Err(ImagesError::UnknownFilter(key.clone())),
            }
        }
        Ok(wanted)
    }

    fn created_of(&self, image: &str) -> Result<i64, ImagesError> {
        let view = self.0.catalogue.read()?;
        let id = find(&view, image)?;
        view.image(&id)?.map(|record| record.created_nanos).ok_or_else(|| ImagesError::NotFound(image.to_owned()))
    }
}

impl Wanted {
    fn before(&mut self, nanos: i64) {
        self.created_before = Some(self.created_before.map_or(nanos, |before| before.min(nanos)));
    }

    /// The image as the list shows it, if it does: a filter by reference leaves only the references that match. What
    /// dangles has no tag, as in dockerd, and no other image was made on it; it may be known by a digest, which also what
    /// does not dangle may be.
    fn apply(&self, mut image: ImageSummary, is_parent: bool) -> Result<Option<ImageSummary>, ImagesError> {
        let in_time = self.created_before.is_none_or(|before| image.created_nanos < before)
            && self.created_after.is_none_or(|after| image.created_nanos > after);
        let labels = &image.config.labels;
        let has = |wanted: &String| match wanted.split_once('=') {
            Some((key, value)) => labels.get(key).is_some_and(|have| have == value),
            None => labels.contains_key(wanted),
        };
        let labelled = self.labels.iter().all(has) && !self.without_labels.iter().any(has);
        let fits = match self.dangling {
            None => true,
            Some(true) => image.tags.is_empty() && !is_parent,
            Some(false) => !is_dangling(&image),
        };
        if !(in_time && labelled && fits) {
            return Ok(None);
        }
        if !self.references.is_empty() {
            image.tags = self.matching(image.tags)?;
            image.digests = self.matching(image.digests)?;
            if image.tags.is_empty() && image.digests.is_empty() {
                return Ok(None);
            }
        }
        Ok(Some(image))
    }

    fn matching(&self, references: Vec<String>) -> Result<Vec<String>, ImagesError> {
        let mut matching = Vec::new();
        for reference in references {
            let name = Reference::parse(&reference)?.familiar_name();
            for pattern in &self.references {
                let fits = |text| pattern::matches(pattern, text).ok_or(ImagesError::Pattern);
                if fits(&reference)? || fits(&name)? {
                    matching.push(reference);
                    break;
                }
            }
        }
        Ok(matching)
    }
}

/// Whether nothing names it.
pub(super) fn is_dangling(image: &ImageSummary) -> bool {
    image.tags.is_empty() && image.digests.is_empty()
}

/// Go's booleans, as dockerd reads them in filters.
pub(super) fn boolean(key: &str, values: &[String]) -> Result<Option<bool>, ImagesError> {
    let Some(value) = values.first() else { return Ok(None) };
    match value.as_str() {
        "1" | "t" | "true" | "T" | "True" | "TRUE" => Ok(Some(true)),
        "0" | "f" | "false" | "F" | "False" | "FALSE" => Ok(Some(false)),
        _ => Err(ImagesError::FilterValue { key: key.to_owned(), value: value.clone() }),
    }
}

/// A time: seconds since 1970, RFC 3339, a date (UTC), or a duration ("10m", "1h30m") before now.
fn until(value: &str) -> Result<i64, ImagesError> {
    let nanos = if let Ok(seconds) = value.parse::<i64>() {
        Some(i128::from(seconds) * 1_000_000_000)
    } else if let Ok(time) = value.parse::<jiff::Timestamp>() {
        Some(time.as_nanosecond())
    } else if let Ok(time) = value.parse::<jiff::civil::DateTime>() {
        jiff::tz::Offset::UTC.to_timestamp(time).ok().map(jiff::Timestamp::as_nanosecond)
    } else {
        value.parse::<jiff::SignedDuration>().ok().map(|ago| jiff::Timestamp::now().as_nanosecond() - ago.as_nanos())
    };
    nanos
        .and_then(|nanos| i64::try_from(nanos).ok())
        .ok_or_else(|| ImagesError::FilterValue { key: "until".to_owned(), value: value.to_owned() })
}
