//! The filters of `ps`, by dockerd's rules: every key has to match, by any of its values (labels: by all).

use std::collections::HashMap;

use cove_proto::v1::{ContainerStatus, HealthStatus, StringList};
use regex_lite::Regex;

use super::{index::View, mounts, namespaces, record::Record};

/// Why a filter makes no sense.
#[derive(Debug, thiserror::Error)]
pub enum FilterError {
    /// No such key.
    #[error("invalid filter '{0}'")]
    Unknown(String),
    /// A value that the key cannot have.
    #[error("invalid filter '{key}={value}'")]
    Invalid {
        /// The key.
        key: &'static str,
        /// The value.
        value: String,
    },
    /// A time that is none.
    #[error("failed to parse value as time or duration: {0:?}")]
    Time(String),
    /// More than one time.
    #[error("more than one until filter specified")]
    TwoTimes,
    /// No such verdict of health.
    #[error(
        "invalid filter 'health={0}': invalid value for health ({0}): must be one of none, starting, healthy, unhealthy"
    )]
    Health(String),
    /// `before` or `since` a container that is not there.
    #[error("No such container: {0}")]
    NoSuchContainer(String),
}

/// What filters look up elsewhere.
pub(super) struct Lookups<'a> {
    /// When a container was created.
    pub(super) created_at: &'a dyn Fn(&str) -> Option<i64>,
    /// Id of an image.
    pub(super) image_id: &'a dyn Fn(&str) -> Option<String>,
}

/// Filters, ready to be asked.
#[derive(Debug, Default)]
pub(super) struct Filters {
    statuses: Option<Vec<Status>>,
    verdicts: Option<Vec<HealthStatus>>,
    exit_codes: Option<Vec<i32>>,
    ids: Option<Vec<Pattern>>,
    names: Option<Vec<Pattern>>,
    labels: Vec<(String, Option<String>)>,
    networks: Option<Vec<String>>,
    images: Option<Vec<String>>,
    volumes: Option<Vec<String>>,
    created_before: Option<i64>,
    created_since: Option<i64>,
    /// A filter that nothing matches: what it asks about does not exist here yet (ports).
    nothing: bool,
}

impl Filters {
    pub(super) fn parse(asked: &HashMap<String, StringList>, lookups: &Lookups<'_>) -> Result<Self, FilterError> {
        let mut filters = Self::default();
        for (key, values) in asked {
            filters.add(key, &values.values, lookups)?;
        }
        Ok(filters)
    }

    fn add(&mut self, key: &str, values: &[String], lookups: &Lookups<'_>) -> Result<(), FilterError> {
        let patterns = || values.iter().map(|value| Pattern::new(value)).collect();
        match key {
            "status" => self.statuses = Some(each(values, status)?),
            "exited" => self.exit_codes = Some(each(values, exit_code)?),
            "id" => self.ids = Some(patterns()),
            "name" => self.names = Some(patterns()),
            "label" => self.labels = values.iter().map(|value| label(value)).collect(),
            "network" => self.networks = Some(values.to_vec()),
            "ancestor" => self.images = Some(values.iter().filter_map(|value| (lookups.image_id)(value)).collect()),
            "before" => self.created_before = each(values, created(lookups))?.into_iter().min(),
            "since" => self.created_since = each(values, created(lookups))?.into_iter().max(),
            "health" => self.verdicts = Some(each(values, verdict)?),
            "is-task" => self.nothing |= each(values, is_task)?.iter().all(|is| *is),
            "volume" => self.volumes = Some(values.to_vec()),
            "publish" | "expose" => self.nothing |= !values.is_empty(),
            "isolation" => self.nothing |= !values.iter().any(|value| value.is_empty() || value == "default"),
            unknown => return Err(FilterError::Unknown(unknown.to_owned())),
        }
        Ok(())
    }

    /// Whether they ask for containers that do not run.
    pub(super) fn include_stopped(&self) -> bool {
        self.statuses.is_some()
    }

