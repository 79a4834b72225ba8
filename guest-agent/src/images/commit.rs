//! Makes an image of a container: its image's layers, and one more of what the container changed.

use std::io::Read;

use serde_json::{Map, Value, json};

use super::changes::apply_to;
use super::digest::Digest;
use super::load::{Installation, NewImage, build_layer};
use super::tag::parse_tag;
use super::{ImageStore, ImagesError};

/// What to make.
#[derive(Debug, Clone, Default)]
pub struct CommitRequest {
    /// The container, which holds its image.
    pub container: String,
    /// The configuration of an image whose containers are like it.
    pub container_config: Map<String, Value>,
    /// Members that rule over it.
    pub config: Option<Map<String, Value>>,
    /// Dockerfile instructions that change the configuration.
    pub changes: Vec<String>,
    /// Reference to give it; none when empty.
    pub reference: String,
    /// Who made it.
    pub author: String,
    /// Comment in its history.
    pub message: String,
}

impl ImageStore {
    /// Makes an image of the tar of a container's changes; without one it is the image as it was, but for its
    /// configuration. Returns its id.
    ///
    /// # Errors
    /// The request or the tar is malformed, or the disk is full. Nothing is kept then.
    pub fn commit(
        &self,
        request: &CommitRequest,
        changes: Option<Box<dyn Read + Send>>,
    ) -> Result<String, ImagesError> {
        let references = match request.reference.as_str() {
            "" => Vec::new(),
            reference => vec![parse_tag(reference)?],
        };
        let config = configuration(request)?;
        let hold = self.0.catalogue.read()?.hold(&request.container)?;
        let hold = hold.ok_or_else(|| ImagesError::NotFound(format!("of container {}", request.container)))?;
        let layer = changes.map(|tar| build_layer(self, tar, None, 0)).transpose()?;
        let diff_id = layer.as_ref().map(|layer| layer.diff_id().clone());
        let document = document(&hold.config, config, request, diff_id.as_ref())?.to_string();
        let id = Digest::of(document.as_bytes()).to_string();
        let parent = (hold.image != id).then_some(hold.image);
        let image = NewImage { config: document.into_bytes(), references: references.clone(), origin: None, parent };
        let mut installation = Installation::new(self);
        installation.add_top(layer, image)?;
        installation.commit(None)?;
        self.tell("create", &id, &id);
        references.iter().for_each(|reference| self.tell("tag", &id, &reference.familiar()));
        Ok(id)
    }
}

/// The container's configuration with the changes; members that the client says rule, as in moby's `CreateImageFromContainer`.
fn configuration(request: &CommitRequest) -> Result<Map<String, Value>, ImagesError> {
    let container = &request.container_config;
    match &request.config {
        None => apply_to(container.clone(), &request.changes),
        Some(config) => Ok(merge(apply_to(config.clone(), &request.changes)?, container)),
    }
}

/// moby's `merge`: what the first does not say is the other's, and of what both list, what only the other has comes after.
fn merge(mut config: Map<String, Value>, other: &Map<String, Value>) -> Map<String, Value> {
    let is_unset = |value: Option<&Value>| match value {
        None | Some(Value::Null) => true,
        Some(Value::String(text)) => text.is_empty(),
        Some(Value::Array(list)) => list.is_empty(),
        Some(Value::Object(members)) => members.is_empty(),
        Some(_) => false,
    };
    let own_entrypoint = !is_unset(config.get("Entrypoint"));
    for (name, value) in other {
        match (name.as_str(), config.get_mut(name)) {
            ("Env", Some(Value::Array(own))) => merge_env(own, value),
            ("Labels" | "Volumes" | "ExposedPorts", Some(Value::Object(own))) => {
                for (key, value) in value.as_object().into_iter().flatten() {
                    own.entry(key.clone()).or_insert_with(|| value.clone());
                }
            }
            // An entrypoint of its own takes the other's command away.
            ("Cmd", _) if own_entrypoint => {}
            (_, own) if is_unset(own.as_deref()) => {
                config.insert(name.clone(), value.clone());
            }
            _ => {}
        }
    }
    config
}

fn merge_env(own: &mut Vec<Value>, other: &Value) {
    let key = |entry: &Value| entry.as_str().map(|text| text.split('=').next().unwrap_or(text).to_owned());
    let known: Vec<_> = own.iter().map(key).collect();
    let new = other.as_array().into_iter().flatten().filter(|entry| !known.contains(&key(entry)));
    own.extend(new.cloned());
}

/// The configuration document: the image's, with the new configuration and one more layer and line of history.
fn document(
    base: &[u8],
    config: Map<String, Value>,
    request: &CommitRequest,
    diff_id: Option<&Digest>,
) -> Result<Value, ImagesError> {
    let wrong = |source| ImagesError::Document { document: "image configuration".to_owned(), source };
    let base: Value = serde_json::from_slice(base).map_err(wrong)?;
    let now = jiff::Timestamp::now().to_string();
    let words = |member: &str| {
        let list = request.container_config.get(member).and_then(Value::as_array).cloned().unwrap_or_default();
        list.iter().filter_map(Value::as_str).map(str::to_owned).collect::<Vec<_>>()
    };
    let mut line = Map::new();
    line.insert("created".to_owned(), json!(now));
    line.insert("created_by".to_owned(), json!(words("Cmd").join(" ")));
    for (name, value) in [("author", &request.author), ("comment", &request.message)] {
        if !value.is_empty() {
            line.insert(name.to_owned(), json!(value));
        }
    }
    if diff_id.is_none() {
        line.insert("empty_layer".to_owned(), json!(true));
    }
    let mut history = base["history"].as_array().cloned().unwrap_or_default();
    history.push(Value::Object(line));
    let mut diff_ids = base["rootfs"]["diff_ids"].as_array().cloned().unwrap_or_default();
    diff_ids.extend(diff_id.map(|diff_id| json!(diff_id.to_string())));

    let mut document = Map::new();
    for name in ["architecture", "variant"] {
        if let Some(value) = base.get(name) {
            document.insert(name.to_owned(), value.clone());
        }
    }
    for (name, value) in [("author", &request.author), ("comment", &request.message)] {
        if !value.is_empty() {
            document.insert(name.to_owned(), json!(value));
        }
    }
    document.insert("config".to_owned(), Value::Object(config));
    document.insert("container".to_owned(), json!(request.container));
    document.insert("created".to_owned(), json!(now));
    document.insert("history".to_owned(), Value::Array(history));
    document.insert("os".to_owned(), json!("linux"));
    document.insert("rootfs".to_owned(), json!({ "type": "layers", "diff_ids": diff_ids }));
    Ok(Value::Object(document))
}

