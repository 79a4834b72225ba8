//! The name server of a container that is on a network of the user's own: 127.0.0.11 in its own network, as with dockerd.
//!
//! * [`message`] — questions and answers. [`lookup`] — who knows whom by which name.
//! * [`serve`] — the sockets, in the container's network namespace.
//!
//! A name of a network is answered here; of a family that it has no address of, with nothing. Other names would be the
//! host's to answer, to whom there is no way yet: SERVFAIL at once, as dockerd says when nobody answers it.

mod lookup;
mod message;
mod serve;

use std::net::IpAddr;

pub(super) use self::serve::{Resolver, start};
use self::{
    lookup::Known,
    message::{Outcome, Question, Record, kind},
};
use super::State;

/// Where it is.
const ADDRESS: [u8; 4] = [127, 0, 0, 11];

impl State {
    /// Answers a question that a container asks. Addresses of several come in an order that `turn` decides.
    fn answer(&self, container: &str, question: &Question, turn: usize) -> (Outcome, Vec<Record>) {
        if question.kind == kind::PTR {
            let name = lookup::backwards(&question.name).and_then(|address| self.reverse(container, address));
            return name.map_or((Outcome::Failed, Vec::new()), |name| (Outcome::Found, vec![Record::Name(name)]));
        }
        let Known::Addresses(addresses) = self.resolve(container, &question.name) else {
            return (Outcome::Failed, Vec::new());
        };
        let wanted = |address: &IpAddr| match question.kind {
            kind::A => address.is_ipv4(),
            kind::AAAA => address.is_ipv6(),
            kind::ANY => true,
            _ => false,
        };
        let mut records: Vec<Record> = addresses.into_iter().filter(wanted).map(Record::Address).collect();
        if !records.is_empty() {
            let first = turn % records.len();
            records.rotate_left(first);
        }
        (Outcome::Found, records)
    }
}

#[cfg(test)]
mod tests {
    use cove_proto::v1::{AddressPool, CreateNetworkRequest, NetworkAttachment};

    use super::{message::tests::question, *};
    use crate::{
        events::Events,
        networks::{Networks, Owner},
        state::Database,
    };

    fn networks(folder: &std::path::Path) -> Networks {
        let database = Database::open(&folder.join("database")).unwrap();
        let networks =
            Networks::of_paper(&database, &folder.join("n"), &Default::default(), Events::default()).unwrap();
        for (name, subnet) in [("back", "10.1.0.0/24"), ("front", "10.2.0.0/24")] {
            let pool = AddressPool { subnet: subnet.into(), ..Default::default() };
            let six = AddressPool { subnet: format!("fd00:{}::/64", name.len()), ..Default::default() };
            let asked = CreateNetworkRequest {
                name: name.into(),
                pools: vec![pool, six],
                ipv6: name == "front",
                ..Default::default()
            };
            networks.create(asked).unwrap();
        }
        networks
    }

    fn on(network: &str, aliases: &[&str], links: &[&str]) -> NetworkAttachment {
        let texts = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect();
        NetworkAttachment {
            network: network.into(),
            aliases: texts(aliases),
            links: texts(links),
            ..Default::default()
        }
    }

    fn start(networks: &Networks, name: &str, wanted: &[NetworkAttachment]) {
        let id = format!("{name:0>64}");
        networks.attach(Owner { id: &id, name, hostname: &id[52..] }, wanted, None).unwrap();
    }

    fn ask(networks: &Networks, container: &str, name: &str, of: u16) -> Result<Vec<String>, Outcome> {
        let question = message::parse(&question(name, of, None)).unwrap();
        let (outcome, records) = networks.0.state().answer(&format!("{container:0>64}"), &question, 0);
        let text = |record: Record| match record {
            Record::Address(address) => address.to_string(),
            Record::Name(name) => name,
        };
        if outcome == Outcome::Found { Ok(records.into_iter().map(text).collect()) } else { Err(outcome) }
    }

    #[test]
    fn names_are_those_of_moby() {
        let folder = tempfile::tempdir().unwrap();
        let networks = networks(folder.path());
        start(&networks, "web", &[on("back", &[], &["db:sql"]), on("front", &[], &[])]);
        start(&networks, "db", &[on("back", &["pg", "all"], &[])]);
        start(&networks, "far", &[on("front", &["all"], &[])]);
        start(&networks, "alone", &[on("bridge", &[], &[])]);
        let a = |name: &str| ask(&networks, "web", name, kind::A);
        let one = |address: &str| Ok(vec![address.to_owned()]);
        for name in ["db", "DB", "pg", "db.back", "pg.back", "sql", "0000000000db"] {
            assert_eq!(a(name).as_ref().map(|all| all.len()), Ok(1), "{name}");
        }
        assert_eq!((a("db"), a("far"), a("far.front")), (one("10.1.0.3"), one("10.2.0.3"), one("10.2.0.3")));
        // The short id is the first twelve digits, which are zeros here.
        for name in ["nosuch", "db.front", "far.back", "example.com", "alone", ""] {
            assert_eq!(a(name), Err(Outcome::Failed), "{name}");
        }
        assert_eq!(ask(&networks, "db", "far", kind::A), Err(Outcome::Failed), "they share no network");
        assert_eq!(ask(&networks, "db", "sql", kind::A), Err(Outcome::Failed), "a link is one container's own");
        assert_eq!(ask(&networks, "gone", "db", kind::A), Err(Outcome::Failed));
    }

    #[test]
    fn a_name_without_an_address_of_a_family_is_known_all_the_same() {
        let folder = tempfile::tempdir().unwrap();
        let networks = networks(folder.path());
        start(&networks, "web", &[on("back", &[], &[]), on("front", &[], &[])]);
        start(&networks, "db", &[on("back", &[], &[])]);
        start(&networks, "six", &[on("front", &[], &[])]);
        assert_eq!(ask(&networks, "web", "db", kind::AAAA), Ok(vec![]));
        assert_eq!(ask(&networks, "web", "six", kind::AAAA), Ok(vec!["fd00:5::3".to_owned()]));
        const MX: u16 = 15;
        assert_eq!(
            (ask(&networks, "web", "db", MX), ask(&networks, "web", "no", MX)),
            (Ok(vec![]), Err(Outcome::Failed))
        );
        assert_eq!(ask(&networks, "web", "3.0.1.10.in-addr.arpa", kind::PTR), Ok(vec!["db.back".to_owned()]));
        assert_eq!(ask(&networks, "db", "3.0.2.10.in-addr.arpa", kind::PTR), Err(Outcome::Failed));
    }

    #[test]
    fn those_who_share_a_name_take_turns() {
        let folder = tempfile::tempdir().unwrap();
        let networks = networks(folder.path());
        for name in ["one", "two", "three"] {
            start(&networks, name, &[on("back", &["all"], &[])]);
        }
        let question = message::parse(&question("all", kind::A, None)).unwrap();
        let id = format!("{:0>64}", "one");
        let first = |turn| networks.0.state().answer(&id, &question, turn).1;
        assert_eq!((first(0).len(), first(3)), (3, first(0)));
        assert!(first(0)[0] != first(1)[0] && first(1)[0] != first(2)[0] && first(0)[0] != first(2)[0]);
    }
}
