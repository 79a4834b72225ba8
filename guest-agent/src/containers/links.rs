//! Links of old: a container on the default bridge, where there are no names, knows others there by a line in its
//! /etc/hosts and by variables. On networks of the user's own a link is a name ([`crate::networks`]).

use std::net::Ipv4Addr;

use cove_proto::v1::ContainerSpec;

use super::{
    Containers, ContainersError, Engine,
    actor::{Actor, Command},
    merge, namespaces,
    record::Record,
};
use crate::networks::BRIDGE;

/// Another container, as one knows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Linked {
    /// The name that it is known by.
    alias: String,
    /// Its own name.
    name: String,
    /// Its id.
    id: String,
    address: Ipv4Addr,
    /// "80/tcp".
    ports: Vec<String>,
    env: Vec<String>,
}

/// Checks that those who are linked to are there, and names them by their names.
///
/// # Errors
/// If one is not.
pub(super) fn fill_in(engine: &Engine, spec: &mut ContainerSpec) -> Result<(), ContainersError> {
    if spec.links.is_empty() {
        return Ok(());
    }
    if spec.network_mode == "host" {
        let why = "conflicting options: host type networking can't be used with links. This would result in undefined \
                   behavior";
        return Err(ContainersError::Program(why.to_owned()));
    }
    for link in &mut spec.links {
        let (target, alias) = link.split_once(':').unwrap_or((link, link));
        let found = engine.index().find(target);
        let found = found.map_err(|_| ContainersError::NoSuchLink(target.to_owned()))?;
        let name = &found.now().record.name;
        *link = format!("{name}:{}", if alias.is_empty() { target } else { alias });
    }
    Ok(())
}

/// Those that a container that starts is linked to.
///
/// # Errors
/// If one does not run on the default bridge.
pub(super) fn of(engine: &Engine, record: &Record) -> Result<Vec<Linked>, ContainersError> {
    let is_on_bridge = namespaces::attachments(&record.spec).iter().any(|one| one.network == BRIDGE);
    if !is_on_bridge {
        return Ok(Vec::new());
    }
    record.spec.links.iter().map(|link| linked(engine, record, link)).collect()
}

fn linked(engine: &Engine, record: &Record, link: &str) -> Result<Linked, ContainersError> {
    let (name, alias) = link.split_once(':').unwrap_or((link, link));
    let entry = engine.index().find(name)?;
    let sandbox = engine.networks.sandbox(&entry.id).unwrap_or_default();
    let address = sandbox.endpoints.iter().find(|place| place.network_name == BRIDGE).and_then(|place| place.ipv4);
    let not_running =
        || ContainersError::LinkNotRunning { target: name.to_owned(), link: format!("/{}/{alias}", record.name) };
    let spec = &entry.now().record.spec;
    Ok(Linked {
        alias: alias.to_owned(),
        name: name.to_owned(),
        id: entry.id.clone(),
        address: address.ok_or_else(not_running)?,
        ports: spec.exposed_ports.clone(),
        env: spec.env.clone(),
    })
}

impl Containers {
    /// Removes a link, written as "web/db": who has it, and what it calls the other. It holds from the next start on.
    ///
    /// # Errors
    /// If there is no such link.
    pub async fn unlink(&self, link: &str) -> Result<(), ContainersError> {
        let link = link.strip_prefix('/').unwrap_or(link);
        let Some((name, alias)) = link.rsplit_once('/') else {
            self.find(link)?;
            return Err(ContainersError::OwnName);
        };
        let entry = self.find(name).map_err(|_| ContainersError::NoSuchContainer(link.to_owned()))?;
        entry.ask(|reply| Command::Unlink(alias.to_owned(), reply)).await
    }
}

impl Actor {
    pub(super) async fn unlink(&mut self, alias: &str) -> Result<(), ContainersError> {
        let links = self.record.spec.links.clone();
        self.record.spec.links.retain(|link| link.split_once(':').is_none_or(|(_, known)| known != alias));
        if self.record.spec.links.len() == links.len() {
            return Err(ContainersError::NoSuchContainer(format!("{}/{alias}", self.record.name)));
        }
        if let Err(error) = self.save().await {
            self.record.spec.links = links;
            return Err(error);
        }
        self.publish();
        Ok(())
    }
}

