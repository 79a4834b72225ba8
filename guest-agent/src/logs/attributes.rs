//! What a log's options want said with each line (`docker logs --details`): labels, environment variables and a tag.

use std::collections::BTreeMap;

use cove_proto::v1::LogConfig;
use regex_lite::Regex;

use super::options::LogOptionError;

/// A container, as far as attributes speak of it.
#[derive(Debug, Clone, Copy)]
pub struct Told<'a> {
    /// Its id.
    pub id: &'a str,
    /// Its name.
    pub name: &'a str,
    /// Its image, as its creator wrote it.
    pub image: &'a str,
    /// Id of its image.
    pub image_id: &'a str,
    /// Its environment.
    pub env: &'a [String],
    /// Its labels.
    pub labels: &'a std::collections::HashMap<String, String>,
}

/// The attributes of each line.
///
/// # Errors
/// If a pattern or the tag makes no sense.
pub fn attributes(config: Option<&LogConfig>, of: Told<'_>) -> Result<BTreeMap<String, String>, LogOptionError> {
    let mut found = BTreeMap::new();
    let Some(config) = config else { return Ok(found) };
    let option = |name: &str| config.options.get(name).map(String::as_str).filter(|value| !value.is_empty());
    let labels = || of.labels.iter().map(|(name, value)| (name.as_str(), value.as_str()));
    let env = || of.env.iter().filter_map(|entry| entry.split_once('='));
    choose(&mut found, option("labels"), option("labels-regex"), labels)?;
    choose(&mut found, option("env"), option("env-regex"), env)?;
    if let Some(template) = option("tag") {
        found.insert("tag".to_owned(), tag(template, of)?);
    }
    Ok(found)
}

/// Takes those that are listed, and those whose names a pattern finds.
fn choose<'a, I: Iterator<Item = (&'a str, &'a str)>>(
    found: &mut BTreeMap<String, String>,
    listed: Option<&str>,
    pattern: Option<&str>,
    all: impl Fn() -> I,
) -> Result<(), LogOptionError> {
    let pattern = pattern.map(Regex::new).transpose().map_err(|error| LogOptionError::Value(error.to_string()))?;
    let listed: Vec<&str> = listed.map(|listed| listed.split(',').collect()).unwrap_or_default();
    let wanted = |name: &str| listed.contains(&name) || pattern.as_ref().is_some_and(|pattern| pattern.is_match(name));
    found.extend(all().filter(|(name, _)| wanted(name)).map(|(name, value)| (name.to_owned(), value.to_owned())));
    Ok(())
}

/// Fills in a template: "{{.Name}}/{{.ID}}".
fn tag(template: &str, of: Told<'_>) -> Result<String, LogOptionError> {
    let short = |id: &str| id.strip_prefix("sha256:").unwrap_or(id).chars().take(12).collect::<String>();
    let mut text = String::new();
    let mut rest = template;
    while let Some((before, after)) = rest.split_once("{{") {
        let (field, behind) = after
            .split_once("}}")
            .ok_or_else(|| LogOptionError::Value(format!("the log opt tag {template:?} has a {{{{ without a }}}}")))?;
        text.push_str(before);
        text.push_str(&match field.trim() {
            ".ID" => short(of.id),
            ".FullID" => of.id.to_owned(),
            ".Name" => of.name.to_owned(),
            ".ImageID" => short(of.image_id),
            ".ImageFullID" => of.image_id.to_owned(),
            ".ImageName" => of.image.to_owned(),
            ".DaemonName" => "docker".to_owned(),
            other => {
                return Err(LogOptionError::Value(format!(
                    "the log opt tag cannot say {{{{{other}}}}}; it knows .ID, .FullID, .Name, .ImageID, .ImageFullID, \
                     .ImageName and .DaemonName"
                )));
            }
        });
        rest = behind;
    }
    text.push_str(rest);
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(options: &[(&str, &str)]) -> Result<Vec<(String, String)>, String> {
        let options = options.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let labels = [("team", "a"), ("tier", "web")].map(|(name, value)| (name.to_owned(), value.to_owned())).into();
        let env = ["OS=linux".to_owned(), "HOME=/".to_owned(), "BARE".to_owned()];
        let of = Told {
            id: "0123456789abcdef",
            name: "web",
            image: "bb:1",
            image_id: "sha256:fedcba98765432",
            env: &env,
            labels: &labels,
        };
        let config = LogConfig { driver: String::new(), options };
        attributes(Some(&config), of).map(|found| found.into_iter().collect()).map_err(|error| error.to_string())
    }

    fn pairs(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    #[test]
    fn labels_and_variables_are_chosen_by_name_and_by_pattern() {
        assert_eq!(
            told(&[("labels", "team,nosuch"), ("env", "OS,BARE")]).unwrap(),
            pairs(&[("OS", "linux"), ("team", "a")])
        );
        assert_eq!(
            told(&[("labels-regex", "^t"), ("env-regex", "^H")]).unwrap(),
            pairs(&[("HOME", "/"), ("team", "a"), ("tier", "web")])
        );
        assert!(told(&[("env-regex", "(")]).is_err());
        assert_eq!(told(&[("max-size", "1m")]).unwrap(), []);
    }

    #[test]
    fn a_tag_is_filled_in() {
        let tag = |template| told(&[("tag", template)]).map(|found| found[0].1.clone());
        assert_eq!(tag("{{.Name}}/{{ .ID }}-{{.ImageID}} x"), Ok("web/0123456789ab-fedcba987654 x".into()));
        assert_eq!(tag("plain"), Ok("plain".into()));
        assert!(tag("{{.Nosuch}}").unwrap_err().contains("{{.Nosuch}}"));
        assert!(tag("{{.Name").is_err());
    }
}
