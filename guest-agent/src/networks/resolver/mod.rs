//! The name server of a container that is on a network of the user's own: 127.0.0.11 in its own network, as with dockerd.
//!
//! * [`message`] — questions and answers. [`lookup`] — who knows whom by which name.
//! * [`serve`] — the sockets, in the container's network namespace.
//!
//! A name of a network is answered here; of a family that it has no address of, with nothing. Other names are the host's to
//! answer, if the container has a way out; SERVFAIL, as dockerd says, if it has none or nobody answers.

mod lookup;
mod message;
mod serve;

use std::net::IpAddr;

pub(super) use self::serve::{Resolver, Server, server, start};
use self::{
    lookup::Known,
    message::{Outcome, Question, Record, kind},
};
use super::{
    Inner, State,
    egress::{
        address,
        outside::{self, Resolved},
    },
};

/// Where it is.
const ADDRESS: [u8; 4] = [127, 0, 0, 11];

/// What comes of a question.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Reply {
    /// It is answered here.
    Known(Outcome, Vec<Record>),
    /// The host is to answer it, by these servers or its own.
    Outside(Vec<IpAddr>),
}

impl State {
    /// Answers a question that a container asks. Addresses of several come in an order that `turn` decides.
    fn answer(&self, container: &str, question: &Question, turn: usize) -> Reply {
        if question.kind == kind::PTR {
            let name = lookup::backwards(&question.name).and_then(|address| self.reverse(container, address));
            let known = |name| Reply::Known(Outcome::Found, vec![Record::Name(name)]);
            return name.map_or_else(|| self.outside(container, question), known);
        }
        let addresses = match self.resolve(container, &question.name) {
            Known::Addresses(addresses) => addresses,
            Known::Nothing => match self.host(container, &question.name) {
                Some(address) => vec![address],
                None => return self.outside(container, question),
            },
        };
        let wanted = addresses.into_iter().filter(|address| question.wants(*address));
        let mut records: Vec<Record> = wanted.map(Record::Address).collect();
        if !records.is_empty() {
            let first = turn % records.len();
            records.rotate_left(first);
        }
        Reply::Known(Outcome::Found, records)
    }

    /// Where the engine's host is, if that is what a name means: of version 6 for those who have no other.
    fn host(&self, container: &str, name: &str) -> Option<IpAddr> {
        let has_ipv4 = self.sandboxes.get(container).is_none_or(|held| held.sandbox.has_ipv4());
        let is_name = address::HOST_NAMES.iter().any(|known| known.eq_ignore_ascii_case(name));
        (is_name && self.has_way_out(container)).then(|| address::of_host(has_ipv4))
    }

    /// What is nobody's name here, by moby's rules: not asked by those without a way out; nor, if the user has said how many
    /// dots a name has, without one.
    fn outside(&self, container: &str, question: &Question) -> Reply {
        if !self.has_way_out(container) {
            return Reply::Known(Outcome::Failed, Vec::new());
        }
        let Some(held) = self.sandboxes.get(container) else { return Reply::Outside(Vec::new()) };
        let is_address = matches!(question.kind, kind::A | kind::AAAA);
        if held.sandbox.knows_dots && is_address && !question.name.contains('.') {
            return Reply::Known(Outcome::Found, Vec::new());
        }
        Reply::Outside(held.sandbox.name_servers.clone())
    }

    /// Whether there is more than the container's own networks for it. The guest's own network has no entry here.
    fn has_way_out(&self, container: &str) -> bool {
        let leads_out = |network: &String| self.networks.get(network).is_some_and(|network| !network.record.internal);
        let held = self.sandboxes.get(container);
        held.is_none_or(|held| held.sandbox.endpoints.iter().any(|place| leads_out(&place.network)))
    }
}

impl Question {
    /// Whether an address is of the family that is asked for.
    fn wants(&self, address: IpAddr) -> bool {
        match self.kind {
            kind::A => address.is_ipv4(),
            kind::AAAA => address.is_ipv6(),
            kind::ANY => true,
            _ => false,
        }
    }
}

impl Inner {
    async fn resolve_outside(&self, question: outside::Question<'_>) -> Resolved {
        match self.outside() {
            Some(outside) => outside.resolve(question).await,
            None => Resolved::Nothing,
        }
    }
}

#[cfg(test)]
mod tests {
    use cove_proto::v1::{AddressPool, CreateNetworkRequest, NetworkAttachment};

    use super::{message::tests::question, *};
    use crate::{
        events::Events,
        networks::{Networks, Owner, Questions},
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
            networks.create(asked, &[]).unwrap();
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
        start_asking(networks, name, wanted, Questions::default());
    }

