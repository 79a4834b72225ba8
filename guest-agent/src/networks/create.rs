//! Making a network: its bridge first, then the record that makes it exist.

use cove_proto::v1::CreateNetworkRequest;

use super::{
    BRIDGE, Network, Networks, NetworksError, Record, State, Subnet, bridge, check, egress, is_built_in, pools,
    record::{NETWORKS, Pool},
};
use crate::{clock, names};

/// What stands for the host and for the guest.
const WAY_OUT: [Subnet; 2] = [egress::address::SUBNET_V4, egress::address::SUBNET_V6];

impl Networks {
    /// Where the host goes; networks that nobody chose the addresses of are elsewhere.
    pub async fn host_routes(&self) -> Vec<Subnet> {
        match self.0.outside() {
            Some(outside) => outside.routes().await,
            None => Vec::new(),
        }
    }

    /// Makes a network beside where the host goes, and says its id. Blocks.
    ///
    /// # Errors
    /// If what is asked for makes no sense or is somebody else's, or the kernel refuses.
    pub fn create(&self, asked: CreateNetworkRequest, host: &[Subnet]) -> Result<String, NetworksError> {
        if asked.name.is_empty() {
            return Err(NetworksError::NoName);
        }
        if is_built_in(&asked.name) || asked.name == "default" {
            return Err(NetworksError::MakeBuiltIn(asked.name));
        }
        check::driver(&asked.driver)?;
        check::bridge_options(&asked)?;
        let pools = check::pools(&asked.pools)?;
        let inner = &self.0;
        // Under the lock: of two who ask for the same name or addresses, the second finds the first one's.
        let mut state = inner.state();
        let record = state.plan(asked, pools, host)?;
        let index = if inner.has_kernel {
            let device = record.device();
            bridge::make(&record, &device).map_err(|source| NetworksError::Bridge(device, source))?
        } else {
            0
        };
        let written = inner.database.write_blocking(|changes| NETWORKS.put(changes, &record.id, &record));
        written.inspect_err(|_| bridge::remove(&record))?;
        let network = Network::new(record, index);
        let record = std::sync::Arc::clone(&network.record);
        state.networks.insert(record.id.clone(), network);
        drop(state);
        self.tell(&record, "create", None);
        Ok(record.id.clone())
    }
}

impl State {
    /// What a network comes to, beside those that are there.
    fn plan(&self, asked: CreateNetworkRequest, pools: Vec<Pool>, host: &[Subnet]) -> Result<Record, NetworksError> {
        let CreateNetworkRequest { name, options, labels, internal, attachable, ipv4, ipv6, address_options, .. } =
            asked;
        if self.networks.values().any(|network| network.record.name == name) {
            return Err(NetworksError::Exists(name));
        }
        let ipv4 = ipv4.unwrap_or(true);
        if !ipv4 && !ipv6 {
            return Err(NetworksError::NoFamily);
        }
        let mut record = Record {
            id: names::new_id()?,
            name,
            driver: BRIDGE.to_owned(),
            created_at: clock::now_nanos(),
            pools,
            options: options.into_iter().collect(),
            labels: labels.into_iter().collect(),
            address_options: address_options.into_iter().collect(),
            internal,
            attachable,
            ipv4,
            ipv6,
        };
        self.choose_addresses(&mut record, host)?;
        self.check_device(&record)?;
        Ok(record)
    }

    /// Sees to it that there is a subnet of each family that is nobody else's; one that the host reaches, for want of others.
    fn choose_addresses(&self, record: &mut Record, host: &[Subnet]) -> Result<(), NetworksError> {
        let used: Vec<Subnet> = self.networks.values().flat_map(used).collect();
        // What nobody has asked for must not hide what the host reaches.
        let avoided = [used.as_slice(), &WAY_OUT, host].concat();
        for is_ipv4 in [true, false].into_iter().filter(|is_ipv4| if *is_ipv4 { record.ipv4 } else { record.ipv6 }) {
            let chosen = match record.pool(is_ipv4) {
                Some(pool) if used.iter().any(|used| used.overlaps(pool.subnet)) => return Err(NetworksError::Overlap),
                Some(_) => continue,
                None if is_ipv4 => pools::ipv4(&avoided).or_else(|| pools::ipv4(&used)),
                None => pools::ipv6(self.engine(), &avoided),
            };
            record.pools.push(Pool::chosen(chosen.ok_or(NetworksError::NoPool)?));
        }
        Ok(())
    }

    /// What this engine is known by as long as it has its data.
    fn engine(&self) -> &str {
        self.find(BRIDGE).map_or("", |network| &network.record.id)
    }

    fn check_device(&self, record: &Record) -> Result<(), NetworksError> {
        let (id, device) = (record.id.clone(), record.device());
        match self.networks.values().find(|network| network.is_bridge() && network.record.device() == device) {
            Some(network) => Err(NetworksError::SameDevice { id, device, other: network.record.id.clone() }),
            None => Ok(()),
        }
    }
}

fn used(network: &Network) -> impl Iterator<Item = Subnet> {
    [true, false].into_iter().filter_map(|is_ipv4| network.record.pool(is_ipv4).map(|pool| pool.subnet))
}
