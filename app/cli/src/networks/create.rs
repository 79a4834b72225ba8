//! `cove network create`.

use cove_proto::v1::{AddressPool, CreateNetworkRequest};

use crate::{engine::Engine, failure::Outcome, output, volumes::pairs};

/// Arguments of `cove network create`.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// Its name.
    name: String,
    /// Subnet to take addresses from, 10.0.0.0/24; once for each of IPv4 and IPv6. Chosen when left out.
    #[arg(long, value_name = "SUBNET")]
    subnet: Vec<String>,
    /// It leads nowhere.
    #[arg(long)]
    internal: bool,
    /// Containers get IPv6 addresses too.
    #[arg(long)]
    ipv6: bool,
    /// Set a label: NAME=VALUE.
    #[arg(short, long, value_name = "NAME[=VALUE]")]
    label: Vec<String>,
    /// Set an option: com.docker.network.driver.mtu=1400.
    #[arg(short, long, value_name = "NAME=VALUE")]
    opt: Vec<String>,
}

/// Makes it.
pub(super) async fn run(arguments: Arguments) -> Outcome {
    let pool = |subnet| AddressPool { subnet, ..AddressPool::default() };
    let request = CreateNetworkRequest {
        name: arguments.name,
        pools: arguments.subnet.into_iter().map(pool).collect(),
        internal: arguments.internal,
        ipv6: arguments.ipv6,
        labels: pairs(arguments.label),
        options: pairs(arguments.opt),
        ..CreateNetworkRequest::default()
    };
    let made = Engine::reach().await?.networks().create_network(request).await?.into_inner();
    output::text(&format!("{}\n", made.id))?;
    Ok(0)
}
