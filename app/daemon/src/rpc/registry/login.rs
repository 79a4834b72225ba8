//! `CheckLogin`.

use cove_names::{HUB, Reference};
use cove_proto::v1::{CheckLoginRequest, CheckLoginResponse};
use tonic::Status;

use super::{RegistryRpc, reference};
use crate::rpc::error;

impl RegistryRpc {
    pub(super) async fn login(&self, request: CheckLoginRequest) -> Result<CheckLoginResponse, Status> {
        let name = registry(&request.registry)?;
        let credentials = self.transfers.credentials(request.credentials, &name).await;
        let credentials = credentials.map_err(|failed| error::registry(&failed))?;
        let settings = self.transfers.settings()?;
        let known = self.transfers.registries().login(&name, &credentials, &settings).await;
        known.map(|identity_token| CheckLoginResponse { identity_token }).map_err(|failed| error::registry(&failed))
    }
}

/// A registry as a name in it: docker's clients send "host:5000", "https://host:5000/v2/", and for Docker Hub an address
/// of 2014.
fn registry(text: &str) -> Result<Reference, Status> {
    let rest = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://")).unwrap_or(text);
    let host = rest.split('/').next().unwrap_or_default();
    match host {
        "" | "index.docker.io" | "registry-1.docker.io" => reference(&format!("{HUB}/library/any")),
        host if host.contains(['.', ':']) || host == "localhost" => reference(&format!("{host}/any")),
        host => {
            Err(Status::invalid_argument(format!("{host} is not the name of a registry: it has neither dot nor port")))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_registry_is_known_by_host_and_by_address() {
        for (text, domain) in [
            ("", "docker.io"),
            ("https://index.docker.io/v1/", "docker.io"),
            ("docker.io", "docker.io"),
            ("host:5000", "host:5000"),
            ("https://host.example/v2/", "host.example"),
            ("localhost", "localhost"),
        ] {
            assert_eq!(registry(text).unwrap().domain(), domain, "{text}");
        }
        assert!(registry("host").is_err());
    }
}
