//! `cove network ls`.

use cove_proto::v1::{ListNetworksRequest, Network};

use super::{Row, subnets};
use crate::{
    engine::Engine,
    failure::Outcome,
    output::{self, Format, Table},
};

/// Prints the list.
pub(super) async fn run(format: Format) -> Outcome {
    let networks = Engine::reach().await?.networks().list_networks(ListNetworksRequest {}).await?.into_inner().networks;
    match format {
        Format::Json => output::json(&networks.iter().map(Row::from).collect::<Vec<_>>())?,
        Format::Text => output::text(&text(&networks))?,
    }
    Ok(0)
}

fn text(networks: &[Network]) -> String {
    let mut table = Table::new(&["NAME", "DRIVER", "SUBNETS", "CONTAINERS"]);
    for network in networks {
        let names: Vec<&str> = network.containers.iter().map(|container| container.name.as_str()).collect();
        table.row([network.name.clone(), network.driver.clone(), subnets(network).join(","), names.join(",")]);
    }
    table.render("")
}

#[cfg(test)]
mod tests {
    use cove_proto::v1::{AddressPool, NetworkContainer};

    use super::*;

    #[test]
    fn a_network_says_who_is_on_it() {
        let on = |name: &str| NetworkContainer { name: name.into(), ..Default::default() };
        let network = Network {
            name: "back".into(),
            driver: "bridge".into(),
            pools: vec![AddressPool { subnet: "10.0.0.0/8".into(), ..Default::default() }],
            containers: vec![on("db"), on("web")],
            ..Default::default()
        };
        let text = text(&[network]);
        let row: Vec<&str> = text.lines().last().unwrap_or_default().split_whitespace().collect();
        assert_eq!(row, ["back", "bridge", "10.0.0.0/8", "db,web"]);
    }
}
