//! Looking: which networks there are, and who is on them.

use std::collections::HashMap;

use cove_proto::v1::StringList;

use super::{BuiltIn, Facts, Lease, Networks, NetworksError, filters::Filters};

/// A network, and who is on it.
#[derive(Debug, Clone)]
pub struct Seen {
    /// Which.
    pub network: BuiltIn,
    /// Its id and age.
    pub facts: Facts,
    /// The containers that run on it, by id.
    pub leases: Vec<(String, Lease)>,
}

impl Networks {
    /// The networks that match, by name.
    ///
    /// # Errors
    /// If a filter makes no sense.
    pub fn list(&self, filters: &HashMap<String, StringList>) -> Result<Vec<Seen>, NetworksError> {
        let filters = Filters::parse(filters)?;
        let mut found: Vec<Seen> = BuiltIn::ALL.into_iter().map(|network| self.see(network)).collect();
        found.retain(|seen| filters.matches(seen));
        Ok(found)
    }

    /// A network by its name, its id, or the beginning of its id.
    ///
    /// # Errors
    /// If there is none, or several begin so.
    pub fn get(&self, asked: &str) -> Result<Seen, NetworksError> {
        let none = || NetworksError::NotFound(asked.to_owned());
        if asked.is_empty() {
            return Err(none());
        }
        let facts = &self.shared().facts;
        let exact = facts.iter().find(|(network, facts)| network.name() == asked || facts.id == asked);
        if let Some((network, _)) = exact {
            return Ok(self.see(*network));
        }
        let mut like = facts.iter().filter(|(_, facts)| facts.id.starts_with(asked));
        match (like.next(), like.next()) {
            (Some((network, _)), None) => Ok(self.see(*network)),
            (Some(_), Some(_)) => Err(NetworksError::Ambiguous(asked.to_owned())),
            (None, _) => Err(none()),
        }
    }

    /// What a container has of its network while it runs.
    #[must_use]
    pub fn lease(&self, container_id: &str) -> Option<Lease> {
        self.shared().state().leases.get(container_id).cloned()
    }

    /// The id of a network.
    #[must_use]
    pub fn id(&self, network: BuiltIn) -> String {
        self.shared().facts[&network].id.clone()
    }

    fn see(&self, network: BuiltIn) -> Seen {
        let state = self.shared().state();
        let of_it = state.leases.iter().filter(|(_, lease)| lease.network == network);
        let mut leases: Vec<(String, Lease)> = of_it.map(|(id, lease)| (id.clone(), lease.clone())).collect();
        leases.sort_by(|one, other| one.0.cmp(&other.0));
        Seen { network, facts: self.shared().facts[&network].clone(), leases }
    }
}
