//! Which events somebody wants, by dockerd's rules: every key has to match, by any of its values (labels: by all).

use std::collections::HashMap;

use cove_proto::v1::StringList;

use super::{Event, Kind};

/// All events are of this engine.
const SCOPE: &str = "local";

/// Actions that say more behind a colon; who asks for one of these gets all that begin so.
const WITH_DETAILS: [&str; 3] = ["health_status", "exec_create", "exec_start"];

/// Kinds of things of dockerd's that nothing ever happens to here; who asks for one of them sees nothing.
const WITHOUT_EVENTS: [&str; 6] = ["config", "daemon", "node", "plugin", "secret", "service"];

/// Why a filter makes no sense.
#[derive(Debug, thiserror::Error)]
pub enum FilterError {
    /// No such key.
    #[error("invalid filter '{0}'")]
    Unknown(String),
}

/// Which events somebody wants; by default all.
#[derive(Debug, Clone, Default)]
pub struct Filter(HashMap<String, Vec<String>>);

impl Filter {
    /// Reads the filters of a request.
    ///
    /// # Errors
    /// If a key is unknown.
    pub fn parse(asked: HashMap<String, StringList>) -> Result<Self, FilterError> {
        const KEYS: [&str; 8] = ["container", "event", "image", "label", "network", "scope", "type", "volume"];
        let known = |key: &str| KEYS.contains(&key) || WITHOUT_EVENTS.contains(&key);
        if let Some(unknown) = asked.keys().find(|key| !known(key)) {
            return Err(FilterError::Unknown(unknown.clone()));
        }
        let values = asked.into_iter().map(|(key, list)| (key, list.values));
        Ok(Self(values.filter(|(_, values)| !values.is_empty()).collect()))
    }

    pub(super) fn matches(&self, event: &Event) -> bool {
        self.event(event)
            && self.exactly("type", &[event.kind.word()])
            && self.exactly("scope", &[SCOPE])
            && self.image(event)
            && self.labels(event)
            && self.named(Kind::Container, event)
            && self.named(Kind::Volume, event)
            && self.named(Kind::Network, event)
            && WITHOUT_EVENTS.iter().all(|kind| self.values(kind).is_none())
    }

    fn values(&self, key: &str) -> Option<&[String]> {
        self.0.get(key).map(Vec::as_slice)
    }

    fn exactly(&self, key: &str, texts: &[&str]) -> bool {
        self.values(key).is_none_or(|values| values.iter().any(|value| texts.contains(&value.as_str())))
    }

    fn event(&self, event: &Event) -> bool {
        let Some(values) = self.values("event") else { return true };
        if values.iter().any(|value| WITH_DETAILS.contains(&value.as_str())) {
            return values.iter().any(|value| event.action.starts_with(value.as_str()));
        }
        values.contains(&event.action)
    }

    /// By the beginning of an id or of a name. Other kinds of things are then not wanted.
    fn named(&self, kind: Kind, event: &Event) -> bool {
        let Some(values) = self.values(kind.word()) else { return true };
        let name = event.attributes.get("name").map_or("", String::as_str);
        kind == event.kind
            && values.iter().any(|value| event.id.starts_with(value.as_str()) || name.starts_with(value.as_str()))
    }

    /// By an image's id or name, with or without its tag: of the image itself and of its containers.
    fn image(&self, event: &Event) -> bool {
        let attribute = if event.kind == Kind::Image { "name" } else { "image" };
        let name = event.attributes.get(attribute).map_or("", String::as_str);
        self.exactly("image", &[&event.id, name, without_tag(&event.id), without_tag(name)])
    }

    fn labels(&self, event: &Event) -> bool {
        let has = |value: &String| {
            let (name, wanted) = value.split_once('=').map_or((value.as_str(), None), |(n, v)| (n, Some(v)));
            event.attributes.get(name).is_some_and(|found| wanted.is_none_or(|wanted| wanted == found))
        };
        self.values("label").is_none_or(|values| values.iter().all(has))
    }
}

/// "host:5000/a:1" is "host:5000/a" without its tag.
fn without_tag(name: &str) -> &str {
    let name = name.split_once('@').map_or(name, |(name, _)| name);
    match name.rsplit_once(':') {
        Some((repository, tag)) if !tag.contains('/') => repository,
        _ => name,
    }
}
