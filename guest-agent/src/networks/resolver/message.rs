//! Messages of the domain name system, as far as a name server for containers needs them: one question in, records out.
//! Pure, and for bytes that anybody may have made up.

use std::net::IpAddr;

/// Types of records.
pub(super) mod kind {
    pub(crate) const A: u16 = 1;
    pub(crate) const PTR: u16 = 12;
    pub(crate) const AAAA: u16 = 28;
    pub(crate) const OPT: u16 = 41;
    pub(crate) const ANY: u16 = 255;
}

/// How a question was answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Outcome {
    /// There is such a name, with these records or none.
    Found = 0,
    /// The question makes no sense.
    Malformed = 1,
    /// Who would know cannot be asked.
    Failed = 2,
    /// Not a question.
    NotImplemented = 4,
}

const HEADER: usize = 12;
/// The most that a name takes, and a label of it.
const LONGEST_NAME: usize = 255;
const LONGEST_LABEL: usize = 63;
/// What everybody takes without saying so.
const SMALLEST_PAYLOAD: usize = 512;
/// What this server takes itself.
const OWN_PAYLOAD: u16 = 1232;
/// How long an answer may be kept: not at all, for a container may come back at another address in a moment.
const TTL: u32 = 0;

const RESPONSE: u16 = 0x8000;
const OPCODE: u16 = 0x7800;
const TRUNCATED: u16 = 0x0200;
const RECURSION_DESIRED: u16 = 0x0100;
const RECURSION_AVAILABLE: u16 = 0x0080;

/// A question.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Question {
    id: u16,
    flags: u16,
    /// As it was asked: name, type and class.
    bytes: Vec<u8>,
    /// The name, without a dot at its end.
    pub(super) name: String,
    pub(super) kind: u16,
    /// The longest answer that fits into a datagram; none without EDNS.
    payload: Option<u16>,
}

/// What is no question that can be answered as it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum NoQuestion {
    /// Not even an answer can be addressed: nobody is told.
    Noise,
    /// Who asked is told, under this id.
    Refused(u16, Outcome),
}

/// Reads a question.
pub(super) fn parse(message: &[u8]) -> Result<Question, NoQuestion> {
    let (Some(id), Some(flags)) = (number(message, 0), number(message, 2)) else { return Err(NoQuestion::Noise) };
    if message.len() < HEADER || flags & RESPONSE != 0 {
        return Err(NoQuestion::Noise);
    }
    if flags & OPCODE != 0 {
        return Err(NoQuestion::Refused(id, Outcome::NotImplemented));
    }
    let malformed = NoQuestion::Refused(id, Outcome::Malformed);
    if number(message, 4) != Some(1) {
        return Err(malformed);
    }
    let (name, end) = name(message, HEADER).ok_or(malformed)?;
    let kind = number(message, end).ok_or(malformed)?;
    let bytes = message.get(HEADER..end + 4).ok_or(malformed)?.to_vec();
    Ok(Question { id, flags, bytes, name, kind, payload: payload(message, end + 4) })
}

fn number(message: &[u8], at: usize) -> Option<u16> {
    message.get(at..at + 2).map(|bytes| u16::from_be_bytes([bytes[0], bytes[1]]))
}

/// A name that is written out, and where it ends. In a question there is nothing before it to refer to.
fn name(message: &[u8], start: usize) -> Option<(String, usize)> {
    let (mut at, mut text) = (start, String::new());
    loop {
        let length = usize::from(*message.get(at)?);
        at += 1;
        if length == 0 {
            return Some((text, at));
        }
        if length > LONGEST_LABEL || at + length - start >= LONGEST_NAME {
            return None;
        }
        let label = message.get(at..at + length)?;
        if !text.is_empty() {
            text.push('.');
        }
        // A dot within a label is none between two; no name of a container has one of these.
        text.extend(label.iter().map(|byte| if byte.is_ascii_graphic() { char::from(*byte) } else { '\u{fffd}' }));
        at += length;
    }
}

/// What the record of EDNS says about the size of answers, if it comes first behind the question, as it does.
fn payload(message: &[u8], at: usize) -> Option<u16> {
    let is_first = number(message, 6)? == 0 && number(message, 8)? == 0;
    let is_there = is_first && number(message, 10)? > 0 && message.get(at) == Some(&0);
    (is_there && number(message, at + 1)? == kind::OPT).then(|| number(message, at + 3)).flatten()
}

