//! Names and ids of containers: the rule for names, made-up names for containers that were given none, random ids.

use std::fmt::Write as _;

/// How names of containers look, in the words of Docker's message.
pub const RULE: &str = "[a-zA-Z0-9][a-zA-Z0-9_.-]";

/// A virtue.
const ADJECTIVES: [&str; 72] = [
    "able", "agile", "amber", "ample", "awake", "bold", "brave", "breezy", "bright", "brisk", "calm", "candid",
    "cheery", "clear", "clever", "cosy", "crisp", "curious", "daring", "deft", "eager", "early", "earnest", "easy",
    "fair", "fearless", "fleet", "fond", "frank", "fresh", "gentle", "glad", "golden", "grand", "handy", "hardy",
    "honest", "humble", "ideal", "jolly", "keen", "kind", "lively", "loyal", "lucid", "lucky", "mellow", "merry",
    "mighty", "mild", "modest", "neat", "nimble", "noble", "patient", "placid", "plucky", "polite", "proud", "prudent",
    "quick", "quiet", "ready", "robust", "serene", "sharp", "silent", "steady", "sunny", "tidy", "vivid", "witty",
];

/// People who explored coasts, seas and what lives there, or made the charts and instruments for it.
const SURNAMES: [&str; 72] = [
    "agassiz",
    "amundsen",
    "anning",
    "baffin",
    "baker",
    "ballard",
    "banks",
    "barents",
    "baret",
    "bartlett",
    "beaufort",
    "beebe",
    "bellingshausen",
    "bering",
    "bird",
    "bowditch",
    "bowen",
    "cabot",
    "carpenter",
    "carson",
    "clark",
    "cook",
    "cousteau",
    "darwin",
    "davis",
    "dumont",
    "earle",
    "ekman",
    "ericson",
    "ewing",
    "fitzroy",
    "flinders",
    "forbes",
    "franklin",
    "frobisher",
    "galvez",
    "halley",
    "hansson",
    "harrison",
    "hassler",
    "heezen",
    "henson",
    "hudson",
    "humboldt",
    "hurley",
    "ibnmajid",
    "kane",
    "keldysh",
    "krusenstern",
    "lind",
    "magellan",
    "marsili",
    "maury",
    "mercator",
    "munk",
    "nansen",
    "ortelius",
    "peary",
    "piccard",
    "pytheas",
    "rennell",
    "ross",
    "scoresby",
    "shackleton",
    "stommel",
    "sverdrup",
    "tasman",
    "tharp",
    "thomson",
    "vancouver",
    "wegener",
    "zhenghe",
];

/// The system gave no random bytes.
#[derive(Debug, thiserror::Error)]
#[error("the system gave no random bytes: {0}")]
pub struct NoRandomness(getrandom::Error);

/// Whether a container may be called this: a letter or digit, then at least one letter, digit, `_`, `.` or `-`.
#[must_use]
pub fn is_valid(name: &str) -> bool {
    let mut bytes = name.bytes();
    bytes.next().is_some_and(|first| first.is_ascii_alphanumeric())
        && name.len() >= 2
        && bytes.all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.' | b'-'))
}

/// Makes up a name that is not taken. After a few tries a digit follows it, as dockerd does.
///
/// # Errors
/// If the system gives no random bytes.
pub fn generate(taken: impl Fn(&str) -> bool) -> Result<String, NoRandomness> {
    for attempt in 0_u32.. {
        let [first, second, digit, _] = random::<4>()?;
        let mut name = format!("{}_{}", pick(&ADJECTIVES, first), pick(&SURNAMES, second));
        if attempt >= 6 {
            // More digits with more tries: the loop ends however many names are taken.
            for place in 0..=(attempt - 6) / 8 {
                let _ = write!(name, "{}", u32::from(digit).wrapping_mul(7 + place) % 10);
            }
        }
        if !taken(&name) {
            return Ok(name);
        }
    }
    unreachable!("every name of any length is taken");
}

/// A new id: 64 hexadecimal digits.
///
/// # Errors
/// If the system gives no random bytes.
pub fn new_id() -> Result<String, NoRandomness> {
    let mut id = String::with_capacity(64);
    for byte in random::<32>()? {
        let _ = write!(id, "{byte:02x}");
    }
    Ok(id)
}

fn pick(words: &[&'static str; 72], random: u8) -> &'static str {
    words[usize::from(random) % words.len()]
}

fn random<const N: usize>() -> Result<[u8; N], NoRandomness> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).map_err(NoRandomness)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn names_follow_dockers_rule() {
        for good in ["ab", "web-1", "0a", "a.b", "A_b", "a--"] {
            assert!(is_valid(good), "{good}");
        }
        for bad in ["", "a", "-ab", "_ab", ".ab", "a b", "a/b", "é1", "aé", "a\n"] {
            assert!(!is_valid(bad), "{bad:?}");
        }
    }

    #[test]
    fn made_up_names_are_valid_and_never_taken() {
        let mut taken = HashSet::new();
        for _ in 0..8000 {
            let name = generate(|name| taken.contains(name)).unwrap();
            assert!(is_valid(&name), "{name}");
            assert!(taken.insert(name));
        }
    }

    #[test]
    fn no_word_is_there_twice() {
        assert_eq!(ADJECTIVES.iter().collect::<HashSet<_>>().len(), ADJECTIVES.len());
        assert_eq!(SURNAMES.iter().collect::<HashSet<_>>().len(), SURNAMES.len());
    }

    #[test]
    fn ids_are_64_hexadecimal_digits_and_differ() {
        let (one, other) = (new_id().unwrap(), new_id().unwrap());
        assert_eq!(one.len(), 64);
        assert!(one.bytes().all(|byte| byte.is_ascii_hexdigit() && !byte.is_ascii_uppercase()));
        assert_ne!(one, other);
    }
}
