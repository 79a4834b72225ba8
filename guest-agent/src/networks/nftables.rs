//! Rules for packets, by nfnetlink: tables, chains and rules in one batch that the kernel takes whole or not at all.
//!
//! What is written here is linux/netfilter/nf_tables.h; numbers are in the network's order.

pub(super) mod expressions;

use std::io;

use netlink_sys::{Socket, SocketAddr, protocols::NETLINK_NETFILTER};

const SUBSYSTEM: u16 = 10;
const BATCH_BEGIN: u16 = 16;
const BATCH_END: u16 = 17;
const NEW_TABLE: u16 = SUBSYSTEM << 8;
const DELETE_TABLE: u16 = SUBSYSTEM << 8 | 2;
const NEW_CHAIN: u16 = SUBSYSTEM << 8 | 3;
const NEW_RULE: u16 = SUBSYSTEM << 8 | 6;

const REQUEST: u16 = 0x1;
const ACKNOWLEDGE: u16 = 0x4;
const CREATE: u16 = 0x400;
const APPEND: u16 = 0x800;
const NESTED: u16 = 0x8000;
/// The kernel's answer to a request.
const ERROR: u16 = 2;
/// Length, type, flags, sequence and port of a message.
const HEADER: usize = 16;

/// Which packets a table is for.
#[derive(Debug, Clone, Copy)]
pub(super) enum Family {
    /// Of both versions.
    Inet = 1,
    /// IPv4.
    Ipv4 = 2,
}

/// Where a chain looks at packets.
#[derive(Debug, Clone, Copy)]
pub(super) enum Hook {
    /// When they have come in.
    Prerouting = 0,
    /// On their way from one interface to another.
    Forward = 2,
    /// When the system itself sends them.
    Output = 3,
}

/// What becomes of a packet that no rule decides about.
#[derive(Debug, Clone, Copy)]
pub(super) enum Policy {
    Drop = 0,
    Accept = 1,
}

/// A chain at a hook.
#[derive(Debug, Clone, Copy)]
pub(super) struct Chain<'a> {
    pub(super) name: &'a str,
    /// "filter", "nat".
    pub(super) kind: &'a str,
    pub(super) hook: Hook,
    pub(super) priority: i32,
    pub(super) policy: Policy,
}

/// A step of a rule: what it looks at, compares with, does.
#[derive(Debug, Clone)]
pub(super) struct Expression {
    name: &'static str,
    data: Attributes,
}

/// The protocol above IP is this one.
pub(super) fn protocol_is(protocol: u8) -> Vec<Expression> {
    const META_L4PROTO: u32 = 16;
    let load = Attributes::default().number(1, REGISTER_1).number(2, META_L4PROTO);
    vec![Expression { name: "meta", data: load }, compare(&[protocol])]
}

/// The packet goes to this IPv4 address.
pub(super) fn goes_to(address: [u8; 4]) -> Vec<Expression> {
    const NETWORK_HEADER: u32 = 1;
    vec![payload(NETWORK_HEADER, 16, 4), compare(&address)]
}

/// The packet goes to this port.
pub(super) fn goes_to_port(port: u16) -> Vec<Expression> {
    const TRANSPORT_HEADER: u32 = 2;
    vec![payload(TRANSPORT_HEADER, 2, 2), compare(&port.to_be_bytes())]
}

/// It goes to this IPv4 address and port instead.
pub(super) fn redirect(address: [u8; 4], port: u16) -> Vec<Expression> {
    const DESTINATION: u32 = 1;
    let nat = Attributes::default()
        .number(1, DESTINATION)
        .number(2, Family::Ipv4 as u32)
        .number(3, REGISTER_1)
        .number(5, REGISTER_2);
    vec![
        immediate(REGISTER_1, &address),
        immediate(REGISTER_2, &port.to_be_bytes()),
        Expression { name: "nat", data: nat },
    ]
}

const REGISTER_1: u32 = 1;
const REGISTER_2: u32 = 2;

fn payload(base: u32, offset: u32, length: u32) -> Expression {
    let data = Attributes::default().number(1, REGISTER_1).number(2, base).number(3, offset).number(4, length);
    Expression { name: "payload", data }
}

fn compare(value: &[u8]) -> Expression {
    const EQUAL: u32 = 0;
    let data = Attributes::default().number(1, REGISTER_1).number(2, EQUAL).nested(3, &value_of(value));
    Expression { name: "cmp", data }
}

fn immediate(register: u32, value: &[u8]) -> Expression {
    Expression { name: "immediate", data: Attributes::default().number(1, register).nested(2, &value_of(value)) }
}

fn value_of(value: &[u8]) -> Attributes {
    Attributes::default().bytes(1, value)
}

/// Attributes in the kernel's form: length, kind, value, each at a multiple of four bytes.
#[derive(Debug, Clone, Default)]
pub(super) struct Attributes(Vec<u8>);

impl Attributes {
    pub(super) fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    pub(super) fn bytes(mut self, kind: u16, value: &[u8]) -> Self {
        let length = u16::try_from(value.len() + 4).unwrap_or(u16::MAX);
        self.0.extend(length.to_ne_bytes());
        self.0.extend(kind.to_ne_bytes());
        self.0.extend(value);
        self.0.resize(self.0.len().next_multiple_of(4), 0);
        self
    }

    pub(super) fn number(self, kind: u16, value: u32) -> Self {
        self.bytes(kind, &value.to_be_bytes())
    }

    fn text(self, kind: u16, value: &str) -> Self {
        self.bytes(kind, &[value.as_bytes(), &[0]].concat())
    }

    fn nested(self, kind: u16, inner: &Self) -> Self {
        self.bytes(kind | NESTED, &inner.0)
    }
}