impl Question {
    /// The longest answer that fits into a datagram.
    pub(super) fn longest(&self) -> usize {
        self.payload.map_or(SMALLEST_PAYLOAD, |payload| usize::from(payload).max(SMALLEST_PAYLOAD))
    }

    /// An answer of no more than so many bytes; what does not fit is left out, and that is said.
    pub(super) fn answer(&self, outcome: Outcome, records: &[Record], longest: usize) -> Vec<u8> {
        let edns = if self.payload.is_some() { edns() } else { Vec::new() };
        let mut body = self.bytes.clone();
        let mut count = 0_u16;
        for record in records {
            let bytes = record.bytes();
            if HEADER + body.len() + bytes.len() + edns.len() > longest {
                break;
            }
            body.extend(bytes);
            count += 1;
        }
        let truncated = if usize::from(count) < records.len() { TRUNCATED } else { 0 };
        let flags = RESPONSE | self.flags & RECURSION_DESIRED | RECURSION_AVAILABLE | truncated | outcome as u16;
        let mut message = header(self.id, flags, [1, count, u16::from(!edns.is_empty())]);
        message.extend(body);
        message.extend(edns);
        message
    }
}

impl NoQuestion {
    /// What is said to who asked.
    pub(super) fn answer(self) -> Option<Vec<u8>> {
        match self {
            Self::Noise => None,
            Self::Refused(id, outcome) => Some(header(id, RESPONSE | RECURSION_AVAILABLE | outcome as u16, [0; 3])),
        }
    }
}

fn header(id: u16, flags: u16, [questions, answers, additional]: [u16; 3]) -> Vec<u8> {
    [id, flags, questions, answers, 0, additional].iter().flat_map(|number| number.to_be_bytes()).collect()
}

fn edns() -> Vec<u8> {
    let mut record = vec![0];
    record.extend(kind::OPT.to_be_bytes());
    record.extend(OWN_PAYLOAD.to_be_bytes());
    record.extend([0; 6]);
    record
}

/// A record that answers a question, under the name of the question.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Record {
    /// An address.
    Address(IpAddr),
    /// A name.
    Name(String),
}

impl Record {
    fn bytes(&self) -> Vec<u8> {
        let (kind, data) = match self {
            Self::Address(IpAddr::V4(address)) => (kind::A, address.octets().to_vec()),
            Self::Address(IpAddr::V6(address)) => (kind::AAAA, address.octets().to_vec()),
            Self::Name(name) => (kind::PTR, labels(name)),
        };
        const NAME_OF_QUESTION: u16 = 0xc00c;
        const INTERNET: u16 = 1;
        let mut bytes: Vec<u8> = [NAME_OF_QUESTION, kind, INTERNET].iter().flat_map(|it| it.to_be_bytes()).collect();
        bytes.extend(TTL.to_be_bytes());
        bytes.extend(u16::try_from(data.len()).unwrap_or(u16::MAX).to_be_bytes());
        bytes.extend(data);
        bytes
    }
}

