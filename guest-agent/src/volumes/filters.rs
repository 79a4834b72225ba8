//! The filters of lists and prunes, by dockerd's rules: every key has to match, by any of its values (labels: by all).

use std::collections::HashMap;

use cove_proto::v1::StringList;
use regex_lite::Regex;

use super::{DRIVER, VolumeInfo};

/// Keys of a list.
pub(super) const LIST: &[&str] = &["dangling", "driver", "label", "name"];
/// Keys of a prune.
pub(super) const PRUNE: &[&str] = &["all", "label", "label!"];

/// Why a filter makes no sense.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum FilterError {
    /// No such key.
    #[error("invalid filter '{0}'")]
    Unknown(String),
    /// Neither true nor false, or both.
    #[error("invalid filter '{key}=[{}]'", .values.join(" "))]
    Invalid {
        /// The key.
        key: &'static str,
        /// The values.
        values: Vec<String>,
    },
}

/// Filters, ready to be asked.
#[derive(Debug, Default)]
pub(super) struct Filters {
    dangling: Option<bool>,
    driver: Option<bool>,
    names: Option<Vec<(String, Option<Regex>)>>,
    labels: Vec<Label>,
    not_labels: Vec<Label>,
    all: bool,
}

type Label = (String, Option<String>);

impl Filters {
    pub(super) fn parse(asked: &HashMap<String, StringList>, known: &[&str]) -> Result<Self, FilterError> {
        let mut filters = Self::default();
        for (key, StringList { values }) in asked {
            match key.as_str() {
                unknown if !known.contains(&unknown) => return Err(FilterError::Unknown(unknown.to_owned())),
                // A key without values asks for nothing.
                _ if values.is_empty() => {}
                "dangling" => filters.dangling = Some(flag("dangling", values)?),
                "all" => filters.all = flag("all", values)?,
                "driver" => filters.driver = Some(values.iter().any(|value| value == DRIVER)),
                "label" => filters.labels = values.iter().map(|value| label(value)).collect(),
                "label!" => filters.not_labels = values.iter().map(|value| label(value)).collect(),
                _ => filters.names = Some(values.iter().map(|v| (v.clone(), Regex::new(v).ok())).collect()),
            }
        }
        Ok(filters)
    }

    /// Whether volumes with a name are to be pruned as well.
    pub(super) fn all(&self) -> bool {
        self.all
    }

    pub(super) fn matches(&self, volume: &VolumeInfo) -> bool {
        let name = &volume.record.name;
        let has = |(key, value): &Label| {
            let found = volume.record.labels.get(key);
            found.is_some_and(|found| value.as_ref().is_none_or(|value| value == found))
        };
        let named = |(text, pattern): &(String, Option<Regex>)| {
            text == name || pattern.as_ref().is_some_and(|pattern| pattern.is_match(name))
        };
        self.driver != Some(false)
            && self.dangling.is_none_or(|dangling| dangling == (volume.containers == 0))
            && self.names.as_ref().is_none_or(|names| names.iter().any(named))
            && self.labels.iter().all(has)
            && (self.not_labels.is_empty() || !self.not_labels.iter().all(has))
    }
}

fn flag(key: &'static str, values: &[String]) -> Result<bool, FilterError> {
    let invalid = || FilterError::Invalid { key, values: values.to_vec() };
    match values {
        [value] if matches!(value.as_str(), "1" | "true") => Ok(true),
        [value] if matches!(value.as_str(), "0" | "false") => Ok(false),
        _ => Err(invalid()),
    }
}

fn label(value: &str) -> Label {
    match value.split_once('=') {
        Some((name, value)) => (name.to_owned(), Some(value.to_owned())),
        None => (value.to_owned(), None),
    }
}
