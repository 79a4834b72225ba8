//! `GET /networks`.

use std::collections::HashMap;

use cove_proto::v1;
use http::StatusCode;
use serde_json::Value;

use crate::call::Call;
use crate::error::Error;
use crate::reply::Reply;
use crate::shapes::network;

/// Lists networks.
pub(in crate::routes) async fn list(call: Call) -> Result<Reply, Error> {
    let filters = call.query.filters()?;
    check(&filters)?;
    let found = call.networks().list_networks(v1::ListNetworksRequest {}).await?.into_inner().networks;
    let fitting =
        found.iter().filter(|network| filters.iter().all(|(name, values)| fits(network, name, &values.values)));
    let networks: Vec<Value> = fitting.map(network::summary).collect();
    Ok(Reply::json(StatusCode::OK, &networks.into()))
}

fn check(filters: &HashMap<String, v1::StringList>) -> Result<(), Error> {
    const KNOWN: [&str; 7] = ["dangling", "driver", "id", "label", "name", "scope", "type"];
    if let Some(name) = filters.keys().find(|name| !KNOWN.contains(&name.as_str())) {
        return Err(Error::BadRequest(format!("invalid filter '{name}'")));
    }
    let types = filters.get("type").map(|types| types.values.as_slice()).unwrap_or_default();
    let wrong = types.iter().find(|value| !matches!(value.as_str(), "builtin" | "custom"));
    wrong.map_or(Ok(()), |value| Err(Error::BadRequest(format!("invalid filter: 'type'='{value}'"))))
}

/// Whether a network is one of those asked for: by any of the values, of labels by all.
fn fits(network: &v1::Network, name: &str, values: &[String]) -> bool {
    let any = |fits: &dyn Fn(&str) -> bool| values.is_empty() || values.iter().any(|value| fits(value));
    let is_built_in = matches!(network.name.as_str(), "bridge" | "host" | "none");
    match name {
        "name" => any(&|value| network.name.contains(value)),
        "id" => any(&|value| network.id.starts_with(value)),
        "driver" => any(&|value| network.driver == value),
        "scope" => any(&|value| value == "local"),
        "type" => any(&|value| is_built_in == (value == "builtin")),
        "dangling" => {
            // Those that are always there are never dangling.
            let is_dangling = !is_built_in && network.containers.is_empty();
            any(&|value| is_dangling != matches!(value, "0" | "false" | "False"))
        }
        _ => values.iter().all(|value| {
            let (label, value) = value.split_once('=').map_or((value.as_str(), None), |(name, it)| (name, Some(it)));
            network.labels.get(label).is_some_and(|found| value.is_none_or(|value| value == found))
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn filters_are_dockerds() {
        let bridge =
            v1::Network { name: "bridge".into(), id: "abc123".into(), driver: "bridge".into(), ..Default::default() };
        let bridge = v1::Network { labels: [("a".to_owned(), "b".to_owned())].into(), ..bridge };
        let own = v1::Network { name: "own".into(), ..Default::default() };
        for (value, expected) in [("true", true), ("false", false)] {
            assert_eq!(fits(&own, "dangling", &[value.to_owned()]), expected);
        }
        for (name, value, expected) in [
            ("name", "brid", true),
            ("name", "host", false),
            ("id", "abc", true),
            ("id", "bc", false),
            ("driver", "bridge", true),
            ("driver", "brid", false),
            ("scope", "local", true),
            ("scope", "swarm", false),
            ("type", "builtin", true),
            ("type", "custom", false),
            ("dangling", "true", false),
            ("label", "a", true),
            ("label", "a=b", true),
            ("label", "a=c", false),
        ] {
            assert_eq!(fits(&bridge, name, &[value.to_owned()]), expected, "{name}={value}");
        }
        let unknown = HashMap::from([("foo".to_owned(), v1::StringList::default())]);
        assert_eq!(check(&unknown).unwrap_err().to_string(), "invalid filter 'foo'");
        let type_foo = HashMap::from([("type".to_owned(), v1::StringList { values: vec!["foo".to_owned()] })]);
        assert_eq!(check(&type_foo).unwrap_err().to_string(), "invalid filter: 'type'='foo'");
    }
}