    fn start_asking(networks: &Networks, name: &str, wanted: &[NetworkAttachment], questions: Questions<'_>) {
        let id = format!("{name:0>64}");
        networks.attach(Owner { id: &id, name, hostname: &id[52..], questions }, wanted, None).unwrap();
    }

    /// What is asked of the host, with these servers.
    fn host(servers: &[&str]) -> Result<Vec<String>, Reply> {
        Err(Reply::Outside(servers.iter().map(|server| server.parse().unwrap()).collect()))
    }

    fn ask(networks: &Networks, container: &str, name: &str, of: u16) -> Result<Vec<String>, Reply> {
        let question = message::parse(&question(name, of, None)).unwrap();
        let reply = networks.0.state().answer(&format!("{container:0>64}"), &question, 0);
        let text = |record: Record| match record {
            Record::Address(address) => address.to_string(),
            Record::Name(name) => name,
        };
        match reply {
            Reply::Known(Outcome::Found, records) => Ok(records.into_iter().map(text).collect()),
            other => Err(other),
        }
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
            assert_eq!(a(name), host(&[]), "{name}");
        }
        assert_eq!(ask(&networks, "db", "far", kind::A), host(&[]), "they share no network");
        assert_eq!(ask(&networks, "db", "sql", kind::A), host(&[]), "a link is one container's own");
        assert_eq!(ask(&networks, "gone", "db", kind::A), host(&[]));
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
        assert_eq!((ask(&networks, "web", "db", MX), ask(&networks, "web", "no", MX)), (Ok(vec![]), host(&[])));
        assert_eq!(ask(&networks, "web", "3.0.1.10.in-addr.arpa", kind::PTR), Ok(vec!["db.back".to_owned()]));
        assert_eq!(ask(&networks, "db", "3.0.2.10.in-addr.arpa", kind::PTR), host(&[]));
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
        let first = |turn| match networks.0.state().answer(&id, &question, turn) {
            Reply::Known(_, records) => records,
            Reply::Outside(_) => Vec::new(),
        };
        assert_eq!((first(0).len(), first(3)), (3, first(0)));
        assert!(first(0)[0] != first(1)[0] && first(1)[0] != first(2)[0] && first(0)[0] != first(2)[0]);
    }

    #[test]
    fn the_outside_is_asked_by_those_who_have_a_way_there_and_at_the_servers_that_they_chose() {
        let folder = tempfile::tempdir().unwrap();
        let networks = networks(folder.path());
        let hidden = CreateNetworkRequest { name: "hidden".into(), internal: true, ..Default::default() };
        networks.create(hidden, &[]).unwrap();
        let servers = ["10.9.9.9".to_owned(), "nonsense".to_owned(), "fd00::9".to_owned()];
        let options = ["ndots:2".to_owned()];
        start_asking(&networks, "own", &[on("back", &[], &[])], Questions { servers: &servers, options: &options });
        start(&networks, "inner", &[on("hidden", &[], &[])]);
        start(&networks, "both", &[on("hidden", &[], &[]), on("back", &[], &[])]);
        assert_eq!(ask(&networks, "own", "example.com", kind::A), host(&["10.9.9.9", "fd00::9"]));
        assert_eq!(ask(&networks, "own", "example", kind::A), Ok(vec![]), "it has too few dots");
        assert_eq!(ask(&networks, "both", "example", kind::A), host(&[]));
        let refused = Err(Reply::Known(Outcome::Failed, vec![]));
        for name in ["example.com", "host.docker.internal"] {
            assert_eq!(ask(&networks, "inner", name, kind::A), refused, "{name}");
        }
        assert_eq!(ask(&networks, "inner", "both", kind::A).map(|found| found.len()), Ok(1));
    }

    #[test]
    fn the_host_has_names_of_its_own() {
        let folder = tempfile::tempdir().unwrap();
        let networks = networks(folder.path());
        let six = CreateNetworkRequest { name: "six".into(), ipv4: Some(false), ipv6: true, ..Default::default() };
        networks.create(six, &[]).unwrap();
        start(&networks, "web", &[on("back", &[], &[])]);
        start(&networks, "newer", &[on("six", &[], &[])]);
        for name in ["host.docker.internal", "Gateway.Docker.Internal"] {
            assert_eq!(ask(&networks, "web", name, kind::A), Ok(vec!["192.168.65.254".to_owned()]));
            assert_eq!(ask(&networks, "web", name, kind::AAAA), Ok(vec![]));
            assert_eq!(ask(&networks, "newer", name, kind::AAAA), Ok(vec!["fdc4:f303:9324::254".to_owned()]));
        }
        start(&networks, "rival", &[on("back", &["host.docker.internal"], &[])]);
        assert_eq!(ask(&networks, "web", "host.docker.internal", kind::A), Ok(vec!["10.1.0.3".to_owned()]));
    }
}