    pub(super) fn matches(&self, view: &View) -> bool {
        let record = &view.record;
        let any = |patterns: &Option<Vec<Pattern>>, texts: &[&str]| {
            patterns.as_ref().is_none_or(|patterns| patterns.iter().any(|p| texts.iter().any(|text| p.matches(text))))
        };
        !self.nothing
            && self.statuses.as_ref().is_none_or(|statuses| statuses.contains(&Status::of(view)))
            && self.verdicts.as_ref().is_none_or(|verdicts| verdicts.contains(&view.verdict()))
            && self.exit_codes.as_ref().is_none_or(|codes| has_exited_with(record, codes))
            && any(&self.ids, &[&record.id])
            && any(&self.names, &[&record.name, &format!("/{}", record.name)])
            && self.labels.iter().all(|(name, value)| {
                let found = record.spec.labels.get(name);
                found.is_some_and(|found| value.as_ref().is_none_or(|value| value == found))
            })
            && self.networks.as_ref().is_none_or(|networks| networks.iter().any(|asked| is_on(record, asked)))
            && self.images.as_ref().is_none_or(|images| images.contains(&record.image_id))
            && self.volumes.as_ref().is_none_or(|volumes| volumes.iter().any(|asked| mounts::matches(record, asked)))
            && self.created_before.is_none_or(|before| record.created_at < before)
            && self.created_since.is_none_or(|since| record.created_at > since)
    }
}

fn each<T>(values: &[String], parse: impl Fn(&str) -> Result<T, FilterError>) -> Result<Vec<T>, FilterError> {
    values.iter().map(|value| parse(value)).collect()
}

/// A state, as `ps` tells them apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Status {
    Restarting,
    Other(ContainerStatus),
}

impl Status {
    fn of(view: &View) -> Self {
        if view.is_restarting() { Self::Restarting } else { Self::Other(view.status()) }
    }
}

fn status(value: &str) -> Result<Status, FilterError> {
    let other = |status| Ok(Status::Other(status));
    match value {
        "created" => other(ContainerStatus::Created),
        "running" => other(ContainerStatus::Running),
        "paused" => other(ContainerStatus::Paused),
        "restarting" => Ok(Status::Restarting),
        "removing" => other(ContainerStatus::Removing),
        "exited" => other(ContainerStatus::Exited),
        "dead" => other(ContainerStatus::Dead),
        value => Err(FilterError::Invalid { key: "status", value: value.to_owned() }),
    }
}

fn exit_code(value: &str) -> Result<i32, FilterError> {
    value.parse().map_err(|_| FilterError::Invalid { key: "exited", value: value.to_owned() })
}

fn verdict(value: &str) -> Result<HealthStatus, FilterError> {
    match value {
        "none" => Ok(HealthStatus::Unspecified),
        "starting" => Ok(HealthStatus::Starting),
        "healthy" => Ok(HealthStatus::Healthy),
        "unhealthy" => Ok(HealthStatus::Unhealthy),
        value => Err(FilterError::Health(value.to_owned())),
    }
}

fn is_task(value: &str) -> Result<bool, FilterError> {
    match value {
        "0" | "false" | "False" => Ok(false),
        "1" | "true" | "True" => Ok(true),
        value => Err(FilterError::Invalid { key: "is-task", value: value.to_owned() }),
    }
}

fn created(lookups: &Lookups<'_>) -> impl Fn(&str) -> Result<i64, FilterError> {
    |value| (lookups.created_at)(value).ok_or_else(|| FilterError::NoSuchContainer(value.to_owned()))
}

/// "name=value", or a name alone, which any value matches.
pub(super) fn label(value: &str) -> (String, Option<String>) {
    match value.split_once('=') {
        Some((name, value)) => (name.to_owned(), Some(value.to_owned())),
        None => (value.to_owned(), None),
    }
}

fn has_exited_with(record: &Record, codes: &[i32]) -> bool {
    let state = &record.state;
    !state.is_running() && state.started_at != 0 && codes.contains(&state.exit_code)
}

fn is_on(record: &Record, asked: &str) -> bool {
    namespaces::attachments(&record.spec).iter().any(|one| one.network == asked || one.network_id == asked)
}

/// A value that is a text, or a pattern that lies in one.
#[derive(Debug)]
struct Pattern {
    text: String,
    pattern: Option<Regex>,
}

impl Pattern {
    fn new(text: &str) -> Self {
        Self { text: text.to_owned(), pattern: Regex::new(text).ok() }
    }

    fn matches(&self, text: &str) -> bool {
        self.text == text || self.pattern.as_ref().is_some_and(|pattern| pattern.is_match(text))
    }
}