#[cfg(test)]
mod tests {
    use std::io;

    use super::*;
    use crate::images::archives::{TarEntry, TestImage, TestStore, docker_archive, tar};

    fn request(test: &TestStore, change: impl FnOnce(&mut CommitRequest)) -> CommitRequest {
        test.store.hold("x", "c0ffee").unwrap();
        let container =
            json!({ "Cmd": ["sh", "-c", "x"], "Env": ["PATH=/bin", "A=1"], "Labels": { "l": "1" }, "User": "u" });
        let Value::Object(container_config) = container else { unreachable!() };
        let mut request = CommitRequest { container: "c0ffee".into(), container_config, ..Default::default() };
        change(&mut request);
        request
    }

    fn store() -> TestStore {
        let test = TestStore::new();
        let image = TestImage::new(&["x:latest"], &[tar(&[TarEntry::file("below", "1")])]);
        test.store.load(docker_archive(&[image]).as_slice()).unwrap();
        test
    }

    fn committed(test: &TestStore, request: &CommitRequest) -> (String, Value) {
        let changes = tar(&[TarEntry::file("above", "2"), TarEntry::whiteout(".wh.below")]);
        let id = test.store.commit(request, Some(Box::new(io::Cursor::new(changes)))).unwrap();
        let document = serde_json::from_slice(&test.store.resolve(&id).unwrap().config_json).unwrap();
        (id, document)
    }

    #[test]
    fn a_container_becomes_an_image_with_one_more_layer() {
        let test = store();
        let request = request(&test, |request| {
            (request.reference, request.author, request.message) = ("y:1".into(), "me".into(), "why".into());
            request.changes = vec!["ENV B=2".into(), "CMD [\"run\"]".into()];
        });
        let (id, document) = committed(&test, &request);
        assert_eq!(test.store.resolve("y:1").unwrap().id, id);
        assert_eq!(test.store.resolve("y:1").unwrap().layer_bytes, [1, 1]);
        assert_eq!(document["config"]["Env"], json!(["PATH=/bin", "A=1", "B=2"]));
        assert_eq!(document["config"]["Cmd"], json!(["run"]));
        assert_eq!(document["config"]["Labels"], json!({ "l": "1" }));
        assert_eq!((&document["author"], &document["comment"]), (&json!("me"), &json!("why")));
        let line = document["history"].as_array().unwrap().last().unwrap();
        assert_eq!((&line["created_by"], &line["comment"]), (&json!("sh -c x"), &json!("why")));
        // It lives on without the image and the container that it was made from.
        test.store.release("c0ffee").unwrap();
        test.store.remove("x", false).unwrap();
        assert_eq!(test.reopen().store.resolve("y:1").unwrap().layer_bytes.len(), 2);
    }

    #[test]
    fn what_the_client_says_of_the_configuration_rules() {
        let test = store();
        let request = request(&test, |request| {
            let config = json!({ "Env": ["A=9"], "Labels": { "m": "2" }, "Entrypoint": ["/e"], "User": "" });
            request.config = config.as_object().cloned();
            request.changes = vec!["EXPOSE 80".into()];
        });
        let (_, document) = committed(&test, &request);
        assert_eq!(document["config"]["Env"], json!(["A=9", "PATH=/bin"]));
        assert_eq!(document["config"]["Labels"], json!({ "m": "2", "l": "1" }));
        assert_eq!(document["config"]["User"], "u");
        assert_eq!(document["config"]["Cmd"], Value::Null);
        assert_eq!(document["config"]["ExposedPorts"], json!({ "80/tcp": {} }));
    }

    #[test]
    fn nothing_changed_is_no_layer() {
        let test = store();
        let request = request(&test, |request| request.message = "same".into());
        let id = test.store.commit(&request, None).unwrap();
        let image = test.store.resolve(&id).unwrap();
        assert_eq!(image.layer_bytes.len(), 1);
        let document: Value = serde_json::from_slice(&image.config_json).unwrap();
        assert_eq!(document["history"][0]["empty_layer"], true);
    }

    #[test]
    fn a_bad_request_leaves_nothing() {
        let test = store();
        let before = test.on_disk();
        for change in [
            |request: &mut CommitRequest| request.reference = "Bad".into(),
            |request: &mut CommitRequest| request.changes = vec!["RUN x".into()],
            |request: &mut CommitRequest| request.container = "none".into(),
        ] {
            let request = request(&test, change);
            test.store.commit(&request, Some(Box::new(io::Cursor::new(tar(&[]))))).unwrap_err();
        }
        let request = request(&test, |_| ());
        test.store.commit(&request, Some(Box::new(io::Cursor::new(vec![7; 600])))).unwrap_err();
        assert_eq!(test.on_disk(), before);
    }
}
