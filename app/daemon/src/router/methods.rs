//! Which methods `cove.v1` has, and how each is passed on. Read from the descriptors, so a new method of the agent needs
//! no code here.

use std::collections::HashMap;

use cove_proto::FILE_DESCRIPTOR_SET;
use prost::Message;
use prost_types::FileDescriptorSet;

/// Services that are implemented here; all others of the package are the agent's.
const HOST_SERVICES: [&str; 4] = ["Machine", "Registry", "Egress", "Shares"];

/// Services of the agent that are the daemon's own business: no client's call is passed on to them.
const BETWEEN_THE_HALVES: [&str; 2] = ["Host", "HostFolders"];

const PACKAGE: &str = "cove.v1";

/// How a call is passed on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// One message each way: over the connection that all such calls share.
    Unary,
    /// A stream in at least one direction: over a connection of its own, so that a slow reader stalls nobody else.
    Streaming,
}

/// The methods of `cove.v1`.
#[derive(Debug, Clone)]
pub struct Methods {
    services: Vec<String>,
    guest: HashMap<String, Kind>,
}

impl Methods {
    /// Reads the compiled-in descriptors.
    ///
    /// # Errors
    /// If they cannot be read, which the tests of this module exclude.
    pub fn read() -> Result<Self, prost::DecodeError> {
        FileDescriptorSet::decode(FILE_DESCRIPTOR_SET).map(|set| Self::of(&set))
    }

    fn of(set: &FileDescriptorSet) -> Self {
        let files = set.file.iter().filter(|file| file.package() == PACKAGE);
        let (mut services, mut guest) = (Vec::new(), HashMap::new());
        let offered =
            files.flat_map(|file| &file.service).filter(|service| !BETWEEN_THE_HALVES.contains(&service.name()));
        for service in offered {
            let name = format!("{PACKAGE}.{}", service.name());
            if !HOST_SERVICES.contains(&service.name()) {
                guest.extend(service.method.iter().map(|method| {
                    let streaming = method.client_streaming() || method.server_streaming();
                    let kind = if streaming { Kind::Streaming } else { Kind::Unary };
                    (format!("/{name}/{}", method.name()), kind)
                }));
            }
            services.push(name);
        }
        Self { services, guest }
    }

    /// The full names of all services, "cove.v1.Machine" first or last as the files say.
    pub fn services(&self) -> impl Iterator<Item = &str> {
        self.services.iter().map(String::as_str)
    }

    /// How a call to the agent is passed on; `None` if the agent has no such method.
    #[must_use]
    pub fn guest(&self, path: &str) -> Option<Kind> {
        self.guest.get(path).copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn methods_of_the_agent_are_known_with_their_kind() {
        let methods = Methods::read().unwrap();
        let kinds = |path| methods.guest(path);
        assert_eq!(kinds("/cove.v1.Containers/StartContainer"), Some(Kind::Unary));
        assert_eq!(kinds("/cove.v1.Containers/AttachContainer"), Some(Kind::Streaming));
        assert_eq!(kinds("/cove.v1.Containers/GetContainerLogs"), Some(Kind::Streaming));
        assert_eq!(kinds("/cove.v1.Images/ImportImage"), Some(Kind::Streaming));
        assert_eq!(kinds("/cove.v1.Guest/GetGuest"), Some(Kind::Unary));
    }

    #[test]
    fn services_of_the_host_and_strangers_are_not_the_agents() {
        let methods = Methods::read().unwrap();
        let hidden = "/cove.v1.Host/ServeGuest";
        for path in
            ["/cove.v1.Machine/GetMachine", hidden, "/cove.v1.Guest/Nonsense", "/other.v1.Guest/GetGuest", "/", ""]
        {
            assert_eq!(methods.guest(path), None, "{path}");
        }
        assert!(methods.services().any(|service| service == "cove.v1.Machine"));
    }
}