impl Linked {
    /// Its line of /etc/hosts.
    pub(super) fn hosts_line(&self) -> String {
        let (alias, id, name) = (&self.alias, self.id.get(..12).unwrap_or(&self.id), &self.name);
        let own = if name == alias { String::new() } else { format!(" {name}") };
        format!("{}\t{alias} {id}{own}\n", self.address)
    }

    /// Its variables, for a container of this name.
    fn variables(&self, container: &str) -> Vec<String> {
        let prefix = self.alias.to_uppercase().replace('-', "_");
        let address = self.address;
        let ports = sorted(&self.ports);
        let first = ports.first().map(|(port, kind)| format!("{prefix}_PORT={kind}://{address}:{port}"));
        let mut variables: Vec<String> = first.into_iter().collect();
        for (port, kind) in ports {
            let of_port = format!("{prefix}_PORT_{port}_{}", kind.to_uppercase());
            variables.push(format!("{of_port}={kind}://{address}:{port}"));
            variables.push(format!("{of_port}_ADDR={address}"));
            variables.push(format!("{of_port}_PORT={port}"));
            variables.push(format!("{of_port}_PROTO={kind}"));
        }
        variables.push(format!("{prefix}_NAME=/{container}/{}", self.alias));
        let own = self.env.iter().filter(|entry| !entry.starts_with("HOME=") && !entry.starts_with("PATH="));
        variables.extend(own.map(|entry| format!("{prefix}_ENV_{entry}")));
        variables
    }
}

/// The environment of a container with what it knows of others; what it says itself comes before.
pub(super) fn environment(linked: &[Linked], container: &str, own: Vec<String>) -> Vec<String> {
    if linked.is_empty() {
        return own;
    }
    let of_others: Vec<String> = linked.iter().flat_map(|one| one.variables(container)).collect();
    merge::override_env(of_others, &own)
}

/// Ports by their numbers.
fn sorted(ports: &[String]) -> Vec<(u16, String)> {
    let read = |port: &String| {
        let (number, kind) = port.split_once('/').unwrap_or((port, "tcp"));
        Some((number.parse().ok()?, kind.to_owned()))
    };
    let mut ports: Vec<(u16, String)> = ports.iter().filter_map(read).collect();
    ports.sort();
    ports
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_is_a_line_and_variables_as_with_dockerd() {
        let linked = Linked {
            alias: "my-db".into(),
            name: "unl1".into(),
            id: "23a9636b956d8a15".into(),
            address: Ipv4Addr::new(172, 17, 0, 3),
            ports: vec!["90/udp".into(), "80/tcp".into()],
            env: vec!["FOO=bar".into(), "PATH=/bin".into()],
        };
        assert_eq!(linked.hosts_line(), "172.17.0.3\tmy-db 23a9636b956d unl1\n");
        let expected = [
            "MY_DB_PORT=tcp://172.17.0.3:80",
            "MY_DB_PORT_80_TCP=tcp://172.17.0.3:80",
            "MY_DB_PORT_80_TCP_ADDR=172.17.0.3",
            "MY_DB_PORT_80_TCP_PORT=80",
            "MY_DB_PORT_80_TCP_PROTO=tcp",
            "MY_DB_PORT_90_UDP=udp://172.17.0.3:90",
            "MY_DB_PORT_90_UDP_ADDR=172.17.0.3",
            "MY_DB_PORT_90_UDP_PORT=90",
            "MY_DB_PORT_90_UDP_PROTO=udp",
            "MY_DB_NAME=/unl2/my-db",
            "MY_DB_ENV_FOO=bar",
        ];
        assert_eq!(linked.variables("unl2"), expected);
        let own = vec!["MY_DB_NAME=mine".to_owned(), "X=1".to_owned()];
        let all = environment(std::slice::from_ref(&linked), "unl2", own);
        assert!(all.contains(&"MY_DB_NAME=mine".to_owned()) && all.contains(&"X=1".to_owned()));
        assert!(!all.contains(&expected[9].to_owned()));
        let same = Linked { alias: "unl1".into(), ..linked };
        assert_eq!(same.hosts_line(), "172.17.0.3\tunl1 23a9636b956d\n");
    }
}
