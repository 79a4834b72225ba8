//! `cove network connect` and `disconnect`.

use cove_proto::v1::{ConnectNetworkRequest, DisconnectNetworkRequest, NetworkAttachment};

use crate::{engine::Engine, failure::Outcome};

/// Arguments of `cove network connect`.
#[derive(Debug, clap::Args)]
pub(crate) struct Connect {
    /// The network.
    network: String,
    /// The container.
    container: String,
    /// Another name that those on the network know it by.
    #[arg(long, value_name = "NAME")]
    alias: Vec<String>,
    /// IPv4 address, if the network was made with a subnet.
    #[arg(long, value_name = "ADDRESS", default_value = "", hide_default_value = true)]
    ip: String,
    /// IPv6 address, if the network was made with a subnet.
    #[arg(long, value_name = "ADDRESS", default_value = "", hide_default_value = true)]
    ip6: String,
}

/// Arguments of `cove network disconnect`.
#[derive(Debug, clap::Args)]
pub(crate) struct Disconnect {
    /// The network.
    network: String,
    /// The container.
    container: String,
}

/// Puts it on the network.
pub(super) async fn connect(arguments: Connect) -> Outcome {
    let attachment = NetworkAttachment {
        network: arguments.network,
        aliases: arguments.alias,
        ipv4_address: arguments.ip,
        ipv6_address: arguments.ip6,
        ..NetworkAttachment::default()
    };
    let request = ConnectNetworkRequest { container: arguments.container, attachment: Some(attachment) };
    Engine::reach().await?.networks().connect_network(request).await?;
    Ok(0)
}

/// Takes it off.
pub(super) async fn disconnect(arguments: Disconnect) -> Outcome {
    let Disconnect { network, container } = arguments;
    let request = DisconnectNetworkRequest { network, container, force: false };
    Engine::reach().await?.networks().disconnect_network(request).await?;
    Ok(0)
}