/// A table that is to replace the one of its name.
#[derive(Debug)]
pub(super) struct Batch<'a> {
    family: Family,
    table: &'a str,
    bytes: Vec<u8>,
    messages: u32,
}

impl<'a> Batch<'a> {
    /// An empty table, whatever was in it before.
    pub(super) fn new(family: Family, table: &'a str) -> Self {
        let mut batch = Self { family, table, bytes: Vec::new(), messages: 0 };
        batch.edge(BATCH_BEGIN);
        let named = Attributes::default().text(1, table);
        // What is not there cannot be deleted.
        batch.message(NEW_TABLE, CREATE, &named);
        batch.message(DELETE_TABLE, 0, &named);
        batch.message(NEW_TABLE, CREATE, &named);
        batch
    }

    /// With one more chain.
    pub(super) fn chain(mut self, chain: Chain<'_>) -> Self {
        let priority = u32::from_ne_bytes(chain.priority.to_ne_bytes());
        let hook = Attributes::default().number(1, chain.hook as u32).number(2, priority);
        let attributes = Attributes::default()
            .text(1, self.table)
            .text(3, chain.name)
            .nested(4, &hook)
            .number(5, chain.policy as u32)
            .text(7, chain.kind);
        self.message(NEW_CHAIN, CREATE, &attributes);
        self
    }

    /// With one more rule behind the others of a chain.
    pub(super) fn rule(mut self, chain: &str, expressions: &[Vec<Expression>]) -> Self {
        let list = expressions.iter().flatten().fold(Attributes::default(), |list, expression| {
            list.nested(1, &Attributes::default().text(1, expression.name).nested(2, &expression.data))
        });
        let attributes = Attributes::default().text(1, self.table).text(2, chain).nested(4, &list);
        self.message(NEW_RULE, CREATE | APPEND, &attributes);
        self
    }

    /// Makes it so in the network namespace of this thread.
    pub(super) fn commit(mut self) -> io::Result<()> {
        self.edge(BATCH_END);
        let mut socket = Socket::new(NETLINK_NETFILTER)?;
        socket.bind_auto()?;
        socket.connect(&SocketAddr::new(0, 0))?;
        socket.send(&self.bytes, 0)?;
        let mut acknowledged = 0;
        while acknowledged < self.messages {
            acknowledged += acknowledgements(&socket.recv_from_full()?.0)?;
        }
        Ok(())
    }

    fn message(&mut self, kind: u16, flags: u16, attributes: &Attributes) {
        self.messages += 1;
        self.append(kind, flags | ACKNOWLEDGE, self.family as u8, 0, &attributes.0);
    }

    fn edge(&mut self, kind: u16) {
        self.append(kind, 0, 0, SUBSYSTEM, &[]);
    }

    fn append(&mut self, kind: u16, flags: u16, family: u8, resource: u16, attributes: &[u8]) {
        let length = u32::try_from(HEADER + 4 + attributes.len()).unwrap_or(u32::MAX);
        self.bytes.extend(length.to_ne_bytes());
        self.bytes.extend(kind.to_ne_bytes());
        self.bytes.extend((flags | REQUEST).to_ne_bytes());
        self.bytes.extend(self.messages.to_ne_bytes());
        self.bytes.extend([0; 4]);
        self.bytes.extend([family, 0]);
        self.bytes.extend(resource.to_be_bytes());
        self.bytes.extend(attributes);
    }
}

/// How many messages an answer acknowledges.
fn acknowledgements(mut answer: &[u8]) -> io::Result<u32> {
    let mut count = 0;
    while let Some((header, rest)) = answer.split_at_checked(HEADER) {
        let length = usize::try_from(u32::from_ne_bytes([header[0], header[1], header[2], header[3]])).unwrap_or(0);
        let code = rest.get(..4).map(|code| i32::from_ne_bytes([code[0], code[1], code[2], code[3]]));
        match (u16::from_ne_bytes([header[4], header[5]]), code) {
            (ERROR, Some(0)) => count += 1,
            (ERROR, Some(code)) => return Err(io::Error::from_raw_os_error(-code)),
            _ => return Err(io::Error::other("the kernel answers something else than asked")),
        }
        answer = answer.get(length.max(HEADER).next_multiple_of(4)..).unwrap_or_default();
    }
    Ok(count)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attributes_are_padded_and_nested_ones_say_so() {
        let bytes = Attributes::default().text(1, "ab").nested(4, &Attributes::default().number(2, 7)).0;
        let mut expected = vec![];
        expected.extend(7_u16.to_ne_bytes());
        expected.extend(1_u16.to_ne_bytes());
        expected.extend(*b"ab\0\0");
        expected.extend(12_u16.to_ne_bytes());
        expected.extend(0x8004_u16.to_ne_bytes());
        expected.extend(8_u16.to_ne_bytes());
        expected.extend(2_u16.to_ne_bytes());
        expected.extend(7_u32.to_be_bytes());
        assert_eq!(bytes, expected);
    }

    #[test]
    fn answers_are_counted_and_a_refusal_is_an_error() {
        let answer = |code: i32| {
            let mut bytes = 36_u32.to_ne_bytes().to_vec();
            bytes.extend(ERROR.to_ne_bytes());
            bytes.extend([0; 10]);
            bytes.extend(code.to_ne_bytes());
            bytes.resize(36, 0);
            bytes
        };
        assert_eq!(acknowledgements(&[answer(0), answer(0)].concat()).unwrap(), 2);
        let refused = acknowledgements(&[answer(0), answer(-libc::EPERM)].concat()).unwrap_err();
        assert_eq!(refused.raw_os_error(), Some(libc::EPERM));
        assert!(acknowledgements(&[8, 0, 0, 0, 9, 9, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]).is_err());
        assert_eq!(acknowledgements(&[]).unwrap(), 0);
    }
}