/// A name as labels. What would be too long is cut off.
fn labels(name: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    for label in name.split('.').map(str::as_bytes).filter(|label| !label.is_empty()) {
        let label = &label[..label.len().min(LONGEST_LABEL)];
        if bytes.len() + label.len() + 2 > LONGEST_NAME {
            break;
        }
        bytes.push(u8::try_from(label.len()).unwrap_or(0));
        bytes.extend(label);
    }
    bytes.push(0);
    bytes
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// A question as clients ask it.
    pub(crate) fn question(name: &str, kind: u16, payload: Option<u16>) -> Vec<u8> {
        let mut message = header(7, RECURSION_DESIRED, [1, 0, u16::from(payload.is_some())]);
        message.extend(labels(name));
        message.extend(kind.to_be_bytes());
        message.extend([0, 1]);
        if let Some(payload) = payload {
            message.extend([0, 0, 41]);
            message.extend(payload.to_be_bytes());
            message.extend([0; 6]);
        }
        message
    }

    #[test]
    fn a_question_is_read_and_answered_with_itself_before_the_records() {
        let asked = question("Db.back", kind::A, None);
        let read = parse(&asked).unwrap();
        assert_eq!((read.name.as_str(), read.kind, read.longest()), ("Db.back", kind::A, 512));
        let answer = read.answer(Outcome::Found, &[Record::Address("10.0.0.7".parse().unwrap())], 512);
        assert_eq!(answer[..12], [0, 7, 0x81, 0x80, 0, 1, 0, 1, 0, 0, 0, 0]);
        assert_eq!(answer[12..asked.len()], asked[12..]);
        assert_eq!(answer[asked.len()..], [0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 0, 0, 4, 10, 0, 0, 7]);
        let failed = read.answer(Outcome::Failed, &[], 512);
        assert_eq!((failed.len(), failed[3]), (asked.len(), 0x82));
    }

    #[test]
    fn what_does_not_fit_is_left_out_and_said() {
        let records: Vec<Record> = (0..100).map(|n| Record::Address([10, 0, 0, n].into())).collect();
        let small = parse(&question("many", kind::A, None)).unwrap();
        let answer = small.answer(Outcome::Found, &records, small.longest());
        assert!(answer.len() <= 512 && answer[2] & 2 != 0, "{} bytes", answer.len());
        assert_eq!(answer.len(), 22 + 16 * usize::from(u16::from_be_bytes([answer[6], answer[7]])));
        let large = parse(&question("many", kind::A, Some(4096))).unwrap();
        let answer = large.answer(Outcome::Found, &records, large.longest());
        assert_eq!((answer[2] & 2, answer[7], answer[11]), (0, 100, 1));
        assert_eq!(parse(&question("x", kind::A, Some(7))).unwrap().longest(), 512);
    }

    #[test]
    fn what_is_no_question_is_refused_or_passed_over() {
        let asked = question("a", kind::A, None);
        let changed = |at: usize, byte: u8| {
            let mut message = asked.clone();
            message[at] = byte;
            parse(&message).unwrap_err()
        };
        assert_eq!(changed(2, 0x80), NoQuestion::Noise, "an answer");
        assert_eq!(changed(2, 0x28), NoQuestion::Refused(7, Outcome::NotImplemented));
        for (at, byte) in [(5, 0), (5, 2), (12, 0xc0), (12, 64), (12, 9)] {
            let refused = changed(at, byte);
            assert_eq!(refused, NoQuestion::Refused(7, Outcome::Malformed), "byte {at} is {byte}");
            assert_eq!(refused.answer().unwrap(), [0, 7, 0x80, 0x81, 0, 0, 0, 0, 0, 0, 0, 0]);
        }
        assert_eq!(parse(&[]).unwrap_err().answer(), None);
        let long = ["abcdefgh"; 40].join(".");
        assert!(parse(&question(&long, kind::A, None)).is_ok(), "labels cut it off");
        let mut endless = header(7, 0, [1, 0, 0]);
        endless.extend([1, b'a'].repeat(500));
        assert_eq!(parse(&endless).unwrap_err(), NoQuestion::Refused(7, Outcome::Malformed));
    }

    #[test]
    fn no_bytes_whatever_make_it_stumble() {
        let seeds = [question("db.back", kind::A, Some(1232)), question("1.0.0.10.in-addr.arpa", kind::PTR, None)];
        let mut random = 0x2545_f491_4f6c_dd1d_u64;
        let mut next = || {
            random ^= random << 13;
            random ^= random >> 7;
            random ^= random << 17;
            random
        };
        for round in 0..200_000_usize {
            let mut message = seeds[round % 2].clone();
            for _ in 0..=next() % 4 {
                let at = usize::try_from(next()).unwrap_or(0) % message.len();
                message[at] = next().to_le_bytes()[0];
            }
            message.truncate(usize::try_from(next()).unwrap_or(0) % (message.len() + 1));
            match parse(&message) {
                Ok(read) => {
                    let answer = read.answer(Outcome::Found, &[Record::Name(read.name.clone())], read.longest());
                    assert!(answer.len() <= read.longest() && read.name.chars().count() <= LONGEST_NAME);
                }
                Err(none) => drop(none.answer()),
            }
        }
    }
}
