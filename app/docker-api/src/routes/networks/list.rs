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
    let unknown = filters.keys().find(|name| !KNOWN.contains(&name.as_str()));
    unknown.map_or(Ok(()), |name| Err(Error::BadRequest(format!("invalid filter '{name}'"))))
}

/// Whether a network is one of those asked for. All of them are the engine's own, and none has a label.
fn fits(network: &v1::Network, name: &str, values: &[String]) -> bool {
    let any = |fits: &dyn Fn(&str) -> bool| values.is_empty() || values.iter().any(|value| fits(value));
    match name {
        "name" => any(&|value| network.name.contains(value)),
        "id" => any(&|value| network.id.starts_with(value)),
        "driver" => any(&|value| network.driver == value),
        "scope" => any(&|value| value == "local"),
        "type" => any(&|value| value == "builtin"),
        // Those that are always there are never dangling.
        "dangling" => any(&|value| matches!(value, "0" | "false" | "False")),
        _ => values.is_empty(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn filters_are_dockerds() {
        let bridge =
            v1::Network { name: "bridge".into(), id: "abc123".into(), driver: "bridge".into(), ..Default::default() };
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
            ("label", "a", false),
        ] {
            assert_eq!(fits(&bridge, name, &[value.to_owned()]), expected, "{name}={value}");
        }
        let unknown = HashMap::from([("foo".to_owned(), v1::StringList::default())]);
        assert_eq!(check(&unknown).unwrap_err().to_string(), "invalid filter 'foo'");
    }
}
