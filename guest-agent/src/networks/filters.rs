//! The filters of a list of networks, dockerd's.

use std::collections::HashMap;

use cove_proto::v1::StringList;

use super::{Seen, error::FilterError};

/// Filters that make sense.
#[derive(Debug, Default)]
pub(super) struct Filters {
    drivers: Option<Vec<String>>,
    ids: Option<Vec<String>>,
    names: Option<Vec<String>>,
    scopes: Option<Vec<String>>,
    /// Of "builtin" and "custom".
    types: Option<Vec<String>>,
    /// Whether there is anything that nobody has: a label.
    labels: bool,
    dangling: Option<bool>,
}

impl Filters {
    pub(super) fn parse(filters: &HashMap<String, StringList>) -> Result<Self, FilterError> {
        let mut parsed = Self::default();
        for (key, StringList { values }) in filters.iter().filter(|(_, list)| !list.values.is_empty()) {
            let values = values.clone();
            match key.as_str() {
                "driver" => parsed.drivers = Some(values),
                "id" => parsed.ids = Some(values),
                "name" => parsed.names = Some(values),
                "scope" => parsed.scopes = Some(values),
                "label" => parsed.labels = true,
                "type" => parsed.types = Some(types(values)?),
                "dangling" => parsed.dangling = Some(dangling(&values)?),
                _ => return Err(FilterError::Key(key.clone())),
            }
        }
        Ok(parsed)
    }

    pub(super) fn matches(&self, seen: &Seen) -> bool {
        let any = |asked: &Option<Vec<String>>, is: &dyn Fn(&str) -> bool| {
            asked.as_ref().is_none_or(|asked| asked.iter().any(|value| is(value)))
        };
        any(&self.drivers, &|value| value == seen.network.driver())
            && any(&self.ids, &|value| seen.facts.id.starts_with(value))
            && any(&self.names, &|value| seen.network.name().contains(value))
            && any(&self.scopes, &|value| value == "local")
            && any(&self.types, &|value| value == "builtin")
            && !self.labels
            // As in dockerd, what is built in is never left over.
            && self.dangling != Some(true)
    }
}

fn types(values: Vec<String>) -> Result<Vec<String>, FilterError> {
    match values.iter().find(|value| !["builtin", "custom"].contains(&value.as_str())) {
        Some(value) => Err(FilterError::Value { key: "type", value: value.clone() }),
        None => Ok(values),
    }
}

fn dangling(values: &[String]) -> Result<bool, FilterError> {
    match values.first().map_or("", String::as_str) {
        "1" | "t" | "T" | "true" | "TRUE" | "True" => Ok(true),
        "0" | "f" | "F" | "false" | "FALSE" | "False" => Ok(false),
        value => Err(FilterError::Value { key: "dangling", value: value.to_owned() }),
    }
}
